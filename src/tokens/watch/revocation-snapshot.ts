// All live revocations, encoded once for all who begin to watch: made in slices, kept while the log still continues it.
import type { TenantId } from '../../base/caller.ts';
import type { Instant, Millis } from '../../base/time.ts';
import { nextTurn } from '../../base/turn.ts';
import type { LiveMark } from '../mirror.ts';

/** Live revocations of one kind and detail in one tenant, in columns. */
export interface Block {
  readonly tenantId: TenantId;
  readonly kind: string;
  readonly detail: string;
  readonly keys: string[];
  readonly seqs: number[];
  readonly untils: Instant[];
}

/** A mark of any kind that is told, signing keys included. */
export type SnapshotMark = Omit<LiveMark, 'kind'> & { readonly kind: string };

export interface Snapshot {
  /** Every revocation up to this number is in it. */
  readonly seq: number;
  readonly generation: number;
  /** Encoded blocks of a tenant from the one numbered `at` on, about `most` bytes; null when the snapshot was let go. */
  read(tenantId: TenantId, at: number, most: number): readonly Uint8Array[] | null;
}

export interface SnapshotDeps {
  readonly cursor: () => number;
  readonly generation: () => number;
  readonly marks: (upTo: number) => Iterable<SnapshotMark>;
  readonly encode: (block: Block) => Uint8Array;
  /** Grows when everything is loaded anew: what was begun before is worth nothing. */
  readonly epoch: () => number;
  /** Numbers above this are still in the log. */
  readonly floor: () => number;
  readonly monotonic: () => Millis;
}

export interface Snapshots {
  /** The shared one, or a new one; null when everything was loaded anew meanwhile. */
  take(): Promise<Snapshot | null>;
  /** Lets go of the one that is kept, once nobody has read it for a while: readers who stall must not keep many of them alive. */
  tidy(): void;
  /** Bytes of the one that is kept. */
  readonly bytes: number;
}

const BLOCK = 400;
/** About a millisecond. */
const SLICE = 2000;
const KEEP: Millis = 30_000;
/** An older one would make everybody hear what the log has since. */
const OLDEST: Millis = 120_000;

interface Kept {
  readonly snapshot: Snapshot;
  readonly epoch: number;
  readonly made: Millis;
  readonly bytes: number;
  release(): void;
}

export const createSnapshots = (deps: SnapshotDeps): Snapshots => {
  let kept: Kept | null = null;
  let used: Millis = 0;
  let making: Promise<Snapshot | null> | null = null;

  const make = async (): Promise<Snapshot | null> => {
    const epoch = deps.epoch();
    const made = deps.monotonic();
    const seq = deps.cursor();
    const generation = deps.generation();
    const blocks = new Map<TenantId, Uint8Array[]>();
    const open = new Map<string, Block>();
    let bytes = 0;
    let released = false;

    const close = (block: Block): void => {
      const encoded = deps.encode(block);
      bytes += encoded.length;
      const list = blocks.get(block.tenantId);
      if (list === undefined) blocks.set(block.tenantId, [encoded]);
      else list.push(encoded);
    };

    let count = 0;
    for (const { tenantId, kind, detail, key, seq: number, until } of deps.marks(seq)) {
      const name = `${tenantId} ${kind} ${detail}`;
      let block = open.get(name);
      if (block === undefined) open.set(name, (block = { tenantId, kind, detail, keys: [], seqs: [], untils: [] }));
      block.keys.push(key);
      block.seqs.push(number);
      block.untils.push(until);
      if (block.keys.length === BLOCK) {
        close(block);
        open.delete(name);
      }
      if (++count % SLICE === 0) await nextTurn();
      if (deps.epoch() !== epoch) return null;
    }
    for (const block of open.values()) {
      close(block);
      if (++count % SLICE === 0) await nextTurn();
    }
    if (deps.epoch() !== epoch) return null;
    const snapshot: Snapshot = {
      seq,
      generation,
      read(tenantId, at, most) {
        if (released) return null;
        used = deps.monotonic();
        const list = blocks.get(tenantId) ?? [];
        let end = at;
        for (let size = 0; end < list.length && size < most; end++) size += list[end]?.length ?? 0;
        return list.slice(at, end);
      },
    };
    const release = (): void => {
      released = true;
      blocks.clear();
    };
    kept = { snapshot, epoch, made, bytes, release };
    return snapshot;
  };

  const letGo = (): void => {
    kept?.release();
    kept = null;
  };

  const usable = (): Snapshot | null =>
    kept !== null && kept.epoch === deps.epoch() && kept.snapshot.seq >= deps.floor() && deps.monotonic() - kept.made < OLDEST
      ? kept.snapshot
      : null;

  return {
    async take() {
      used = deps.monotonic();
      const ready = usable();
      if (ready !== null) return ready;
      letGo();
      making ??= make().finally(() => {
        making = null;
      });
      return making;
    },
    tidy() {
      if (kept !== null && (usable() === null || deps.monotonic() - used > KEEP)) letGo();
    },
    get bytes() {
      return kept?.bytes ?? 0;
    },
  };
};
