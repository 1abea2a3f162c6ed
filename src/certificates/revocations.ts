// Revoked certificates, every live one in memory, so that asking costs nothing. Not a cache: nothing leaves before its certificate ends.
import type { Instant } from '../base/time.ts';

export interface Revocations {
  apply(serialNumber: string, until: Instant | null): void;
  has(serialNumber: string): boolean;
  /** Forgets what has ended, looking at no more than `limit` a call. */
  sweep(now: Instant, limit: number): void;
  readonly size: number;
  /** At its cap it can promise nothing any more. */
  readonly full: boolean;
}

export const createRevocations = (capacity: number): Revocations => {
  const ends = new Map<string, Instant>();
  let walk = ends.entries();
  return {
    apply(serialNumber, until) {
      if (until !== null) ends.set(serialNumber, Math.max(until, ends.get(serialNumber) ?? 0));
    },
    has: (serialNumber) => ends.has(serialNumber),
    sweep(now, limit) {
      for (let looked = 0; looked < limit; looked += 1) {
        const next = walk.next();
        if (next.done === true) {
          walk = ends.entries();
          return;
        }
        const [serialNumber, until] = next.value;
        if (until <= now) ends.delete(serialNumber);
      }
    },
    get size() {
      return ends.size;
    },
    get full() {
      return ends.size >= capacity;
    },
  };
};
