// ValidateToken: is this credential good, here, now, for this? Warm it answers at once, without SQL, without Redis, from bytes made before.
import type { Call, MaybePromise } from '../../base/call.ts';
import { badField } from '../../base/fault.ts';
import { andThen, isPromise } from '../../base/maybe.ts';
import { boundOf, millisOf } from '../../base/proto-time.ts';
import { type Millis, seconds } from '../../base/time.ts';
import type { ValidateTokenRequest } from '../../gen/securityhub/v1/security_hub.ts';
import type { Feed } from '../../storage/storage.ts';
import type { TokensDoor } from '../../tokens/tokens.ts';
import type { Notice } from '../notice.ts';
import { createProvenKey, type ProvenKey } from '../possession.ts';
import { type Asked, type ConcludePorts, createConclude, WRONG_TENANT } from './conclude.ts';
import { createFactsOf, type FactPorts } from './facts.ts';
import { createProve, type Proof, type ProofPorts } from './proof.ts';
import { createSightOf, type SightPorts } from './sight.ts';
import { type AudienceRule, audienceRule } from '../verdict.ts';

export interface ValidateTokenPorts extends ProofPorts, FactPorts, SightPorts, Pick<ConcludePorts, 'permits'> {
  readonly tokens: Pick<TokensDoor, 'verify' | 'revoked' | 'checkProof' | 'fingerprintOf'>;
  readonly feed: Pick<Feed, 'assertFresh' | 'age' | 'applied' | 'cursor'>;
  readonly notice: Notice;
}

const MAX_GRACE: Millis = seconds(60);

export const createValidateToken = (ports: ValidateTokenPorts) => {
  const prove = createProve(ports);
  const provenKey = createProvenKey(ports, 'verdict');
  const factsOf = createFactsOf(ports);
  const sightOf = createSightOf(ports);
  const { conclude, invalid } = createConclude(ports);

  const judgeRefused = (
    request: ValidateTokenRequest,
    call: Call,
    rule: AudienceRule,
    proof: Proof & { readonly ok: false },
  ): MaybePromise<Buffer> => {
    if (proof.reason.code === 'SIGNATURE_INVALID') ports.notice.forged(call);
    const sight = proof.proven === null ? null : sightOf(proof.proven.credential, rule, call.caller);
    return andThen(sight, (seen) => {
      ports.feed.assertFresh(boundOf(request.maxStaleness));
      return invalid(proof, seen === null || seen.tenant ? [proof.reason] : [WRONG_TENANT], seen, null, call.now);
    });
  };

  const judge = (asked: Asked, again: boolean): MaybePromise<Buffer> => {
    const { request, call, proof } = asked;
    const { credential, session, marked } = proof.proven;
    const sight = sightOf(credential, asked.rule, call.caller);
    const facts = factsOf(proof.proven, call.now);
    // Asked only where it decides: a token bound to an address, or to a device that must be shown, a session seen somewhere new,
    // permissions that may be given at some addresses only.
    const matters =
      credential.ipAddress !== '' ||
      (request.requiredPermissions.length > 0 && request.context !== undefined && request.context.ipAddress !== '') ||
      (!isPromise(facts) && facts.guards?.device === true) ||
      (session !== null && marked !== null && ports.notice.isNews(marked, request.context, call.now));
    const trusted = matters && ports.holds(call.caller, 'context:assert');
    if (!isPromise(sight) && !isPromise(facts) && !isPromise(trusted)) return conclude(asked, sight, facts, trusted);
    const loaded = Promise.all([sight, facts, trusted]);
    // What was at hand before the wait may be old now: once loaded, all is asked again in one go.
    if (again) return loaded.then(() => judge(asked, false));
    return loaded.then(([s, f, t]) => conclude(asked, s, f, t));
  };

  /** The answer, encoded. No promise where everything is at hand. */
  return (request: ValidateTokenRequest, call: Call): MaybePromise<Buffer> => {
    if (request.token !== '' && request.certificateChain !== '')
      throw badField('certificate_chain', 'give a token or a certificate_chain, not both');
    const grace = millisOf(request.grace);
    if (!(grace >= 0 && grace <= MAX_GRACE)) throw badField('grace', 'must be from 0 to 60 s');
    const rule = audienceRule(call.caller, request.audience);
    const proof = prove(request, call, grace);
    const weigh = (found: Proof): MaybePromise<Buffer> => {
      if (!found.ok) return judgeRefused(request, call, rule, found);
      const key = provenKey(found.proven, request.token, request.context, call);
      const ask = (proven: ProvenKey) => judge({ request, call, rule, proof: found, key: proven }, true);
      return isPromise(key) ? key.then(ask) : ask(key);
    };
    return isPromise(proof) ? proof.then(weigh) : weigh(proof);
  };
};
