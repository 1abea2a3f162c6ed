// How a subject stands, put together from what identity and api-keys know.
import type { Limits, Subject } from '../../authorization/authorization.ts';
import type { MaybePromise } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import { andThen } from '../../base/maybe.ts';
import type { Limited } from '../guards.ts';
import type { Standing } from './principal.ts';

export interface StandingPorts {
  readonly user: (tenantId: TenantId, userId: string) => MaybePromise<({ readonly status: string } & Limited) | null>;
  readonly workload: (
    namespace: string,
    name: string,
  ) => MaybePromise<{ readonly tenantId: TenantId; readonly permissions: readonly string[] } | null>;
  /** Is it the id of a subject of an issuer that the tenant trusts? */
  readonly foreign: (tenantId: TenantId, id: string) => MaybePromise<boolean>;
  /** A key that may still be used; null for one that is unknown, revoked or past its end. */
  readonly apiKey: (
    tenantId: TenantId,
    keyId: string,
  ) => MaybePromise<{ readonly ownerId: string; readonly permissions: readonly string[]; readonly scopes: readonly string[] } | null>;
}

/** Nothing is written here about somebody else's users; their tenant's limits count. */
const UNWRITTEN: Limited = {};

const UNLIMITED: Limits = { also: [], cap: null, scopes: [] };

export const createStanding = (ports: StandingPorts) => {
  const user = (tenantId: TenantId, id: string): MaybePromise<Standing | null> =>
    andThen(ports.user(tenantId, id), (found) =>
      // A deleted user's row stays for its history; nobody is to tell it from one that never was.
      found === null || found.status === 'deleted'
        ? null
        : { active: found.status === 'active', holder: { type: 'user', id }, limits: UNLIMITED, account: found },
    );

  const service = (tenantId: TenantId, id: string): MaybePromise<Standing | null> => {
    const at = id.indexOf('/');
    if (at <= 0) return null;
    return andThen(ports.workload(id.slice(0, at), id.slice(at + 1)), (entry) =>
      entry === null || entry.tenantId !== tenantId
        ? null
        : { active: true, holder: { type: 'service', id }, limits: { also: entry.permissions, cap: null, scopes: [] }, account: null },
    );
  };

  const apiKey = (tenantId: TenantId, id: string): MaybePromise<Standing | null> =>
    andThen(ports.apiKey(tenantId, id), (key) => {
      if (key === null) return null;
      return andThen(user(tenantId, key.ownerId), (owner) =>
        owner === null ? null : { ...owner, limits: { also: [], cap: key.permissions, scopes: [key.scopes] }, account: null },
      );
    });

  const foreign = (tenantId: TenantId, { type, id }: Subject): MaybePromise<Standing | null> =>
    andThen(ports.foreign(tenantId, id), (trusted) =>
      trusted ? { active: true, holder: { type, id }, limits: UNLIMITED, account: type === 'user' ? UNWRITTEN : null } : null,
    );

  /** null = no such subject in that tenant. */
  return (tenantId: TenantId, subject: Subject): MaybePromise<Standing | null> => {
    // Only ids of foreign subjects hold a colon.
    if (subject.id.includes(':') && (subject.type === 'user' || subject.type === 'service')) return foreign(tenantId, subject);
    switch (subject.type) {
      case 'user':
        return user(tenantId, subject.id);
      case 'service':
        return service(tenantId, subject.id);
      case 'api_key':
        return apiKey(tenantId, subject.id);
      default:
        return null;
    }
  };
};

export type StandingOf = ReturnType<typeof createStanding>;
