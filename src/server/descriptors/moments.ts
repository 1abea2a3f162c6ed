// What a google.protobuf.Timestamp and Duration may hold (timestamp.proto, duration.proto): what is none could not be answered as JSON. Pure.

interface Parts {
  readonly seconds: number;
  readonly nanos: number;
}

const NANOS = 999_999_999;

/** From the year 1 to the end of 9999; nanos count up, before 1970 too. */
export const isTimestamp = ({ seconds, nanos }: Parts): boolean =>
  seconds >= -62_135_596_800 && seconds <= 253_402_300_799 && nanos >= 0 && nanos <= NANOS;

/** Ten thousand years at most, both parts with one sign. */
export const isDuration = ({ seconds, nanos }: Parts): boolean =>
  Math.abs(seconds) <= 315_576_000_000 && Math.abs(nanos) <= NANOS && Math.sign(seconds) * Math.sign(nanos) !== -1;
