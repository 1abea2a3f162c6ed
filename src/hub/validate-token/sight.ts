// What the caller of ValidateToken may see of a credential: whose it is, and for whom it is meant.
import type { MaybePromise } from '../../base/call.ts';
import type { Caller, TenantId } from '../../base/caller.ts';
import { andThen } from '../../base/maybe.ts';
import { type AudienceRule, audienceFits, type Credential } from '../verdict.ts';

export interface SightPorts {
  /** Does the caller hold this permission now? */
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

export interface Sight {
  readonly tenant: boolean;
  readonly audience: boolean;
  /** Claims of a token for somebody else are shown to `token:inspect` only. */
  readonly inspect: boolean;
}

const SEES_ALL: Sight = { tenant: true, audience: true, inspect: false };

/** Tenants a caller may ask about, without any look-up. */
const reaches = (caller: Caller, tenantId: TenantId): boolean =>
  caller.kind !== 'anonymous' &&
  (caller.tenantId === tenantId || (caller.kind === 'workload' && caller.entry?.tenants.includes(tenantId) === true));

export const createSightOf =
  ({ holds }: SightPorts) =>
  (credential: Credential, rule: AudienceRule, caller: Caller): MaybePromise<Sight> => {
    const tenant = reaches(caller, credential.tenantId);
    const audience = audienceFits(rule, credential.audience);
    if (tenant && audience) return SEES_ALL;
    if (!tenant)
      return andThen(holds(caller, 'installation:tenants'), (across) =>
        across ? { tenant: true, audience, inspect: !audience } : { tenant, audience, inspect: false },
      );
    return andThen(holds(caller, 'token:inspect'), (inspect) => ({ tenant, audience, inspect }));
  };
