// How old a replica's knowledge is, and whether it may still answer.
import { Fault, unavailable } from '../base/fault.ts';
import { type Clock, type Instant, type Millis, seconds } from '../base/time.ts';
import type { FeedState } from './storage.ts';

export interface Moment {
  readonly wall: Instant;
  readonly monotonic: Millis;
}

export interface Freshness {
  now(): Moment;
  /** What was asked at this moment has been answered completely. */
  asOf(moment: Moment): void;
  /** No answers until `clear`; says whether the reason is new. */
  block(reason: string): boolean;
  clear(): void;
  blocked(): string | null;
  age(): Millis;
  state(): FeedState;
  /** UNAVAILABLE / FEED_STALE when blocked, beyond the ceiling, or older than `maxStaleness`. */
  assert(maxStaleness?: Millis): void;
}

const DEGRADED: Millis = seconds(10);

/** Age is the larger of both clocks': one may have jumped, the other stands still while a machine sleeps. */
export const createFreshness = (clock: Clock, ceiling: Millis, reason: string): Freshness => {
  let last: Moment = { wall: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY };
  let blocked: string | null = reason;
  const age = (): Millis => Math.max(0, clock.now() - last.wall, clock.monotonic() - last.monotonic);
  return {
    now: () => ({ wall: clock.now(), monotonic: clock.monotonic() }),
    asOf(moment) {
      last = moment;
    },
    block(why) {
      const changed = blocked !== why;
      blocked = why;
      return changed;
    },
    clear() {
      blocked = null;
    },
    blocked: () => blocked,
    age,
    state() {
      if (blocked !== null) return { kind: 'not_ready', reason: blocked };
      const old = age();
      return { kind: old >= ceiling ? 'stale' : old >= DEGRADED ? 'degraded' : 'fresh', age: old };
    },
    assert(maxStaleness = Number.POSITIVE_INFINITY) {
      if (blocked !== null) throw unavailable('FEED_STALE', blocked);
      const old = age();
      if (old < ceiling && old <= maxStaleness) return;
      throw new Fault('UNAVAILABLE', 'FEED_STALE', 'what this replica knows is too old to answer', {
        retryAfter: 1000,
        meta: { staleness_ms: String(Math.round(old)) },
      });
    },
  };
};
