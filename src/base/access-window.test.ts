/// <reference lib="esnext.temporal" />
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AccessWindow, DAYS, newWindows, windowState } from './access-window.ts';
import { Fault } from './fault.ts';

interface Case {
  readonly name: string;
  readonly windows: readonly Partial<AccessWindow>[];
  readonly at: string;
  readonly open: boolean;
  readonly until?: string;
}

const { cases, refused } = JSON.parse(readFileSync(join(import.meta.dirname, '../../test/cases/tokens/access-windows.json'), 'utf8')) as {
  readonly cases: readonly Case[];
  readonly refused: readonly { readonly name: string; readonly window: Partial<AccessWindow>; readonly field: string }[];
};

const whole = (window: Partial<AccessWindow>): AccessWindow => ({ days: [], start: '09:00', end: '17:00', timeZone: '', ...window });

describe('an access window', () => {
  it.each(cases)('$name', ({ windows, at, open, until }) => {
    const state = windowState(windows.map(whole), Date.parse(at));
    expect(state.open).toBe(open);
    if (until !== undefined) expect(new Date(state.until).toISOString()).toBe(new Date(until).toISOString());
  });

  it.each(refused)('is refused: $name', ({ window, field }) => {
    let problem: unknown;
    try {
      newWindows('access_windows', [whole(window)]);
    } catch (thrown) {
      problem = thrown;
    }
    expect(problem instanceof Fault && problem.violations[0]?.field).toBe(`access_windows[0].${field}`);
  });
});

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
  'Pacific/Apia',
  'Africa/Cairo',
  '',
];
const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((n) => String(n).padStart(2, '0')).join(':'));
const window = fc
  .record({ days: fc.uniqueArray(fc.constantFrom(...DAYS)), start: time, end: time, timeZone: fc.constantFrom(...zones) })
  .filter(({ start, end }) => start !== end);
/** 2024 to 2028, to the millisecond. */
const moment = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 0, 1) });

/** The same by Temporal, day by day. */
const openByTemporal = ({ days, start, end, timeZone }: AccessWindow, now: number): boolean => {
  const at = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone || 'UTC');
  return [-1, 0, 1].some((offset) => {
    const date = at.toPlainDate().add({ days: offset });
    if (days.length > 0 && !days.includes(DAYS[date.dayOfWeek % 7] as string)) return false;
    const from = date.toPlainDateTime(start).toZonedDateTime(timeZone || 'UTC').epochMilliseconds;
    const to = date
      .add({ days: end <= start ? 1 : 0 })
      .toPlainDateTime(end)
      .toZonedDateTime(timeZone || 'UTC').epochMilliseconds;
    return from <= now && now < to;
  });
};

describe('access windows', () => {
  it('are open when Temporal says so', () => {
    fc.assert(
      fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), moment, (windows, now) => {
        expect(windowState(windows, now).open).toBe(windows.some((one) => openByTemporal(one, now)));
      }),
      { numRuns: 2000 },
    );
  });

  it('do not change before the instant they name', () => {
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        moment,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (windows, now, part) => {
          const state = windowState(windows, now);
          expect(state.until).toBeGreaterThan(now);
          const between = Math.min(state.until - 1, Math.floor(now + (state.until - now) * part));
          expect(windowState(windows, between).open).toBe(state.open);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
