// The newest revocations in the order they were heard: one ring for all who watch, each with a position of its own.
import type { TenantId } from '../base/caller.ts';
import type { AppliedChange } from '../storage/storage.ts';

/** Under no tenant: everybody hears of it. */
export const INSTALLATION: TenantId = '';

export type Tenants = ReadonlySet<TenantId>;

export interface Batch {
  /** Encoded revocations; shared, not copied. */
  readonly parts: readonly Uint8Array[];
  /** Where to read on. */
  readonly next: number;
  /** Nothing was left behind. */
  readonly complete: boolean;
}

export interface RevocationLog {
  add(change: AppliedChange): void;
  clear(): void;
  /** Every revocation heard with a higher number is still here. */
  readonly floor: number;
  /** The position behind the newest, and that of the oldest that is still here. */
  readonly end: number;
  readonly start: number;
  /** What lies between `position` and the end, of these tenants and with a higher number than `above`; null when some of it has left the ring. */
  read(position: number, tenants: Tenants, above: number, most: number): Batch | null;
}

/** @param encode called once a revocation, when somebody first wants it. */
export const createRevocationLog = (capacity: number, encode: (change: AppliedChange) => Uint8Array): RevocationLog => {
  const changes: (AppliedChange | undefined)[] = Array.from({ length: capacity });
  const encoded: (Uint8Array | undefined)[] = Array.from({ length: capacity });
  let end = 0;
  let start = 0;
  let floor = 0;

  const partAt = (slot: number, change: AppliedChange): Uint8Array => (encoded[slot] ??= encode(change));

  return {
    add(change) {
      const slot = end % capacity;
      const leaving = changes[slot];
      if (leaving !== undefined) {
        // They come nearly in order: the highest that left is what a resumption must lie above.
        if (leaving.seq > floor) floor = leaving.seq;
        start = end - capacity + 1;
      }
      changes[slot] = change;
      encoded[slot] = undefined;
      end++;
    },
    clear() {
      changes.fill(undefined);
      encoded.fill(undefined);
      start = end;
      floor = 0;
    },
    get floor() {
      return floor;
    },
    get end() {
      return end;
    },
    get start() {
      return start;
    },
    read(position, tenants, above, most) {
      if (position < start) return null;
      const parts: Uint8Array[] = [];
      let next = position;
      for (; next < end && parts.length < most; next++) {
        const slot = next % capacity;
        const change = changes[slot];
        if (change === undefined || change.seq <= above) continue;
        if (change.tenantId === INSTALLATION || tenants.has(change.tenantId)) parts.push(partAt(slot, change));
      }
      return { parts, next, complete: next === end };
    },
  };
};
