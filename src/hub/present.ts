// A token as the principal of a decision: everything ValidateToken would say of it, but for the audience.
import type { Subject } from '../authorization/authorization.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import type { TokensDoor } from '../tokens/tokens.ts';
import type { Limited } from './guards.ts';
import type { Notice } from './notice.ts';
import { createProvenKey, type ProvenKey } from './possession.ts';
import { presenterOf, shownFingerprint } from './presenter.ts';
import type { Presented, Standing } from './principal/principal.ts';
import { createProve, type Proof, type ProofPorts } from './validate-token/proof.ts';
import { type Reason, useProblems } from './verdict.ts';

export interface PresentPorts extends ProofPorts {
  readonly tokens: Pick<TokensDoor, 'verify' | 'revoked' | 'checkProof' | 'fingerprintOf'>;
  readonly standing: (tenantId: TenantId, subject: Subject) => MaybePromise<Standing | null>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<({ readonly status: string } & Limited) | null>;
  readonly notice: Notice;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
}

const refused = (reason: string, message: string): Presented => ({ ok: false, reason, message });
const NOTHING = { permissions: [], scopes: [] };
const NOBODY = { holds: () => false };

export const createPresent = (ports: PresentPorts) => {
  const prove = createProve(ports);

  const provenKey = createProvenKey(ports, 'decision');

  const judge = (
    { proven }: Proof & { readonly ok: true },
    key: ProvenKey,
    context: RequestContext | undefined,
    call: Call,
  ): MaybePromise<Presented> => {
    const { credential, marked, session, subjectType, roles, source } = proven;
    const { tenantId } = credential;
    const subject: Subject = { type: subjectType, id: credential.subject };
    return andThen(ports.tenant(tenantId), (tenant) => {
      // Asked only where it decides: a token bound to an address, or to a device that must be shown.
      const used = session === null ? null : marked;
      const asked =
        credential.ipAddress !== '' ||
        tenant?.policy?.bindDevice === 'always' ||
        (used !== null && ports.notice.isNews(used, context, call.now));
      return andThen(asked && ports.holds(call.caller, 'context:assert'), (believed) =>
        andThen(ports.standing(tenantId, subject), (standing): Presented => {
          // After the last wait: what was revoked meanwhile counts.
          const ended = marked === null ? null : ports.tokens.revoked(marked);
          if (ended !== null) {
            if (marked !== null) ports.notice.ended(marked, ended.reason, call);
            return refused(ended.reason, ended.message);
          }
          if (tenant?.status !== 'active') return refused('TENANT_SUSPENDED', 'the tenant is not active');
          if (standing === null || !standing.active) return refused('SUBJECT_SUSPENDED', 'the subject is not active');
          const fingerprint = shownFingerprint(credential, context, ports.tokens.fingerprintOf);
          const presenter = presenterOf(context, call, believed, credential.confirmation !== null, key, fingerprint);
          const problem = useProblems(credential, presenter, NOTHING, NOBODY)?.[0];
          if (problem !== undefined) return refused(problem.code, problem.message);
          const noticed = used === null ? null : ports.notice.use(used, tenant.policy ?? null, context, believed, call);
          if (noticed !== null && noticed.problem !== null) return refused(noticed.problem.code, noticed.problem.message);
          const scopes = credential.scopes ?? [];
          const limits = scopes.length === 0 ? standing.limits : { ...standing.limits, scopes: [...standing.limits.scopes, scopes] };
          const holder = roles === undefined ? standing.holder : { ...standing.holder, roles };
          const own = 'familyId' in source ? source : null;
          const home = session === null ? null : { tenant, shown: { token: session, presenter } };
          return {
            ok: true,
            tenantId,
            subject,
            standing: { ...standing, holder, limits },
            expiresAt: credential.expiresAt,
            home,
            proven: own,
          };
        }),
      );
    });
  };

  const unproven = ({ code, message }: Reason, call: Call): Presented => {
    if (code === 'SIGNATURE_INVALID') ports.notice.forged(call);
    return refused(code, message);
  };

  return (token: string, context: RequestContext | undefined, call: Call): MaybePromise<Presented> =>
    andThen(prove({ token, certificateChain: '' }, call, 0), (proof) =>
      proof.ok
        ? andThen(provenKey(proof.proven, token, context, call), (key) => judge(proof, key, context, call))
        : unproven(proof.reason, call),
    );
};
