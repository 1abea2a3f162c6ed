// The newest revocations in the order they were heard: one ring for all who watch, each with a position of its own.
import type { TenantId } from '../../base/caller.ts';
import type { Instant } from '../../base/time.ts';
import type { AppliedChange, ChangeKind } from '../../storage/storage.ts';

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

/**
 * Kept in columns: at a start a million revocations pass through here, and objects that stay for a while grow old and are collected late.
 * @param encode called once a revocation, when somebody first wants it.
 */
export const createRevocationLog = (capacity: number, encode: (change: AppliedChange) => Uint8Array): RevocationLog => {
  const seqs: number[] = [];
  const kinds: ChangeKind[] = [];
  const tenantIds: TenantId[] = [];
  const keys: string[] = [];
  const untils: (Instant | null)[] = [];
  const details: string[] = [];
  const encoded: (Uint8Array | null)[] = [];
  const columns: readonly unknown[][] = [seqs, kinds, tenantIds, keys, untils, details, encoded];
  let end = 0;
  let start = 0;
  let floor = 0;
  /** The position that stood first when the columns were empty. */
  let first = 0;

  const slotOf = (position: number): number => (position - first) % capacity;
  const changeAt = (slot: number): AppliedChange => ({
    seq: seqs[slot] as number,
    kind: kinds[slot] as ChangeKind,
    tenantId: tenantIds[slot] as TenantId,
    key: keys[slot] as string,
    until: untils[slot] ?? null,
    detail: details[slot] as string,
  });

  return {
    add(change) {
      const slot = slotOf(end);
      const leaving = seqs[slot];
      if (leaving !== undefined) {
        // They come nearly in order: the highest that left is what a resumption must lie above.
        if (leaving > floor) floor = leaving;
        start = end - capacity + 1;
      }
      seqs[slot] = change.seq;
      kinds[slot] = change.kind;
      tenantIds[slot] = change.tenantId;
      keys[slot] = change.key;
      untils[slot] = change.until;
      details[slot] = change.detail;
      encoded[slot] = null;
      end++;
    },
    clear() {
      for (const column of columns) column.length = 0;
      start = end;
      first = end;
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
        const slot = slotOf(next);
        const tenantId = tenantIds[slot] as TenantId;
        if ((seqs[slot] as number) <= above) continue;
        if (tenantId === INSTALLATION || tenants.has(tenantId)) parts.push((encoded[slot] ??= encode(changeAt(slot))));
      }
      return { parts, next, complete: next === end };
    },
  };
};
