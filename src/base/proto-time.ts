// Instants and lengths as google.protobuf.Timestamp and Duration, and back. By shape: base knows no generated code.
import type { Instant, Millis } from './time.ts';

interface Parts {
  seconds: number;
  nanos: number;
}

/** To the millisecond; a part of one is left out. Before 1970 nanos count up from the second before (timestamp.proto). */
export const timestampOf = (at: Instant): Parts => {
  const whole = Math.floor(at / 1000);
  return { seconds: whole, nanos: Math.floor(at - whole * 1000) * 1_000_000 };
};

export const optionalTimestamp = (at: Instant | null): Parts | undefined => (at === null ? undefined : timestampOf(at));

/** Of a length that is not negative. */
export const durationOf: (length: Millis) => Parts = timestampOf;

/** With the part of a millisecond, if there is one and the number can hold it: never rounded up. 0 where nothing is said. */
export const millisOf = (parts: Readonly<Parts> | undefined): Millis => {
  if (parts === undefined) return 0;
  const whole = parts.seconds * 1000 + Math.floor(parts.nanos / 1_000_000);
  const exact = parts.seconds * 1000 + parts.nanos / 1_000_000;
  return exact < whole + 1 ? exact : whole;
};

/** A bound that somebody set; none where nothing is said. */
export const boundOf = (parts: Readonly<Parts> | undefined): Millis => (parts === undefined ? Number.POSITIVE_INFINITY : millisOf(parts));
