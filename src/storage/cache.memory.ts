// The cache's twin inside one process.
import { boundedMap } from '../base/bounded.ts';
import { CLOCK_SKEW, type Clock } from '../base/time.ts';
import type { Cache } from './storage.ts';

export const createMemoryCache = (clock: Clock, capacity = 200_000): Cache => {
  const values = boundedMap<string, string>(capacity);
  // It serves one process on one machine (never production): what comes before it is taken as never seen.
  const began = clock.now() - 2 * CLOCK_SKEW;
  return {
    get: async (key) => values.get(key, clock.now()) ?? null,
    set: async (key, value, ttl) => values.set(key, value, clock.now() + Math.max(1, ttl)),
    remember: async (key, ttl, since) => {
      if (since < began) return 'forgotten';
      if (values.get(key, clock.now()) !== undefined) return 'again';
      values.set(key, '', clock.now() + Math.max(1, ttl));
      return 'first';
    },
    delete: async (key) => values.delete(key),
    healthy: () => true,
  };
};
