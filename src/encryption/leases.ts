// Counts uses of AES-256-GCM keys with random 96-bit nonces: a replica takes them in blocks, and no version gives out more than it may.
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise } from '../base/call.ts';
import type { EncryptionDeps } from './encryption.ts';
import type { EncryptionKey } from './key.ts';
import { rotateWorn } from './rotate-key.ts';

/** NIST SP 800-38D §8.3 allows 2^32 random nonces a key; half of it keeps the chance of a repeated nonce below 2^-34. */
const USE_LIMIT = 2 ** 31;
const USE_BLOCK = 2 ** 16;

export interface Leases {
  /** True: one use is yours. False: this version is worn, and a new one seals now. */
  take(key: EncryptionKey): MaybePromise<boolean>;
}

interface Stock {
  left: number;
  pending: Promise<boolean> | null;
}

export const createLeases = (deps: EncryptionDeps, limit = USE_LIMIT, block = USE_BLOCK): Leases => {
  const stocks = boundedMap<string, Stock>(10_000);

  const refill = async (key: EncryptionKey, stock: Stock): Promise<boolean> => {
    try {
      if (await deps.store.leaseUses(key.tenantId, key.id, key.primaryVersion, block, limit)) {
        stock.left += block;
        return true;
      }
      await rotateWorn(deps, key);
      return false;
    } finally {
      stock.pending = null;
    }
  };

  const take = (key: EncryptionKey): MaybePromise<boolean> => {
    const id = `${key.tenantId}\0${key.id}\0${key.primaryVersion}`;
    const stock = stocks.get(id, 0) ?? { left: 0, pending: null };
    if (stock.left > 0) {
      stock.left -= 1;
      return true;
    }
    stocks.set(id, stock, Infinity);
    stock.pending ??= refill(key, stock);
    return stock.pending.then((more) => more && take(key));
  };
  return { take };
};
