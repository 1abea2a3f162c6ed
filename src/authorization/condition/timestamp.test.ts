import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { calendar, parseDuration, parseTimestamp, printDuration, printTimestamp, timestampOfMillis } from './timestamp.ts';

describe('a time', () => {
  it('is read as Date reads it, on every day of the calendar', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
        (date) => {
          expect(parseTimestamp(date.toISOString())).toEqual(timestampOfMillis(date.getTime()));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['2026-01-31T08:00:00Z', '2026-01-31T08:00:00Z'],
    ['2026-01-31t08:00:00.5z', '2026-01-31T08:00:00.500Z'],
    ['2026-01-31T08:00:00.000000001+05:30', '2026-01-31T02:30:00.000000001Z'],
    ['2024-02-29T23:59:59-08:00', '2024-03-01T07:59:59Z'],
  ])('%s is %s', (text, printed) => {
    const time = parseTimestamp(text);
    expect(time && printTimestamp(time)).toBe(printed);
  });

  it.each([
    '',
    '2026-01-31',
    '2026-01-31 08:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00.1234567890Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+0100',
    '2026-01-01T00:00:00Zx',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '２026-01-01T00:00:00Z',
  ])('is not %j', (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });

  it.each([
    ['getHours', 'Europe/Berlin', 13],
    ['getHours', '-08:00', 4],
    ['getMinutes', 'Asia/Kathmandu', 45],
    ['getDayOfWeek', 'UTC', 6],
    ['getDayOfYear', 'UTC', 31 + 13],
    ['getDayOfMonth', 'UTC', 13],
    ['getDate', 'Pacific/Kiritimati', 15],
  ] as const)('%s in %s', (field, zone, expected) => {
    expect(calendar(field, timestampOfMillis(Date.parse('2026-02-14T12:00:00Z')), zone)).toBe(expected);
  });

  it('has no calendar where nobody knows the zone', () => {
    expect(calendar('getHours', timestampOfMillis(0), 'Mars/Olympus')).toBeNull();
  });

  it('follows the change to summer time within a zone that was asked before', () => {
    const hours = ['00:59:59', '01:00:00'].map((time) =>
      calendar('getHours', timestampOfMillis(Date.parse(`2026-03-29T${time}Z`)), 'Europe/Berlin'),
    );
    expect(hours).toEqual([1, 3]);
  });
});

describe('a duration', () => {
  it.each([
    ['1h30m', '5400s'],
    ['-1.5s', '-1.500s'],
    ['300ms', '0.300s'],
    ['1us', '0.000001s'],
    ['0', '0s'],
    ['315576000000s', '315576000000s'],
  ])('%s is %s', (text, printed) => {
    const duration = parseDuration(text);
    expect(duration && printDuration(duration)).toBe(printed);
  });

  it.each(['', '1', '1 h', 'h', '1.h.', '--1s', '1d', '315576000001s', '1e3s'])('is not %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });
});
