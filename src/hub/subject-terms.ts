// What a subject's tenant, roles and account say about its tokens: what their claims state, and how long its sessions live.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type Constraints, NO_RESTRICTIONS, restrictionsOf } from '../base/constraints.ts';
import { andThen } from '../base/maybe.ts';
import type { SessionTerms } from '../tokens/tokens.ts';
import type { Limited } from './guards.ts';

export interface TermsPorts {
  readonly tenant: (tenantId: TenantId) => MaybePromise<Limited | null>;
  readonly user: (tenantId: TenantId, userId: string) => MaybePromise<Limited | null>;
  readonly rights: (
    tenantId: TenantId,
    subject: { readonly type: string; readonly id: string },
  ) => MaybePromise<{ readonly constraints: readonly Constraints[]; readonly limitsToCome: boolean }>;
  /** Every change up to this number is in what the others answer from now on. */
  readonly cursor: () => number;
  /** Number of the newest news about the subject's limits; it may be ahead of the cursor. */
  readonly limitsSeq: (tenantId: TenantId, userId: string) => number;
}

export const createTerms =
  (ports: TermsPorts) =>
  (tenantId: TenantId, userId: string): MaybePromise<SessionTerms> => {
    // Before anything is looked up. The same at every replica that has heard of the last limit, wherever its cursor stands: racers get equal claims.
    const asOf = Math.min(ports.cursor(), ports.limitsSeq(tenantId, userId));
    return andThen(ports.tenant(tenantId), (tenant) =>
      andThen(ports.user(tenantId, userId), (user) =>
        andThen(ports.rights(tenantId, { type: 'user', id: userId }), ({ constraints, limitsToCome }) => ({
          restrictions:
            restrictionsOf(tenant?.constraints ?? null, constraints, user?.constraints ?? null) ??
            // What a tenant says of its sessions is judged by the hub alone, and what begins later nobody tells who has the token by then:
            // such tokens tell verifiers to ask.
            (tenant?.policy || limitsToCome ? NO_RESTRICTIONS : null),
          asOf,
          idle: tenant?.policy?.idle ?? 0,
          life: tenant?.policy?.life ?? 0,
          accessLife: tenant?.policy?.accessLife ?? 0,
        })),
      ),
    );
  };
