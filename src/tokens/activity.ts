// When sessions were last seen: merged in memory, written once a minute. Losing a minute of it loses nothing that decides.
import type { TenantId } from '../base/caller.ts';
import { type Instant, type Millis, minutes } from '../base/time.ts';

/** A session is noted at most this often. */
export const ACTIVITY_STEP: Millis = minutes(1);

export interface Seen {
  readonly tenantId: TenantId;
  readonly sessionId: string;
  readonly at: Instant;
}

export interface Activity {
  /** Costs a look-up and a store; whoever calls it on the hot path calls it once a step. */
  note(seen: Seen): void;
  /** What was noted since the last time, each session once with its latest moment. */
  take(): readonly Seen[];
}

/** @param capacity sessions kept between two writes; what is beyond is noted a minute later. */
export const createActivity = (capacity: number): Activity => {
  let noted = new Map<string, Seen>();
  return {
    note(seen) {
      const key = `${seen.tenantId}/${seen.sessionId}`;
      const before = noted.get(key);
      if (before === undefined ? noted.size < capacity : before.at < seen.at) noted.set(key, seen);
    },
    take() {
      const taken = [...noted.values()];
      noted = new Map();
      return taken;
    },
  };
};
