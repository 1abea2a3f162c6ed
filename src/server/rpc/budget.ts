// What one caller may cost: a rate with a burst each (GCRA), remembered for a bounded number of callers. Pure.
import { boundedMap } from '../../base/bounded.ts';
import type { Instant, Millis } from '../../base/time.ts';

export interface Rate {
  /** Of units; 0 = without limit. */
  readonly perSecond: number;
  /** Units that may come at once after a silence. */
  readonly burst: number;
}

export interface Budget {
  /** Takes one unit: 0, or in how many milliseconds there will be one. `now` on the monotonic clock. */
  take(name: string, now: Instant): Millis;
  readonly size: number;
}

const UNLIMITED: Budget = { take: () => 0, size: 0 };

/**
 * Generic cell rate algorithm (ITU-T I.371 Annex A): one number a caller, the instant at which its budget is full again.
 * Whoever is forgotten because too many came since starts with a full budget, so the number of names is chosen larger than anybody can afford to make up.
 */
export const createBudget = ({ perSecond, burst }: Rate, names: number): Budget => {
  if (perSecond === 0) return UNLIMITED;
  const interval = 1000 / perSecond;
  const most = interval * Math.max(1, burst);
  const full = boundedMap<string, Instant>(names);
  return {
    take(name, now) {
      const next = Math.max(now, full.get(name, now) ?? now) + interval;
      const over = next - now - most;
      // A sum of fractions may miss a whole number by a hair.
      if (over > 1e-6) return Math.max(1, Math.ceil(over));
      full.set(name, next, next);
      return 0;
    },
    get size() {
      return full.size;
    },
  };
};
