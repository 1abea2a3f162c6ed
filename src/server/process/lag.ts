// How far behind the event loop is, and which calls are refused because of it: the least urgent first, health and revoke never.
import type { Clock, Millis } from '../../base/time.ts';
import type { LimitClass } from '../rpc/define.ts';

/**
 * Multiples of the threshold at which a class is refused, the least urgent first: streams, issuing, batches,
 * encryption (with it logins and management), checks, verdicts. What is missing is never refused.
 */
const SHED_AT: Readonly<Partial<Record<LimitClass, number>>> = {
  stream: 1,
  issue: 1.5,
  batch: 2,
  crypto: 3,
  login: 3,
  manage: 3,
  check: 5,
  verdict: 8,
};

/** Whether calls of a class are refused at this lag. `threshold` 0 refuses nothing. */
export const sheds = (limit: LimitClass, lag: Millis, threshold: Millis): boolean => {
  const at = SHED_AT[limit];
  return threshold > 0 && at !== undefined && lag >= threshold * at;
};

const EVERY: Millis = 20;
/** One long pause (a collection, a burst) is not overload: about a quarter of a second of lateness must follow. */
const WEIGHT = 0.15;

/** The running mean of how late the timer came. */
export const smoothed = (before: Millis, late: Millis): Millis => before + WEIGHT * (Math.max(0, late) - before);

export interface LagMeter {
  /** Milliseconds, smoothed over about the last quarter of a second. */
  readonly lag: Millis;
  shed(limit: LimitClass): boolean;
  stop(): void;
}

export const createLagMeter = (clock: Pick<Clock, 'monotonic'>, threshold: Millis): LagMeter => {
  let lag: Millis = 0;
  let expected = clock.monotonic() + EVERY;
  const timer = setInterval(() => {
    const now = clock.monotonic();
    lag = smoothed(lag, now - expected);
    expected = now + EVERY;
  }, EVERY);
  timer.unref();
  return {
    get lag() {
      return lag;
    },
    shed: (limit) => sheds(limit, lag, threshold),
    stop: () => clearInterval(timer),
  };
};
