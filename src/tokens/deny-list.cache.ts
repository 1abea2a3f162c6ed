// The deny list in the shared cache (`deny:<id>`, `family:<id>`, by tenant): best effort, never waited for when written.
import type { TenantId } from '../base/caller.ts';
import type { Millis } from '../base/time.ts';
import type { Cache } from '../storage/storage.ts';
import type { DenyList } from './deny-list.ts';

export interface DenyListOptions {
  readonly cache: Cache;
  /** Longest life of a family and of an access token. */
  readonly familyLife: Millis;
  readonly tokenLife: Millis;
}

const key = (noun: 'deny' | 'family', tenantId: TenantId, id: string): string => `${noun}:${tenantId}:${id}`;

export const createDenyList = ({ cache, familyLife, tokenLife }: DenyListOptions): DenyList => {
  const remember = (name: string, reason: string, life: Millis): void => {
    // The truth is committed already; a cache that is away only costs the next asker a query.
    if (cache.healthy()) void cache.set(name, reason, life).catch(() => {});
  };
  return {
    deadFamily: async (tenantId, familyId) => (cache.healthy() ? cache.get(key('family', tenantId, familyId)).catch(() => null) : null),
    endFamily: (tenantId, familyId, reason) => remember(key('family', tenantId, familyId), reason, familyLife),
    denyToken: (tenantId, tokenId, reason) => remember(key('deny', tenantId, tokenId), reason, tokenLife),
  };
};
