// A map that cannot grow without end: what was not used lately leaves first, nothing outlives its time.
import type { Instant } from './time.ts';

/** What stands in such a map, and when it ends. */
export interface Bounded {
  readonly until: Instant;
  /** Read since it was put in, or since it was last spared. */
  used: boolean;
}

export interface BoundedEntries<K, E extends Bounded> {
  /** The entry, unless it is absent or `now` has reached its end. */
  get(key: K, now: Instant): E | undefined;
  set(key: K, entry: E): void;
  delete(key: K): void;
  clear(): void;
  readonly size: number;
}

export interface BoundedMap<K, V> extends Pick<BoundedEntries<K, Bounded>, 'delete' | 'clear' | 'size'> {
  /** The value, unless it is absent or `now` has reached its end. */
  get(key: K, now: Instant): V | undefined;
  set(key: K, value: V, until: Instant): void;
}

/** Entries that leave at once: a Map's oldest key is found by walking over all that were deleted before it. */
const MOST_LEAVING = 1024;
/** How many of those that were used are spared for one that leaves. */
const SPARED = 4;

/** For whoever keeps very many: the values are the entries. */
export const boundedEntries = <K, E extends Bounded>(capacity: number): BoundedEntries<K, E> => {
  const entries = new Map<K, E>();
  const batch = Math.min(MOST_LEAVING, Math.max(1, capacity >> 6));

  // Second chance: a read marks its entry, which costs one store; moving it to the end at every read costs more than all else of a warm verdict.
  const makeRoom = (): void => {
    let left = 0;
    let spared = 0;
    for (const [key, entry] of entries) {
      entries.delete(key);
      if (entry.used && spared < batch * SPARED) {
        entry.used = false;
        entries.set(key, entry);
        spared += 1;
      } else if (++left === batch) return;
    }
  };

  return {
    get(key, now) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.until <= now) {
        entries.delete(key);
        return undefined;
      }
      if (!entry.used) entry.used = true;
      return entry;
    },
    set(key, entry) {
      entries.delete(key);
      if (entries.size >= capacity) makeRoom();
      entries.set(key, entry);
    },
    delete: (key) => void entries.delete(key),
    clear: () => entries.clear(),
    get size() {
      return entries.size;
    },
  };
};

interface Entry<V> extends Bounded {
  readonly value: V;
}

export const boundedMap = <K, V>(capacity: number): BoundedMap<K, V> => {
  const entries = boundedEntries<K, Entry<V>>(capacity);
  return {
    get: (key, now) => entries.get(key, now)?.value,
    set: (key, value, until) => entries.set(key, { value, until, used: false }),
    delete: entries.delete,
    clear: entries.clear,
    get size() {
      return entries.size;
    },
  };
};
