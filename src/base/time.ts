// Units of time. An Instant is milliseconds since the epoch; a Millis is a length.

export type Instant = number;
export type Millis = number;
export type Seconds = number;

/** Where time comes from. `monotonic` never goes back and is not comparable with `now`. */
export interface Clock {
  now(): Instant;
  monotonic(): Millis;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export const seconds = (n: number): Millis => n * 1000;
export const minutes = (n: number): Millis => n * 60_000;
export const hours = (n: number): Millis => n * 3_600_000;
export const days = (n: number): Millis => n * 86_400_000;

/** Two clocks of one company may differ by this much; the only tolerance anywhere (RFC 7519 §4.1.4 "leeway"). */
export const CLOCK_SKEW: Millis = seconds(5);
