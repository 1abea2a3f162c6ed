// A map that cannot grow without end: least recently used leaves first, nothing outlives its time.
import type { Instant } from './time.ts';

interface Entry<V> {
  readonly value: V;
  readonly until: Instant;
}

export interface BoundedMap<K, V> {
  /** The value, unless it is absent or `now` has reached its end. */
  get(key: K, now: Instant): V | undefined;
  set(key: K, value: V, until: Instant): void;
  delete(key: K): void;
  clear(): void;
  readonly size: number;
}

export const boundedMap = <K, V>(capacity: number): BoundedMap<K, V> => {
  const entries = new Map<K, Entry<V>>();
  return {
    get(key, now) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.until <= now) {
        entries.delete(key);
        return undefined;
      }
      // Re-inserting on every hit would cost a delete and a set on the hot path; it only matters near the brim.
      if (entries.size * 2 > capacity) {
        entries.delete(key);
        entries.set(key, entry);
      }
      return entry.value;
    },
    set(key, value, until) {
      entries.delete(key);
      if (entries.size >= capacity) {
        const oldest = entries.keys().next();
        if (!oldest.done) entries.delete(oldest.value);
      }
      entries.set(key, { value, until });
    },
    delete: (key) => void entries.delete(key),
    clear: () => entries.clear(),
    get size() {
      return entries.size;
    },
  };
};
