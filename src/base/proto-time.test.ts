import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { durationOf, millisOf, optionalTimestamp, timestampOf } from './proto-time.ts';

describe('a time in protobuf', () => {
  it('comes back as it went, to the millisecond, before 1970 too', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (at) => {
        const { seconds, nanos } = timestampOf(at);
        expect(millisOf({ seconds, nanos })).toBe(at);
        expect(nanos).toBeGreaterThanOrEqual(0);
        expect(nanos).toBeLessThan(1_000_000_000);
      }),
    );
  });

  it('has whole nanoseconds whatever it is made of', () => {
    expect(timestampOf(1763719484123.456)).toEqual({ seconds: 1763719484, nanos: 123_000_000 });
    expect(durationOf(0.25)).toEqual({ seconds: 0, nanos: 0 });
  });

  it('is nothing where nothing is said', () => {
    expect([optionalTimestamp(null), millisOf(undefined)]).toEqual([undefined, 0]);
  });

  it('is never rounded up: the last nanosecond of 9999 does not come back as a year that Timestamp does not have', () => {
    const last = { seconds: 253_402_300_799, nanos: 999_999_999 };
    expect(timestampOf(millisOf(last))).toEqual({ seconds: 253_402_300_799, nanos: 999_000_000 });
  });

  it('keeps the part of a millisecond that somebody asked for', () => {
    expect(millisOf({ seconds: 0, nanos: 500_000 })).toBe(0.5);
  });
});
