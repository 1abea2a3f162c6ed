// The last step of ValidateToken: proven, loaded, seen; is it good for this use? Nothing waits here.
import type { Authorization } from '../../authorization/authorization.ts';
import type { Call } from '../../base/call.ts';
import { boundOf } from '../../base/proto-time.ts';
import type { Instant } from '../../base/time.ts';
import type { ValidateTokenRequest } from '../../gen/securityhub/v1/security_hub.ts';
import { Verdict } from '../../gen/securityhub/v1/token.ts';
import type { Feed } from '../../storage/storage.ts';
import type { TokensDoor } from '../../tokens/tokens.ts';
import { MFA_REQUIRED } from '../guards.ts';
import type { Notice } from '../notice.ts';
import type { ProvenKey } from '../possession.ts';
import { presenterOf, shownFingerprint } from '../presenter.ts';
import { requiredOf } from '../required-permissions.ts';
import { emptyResponse, encodeStill, encodeWarning, withMoment } from './answer.ts';
import { validAnswer } from './said.ts';
import { type Facts, standingProblem } from './facts.ts';
import { createMomentOf, type MomentPorts } from './moment.ts';
import type { Proof } from './proof.ts';
import { shownClaims } from './proven.ts';
import type { Sight } from './sight.ts';
import { createKeep, liveSubject } from './valid.ts';
import { type AudienceRule, type Reason, useProblems } from '../verdict.ts';
import { type Weighed, weighUse } from '../weigh-use.ts';

export interface ConcludePorts extends MomentPorts {
  readonly tokens: Pick<TokensDoor, 'revoked' | 'fingerprintOf'>;
  readonly feed: Pick<Feed, 'assertFresh' | 'age' | 'cursor'>;
  readonly notice: Pick<Notice, 'ended' | 'use'>;
  readonly permits: Authorization['permits'];
}

const IN_GRACE = encodeWarning({ code: 'TOKEN_EXPIRED_IN_GRACE', message: 'the token has expired and counts only by grace' });
const UNCHECKED = encodeWarning({ code: 'AUDIENCE_UNCHECKED', message: 'nobody said for whom the token must be meant' });
const BOTH = UNCHECKED + IN_GRACE;
const WRONG_AUDIENCE: Reason = { code: 'AUDIENCE_MISMATCH', message: 'the token is meant for somebody else' };
export const WRONG_TENANT: Reason = {
  code: 'DENIED_TENANT',
  message: 'the credential belongs to a tenant that this caller may not ask about',
};
const NOTHING: readonly Reason[] = [];

/** What was asked about a credential that proved to be one. */
export interface Asked {
  readonly request: ValidateTokenRequest;
  readonly call: Call;
  readonly rule: AudienceRule;
  readonly proof: Proof & { readonly ok: true };
  readonly key: ProvenKey;
}

interface Use {
  readonly problems: readonly Reason[] | null;
  /** null: nothing limits it. */
  readonly weighed: Weighed | null;
}

const sooner = (end: Instant | null, weighed: Weighed | null): Instant | null =>
  weighed === null || weighed.until === Number.POSITIVE_INFINITY ? end : Math.min(weighed.until, end ?? weighed.until);

/** Encoded. */
const warningsOf = ({ rule, proof }: Asked, unusual: Reason | null, others: readonly Reason[]): string => {
  const unchecked = rule.kind === 'unchecked' && proof.proven.credential.audience !== null;
  const own = unchecked ? (proof.inGrace ? BOTH : UNCHECKED) : proof.inGrace ? IN_GRACE : '';
  const more = unusual === null ? others : [unusual, ...others];
  return more.length === 0 ? own : own + more.map(encodeWarning).join('');
};

export const createConclude = (ports: ConcludePorts) => {
  const { tokens, feed, notice } = ports;
  const momentOf = createMomentOf(ports);
  const keep = createKeep();

  const invalid = (
    proof: Proof,
    reasons: readonly Reason[],
    sight: Sight | null,
    facts: Facts | null,
    now: Instant,
    weighed: Weighed | null = null,
  ): Buffer => {
    const { proven } = proof;
    const stepUp = weighed !== null && reasons.length === 1 && reasons[0] === MFA_REQUIRED ? weighed.stepUp : null;
    const shown = proven !== null && sight !== null && sight.tenant && (sight.audience || sight.inspect);
    const still = encodeStill({
      ...emptyResponse(),
      verdict: stepUp === null ? Verdict.VERDICT_INVALID : Verdict.VERDICT_STEP_UP_REQUIRED,
      stepUp: stepUp ?? undefined,
      reasons: reasons.map((reason) => ({ ...reason })),
      tokenType: proof.ok ? proof.proven.tokenType : proof.tokenType,
      claims: shown ? shownClaims(proven) : undefined,
      subject: shown && facts !== null ? liveSubject(proven, facts) : undefined,
    });
    return withMoment(still, momentOf(now, sooner(null, weighed), facts?.rights ?? null));
  };

  /** What stands against the credential, whoever shows it and whatever for. */
  const standingOf = ({ proof, call }: Asked, facts: Facts): Reason | null => {
    const { marked } = proof.proven;
    const ended = marked === null ? null : tokens.revoked(marked);
    if (marked === null || ended === null) return standingProblem(facts, proof.proven);
    notice.ended(marked, ended.reason, call);
    return { code: ended.reason, message: ended.message };
  };

  /** What stands against this use: by this key, from this address and device, with these permissions and scopes, at this hour. */
  const useOf = ({ request, call, proof, key }: Asked, facts: Facts, trusted: boolean): Use => {
    const { proven } = proof;
    const { credential, session } = proven;
    const { context, requiredPermissions: permissions, requiredScopes: scopes } = request;
    const fingerprint = shownFingerprint(credential, context, tokens.fingerprintOf);
    const presenter = presenterOf(context, call, trusted, credential.confirmation !== null, key, fingerprint);
    const required = permissions.length === 0 ? null : requiredOf(ports.permits, facts.rights, proven, context, call, trusted);
    const problems = useProblems(credential, presenter, { permissions, scopes }, required ?? facts.rights);
    const guarded = facts.guards === null || session === null ? null : weighUse(facts.guards, session, presenter, permissions, call.now);
    return { problems, weighed: required === null ? guarded : required.weighed(guarded) };
  };

  /** After the last wait: everything that may have changed meanwhile is asked now. */
  const conclude = (asked: Asked, sight: Sight, facts: Facts, trusted: boolean): Buffer => {
    const { request, call, proof } = asked;
    const { proven } = proof;
    feed.assertFresh(boundOf(request.maxStaleness));
    // Whose token this is says nothing to those who may not ask.
    if (!sight.tenant) return invalid(proof, [WRONG_TENANT], sight, null, call.now);
    if (!sight.audience) return invalid(proof, [WRONG_AUDIENCE], sight, null, call.now);
    const standing = standingOf(asked, facts);
    const { problems, weighed } = useOf(asked, facts, trusted);
    if (standing !== null || problems !== null || (weighed !== null && (weighed.problems.length > 0 || weighed.stepUp !== null))) {
      const against = new Set([...(standing === null ? [] : [standing]), ...(problems ?? []), ...(weighed?.problems ?? [])]);
      // A better proof is asked for only where nothing else is in the way.
      return invalid(proof, against.size === 0 ? [MFA_REQUIRED] : [...against], sight, facts, call.now, weighed);
    }
    const used = proven.session === null ? null : proven.marked;
    const noticed = used === null ? null : notice.use(used, facts.tenant?.policy ?? null, request.context, trusted, call);
    if (noticed !== null && noticed.problem !== null) return invalid(proof, [noticed.problem], sight, facts, call.now, weighed);
    const { said, room } = keep(proven, facts);
    const warnings = warningsOf(asked, noticed?.warning ?? null, weighed?.warnings ?? NOTHING);
    return validAnswer(said, proven.own, room, warnings, momentOf(call.now, sooner(proven.credential.expiresAt, weighed), facts.rights));
  };

  return { conclude, invalid };
};
