// When keys were last used: remembered in passing, written once a minute.
import type { TenantId } from '../base/caller.ts';
import { type Instant, minutes } from '../base/time.ts';
import type { ApiKey } from './api-key.ts';

export type KeyUses = readonly (readonly [keyId: string, at: Instant])[];

export interface Uses {
  note(key: Pick<ApiKey, 'tenantId' | 'keyId'>, now: Instant): void;
  /** Writes what was noted; what cannot be written is noted again for the next turn. */
  flush(): Promise<void>;
}

/** Beyond it further keys of that minute go unnoted: the time is coarse anyway, memory is not endless. */
const CAPACITY = 50_000;

export const createUses = (write: (tenantId: TenantId, uses: KeyUses) => Promise<void>): Uses => {
  let noted = new Map<string, { readonly tenantId: TenantId; at: Instant }>();

  const note = (tenantId: TenantId, keyId: string, now: Instant): void => {
    const known = noted.get(keyId);
    if (known === undefined) {
      if (noted.size < CAPACITY) noted.set(keyId, { tenantId, at: now });
    } else if (known.at < now) known.at = now;
  };

  return {
    note: (key, now) => note(key.tenantId, key.keyId, now),
    async flush() {
      const taken = noted;
      noted = new Map();
      const byTenant = Map.groupBy(taken, ([, use]) => use.tenantId);
      for (const [tenantId, uses] of byTenant) {
        try {
          await write(
            tenantId,
            uses.map(([keyId, { at }]) => [keyId, at]),
          );
        } catch (error) {
          for (const [keyId, use] of taken) note(use.tenantId, keyId, use.at);
          throw error;
        }
      }
    },
  };
};

export const FLUSH_EVERY = minutes(1);
