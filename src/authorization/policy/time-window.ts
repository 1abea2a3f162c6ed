// Windows of time: whether an instant lies in one, and when that changes. Days and hours are those of the window's own time zone.
import type { Instant } from '../../base/time.ts';
import { DAYS, type TimeWindow } from './document.ts';

const MINUTE = 60_000;
const DAY_MINUTES = 1440;

export const isTimeZone = (name: string): boolean => {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
};

/** Minutes to add to UTC. Offsets change on quarters of an hour, so what was found holds for that quarter; formatting is slow. */
const offsets = new Map<string, { readonly format: Intl.DateTimeFormat; quarter: number; minutes: number }>();
const QUARTER = 15 * MINUTE;

const offsetAt = (timeZone: string, at: Instant): number => {
  if (timeZone === 'UTC') return 0;
  let zone = offsets.get(timeZone);
  if (zone === undefined) {
    const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    offsets.set(timeZone, (zone = { format, quarter: Number.NaN, minutes: 0 }));
  }
  const quarter = Math.floor(at / QUARTER);
  if (zone.quarter === quarter) return zone.minutes;
  const said = zone.format.formatToParts(quarter * QUARTER).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])(\d\d):(\d\d)/.exec(said) ?? [];
  zone.minutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  zone.quarter = quarter;
  return zone.minutes;
};

/** Whole local minutes since 1970. */
const localMinutes = (timeZone: string, at: Instant): number => Math.floor(at / MINUTE) + offsetAt(timeZone, at);

/** 1970-01-01 was a Thursday. */
const dayName = (day: number) => DAYS[(((day + 4) % 7) + 7) % 7];

const startsOn = (window: TimeWindow, day: number): boolean =>
  window.days.length === DAYS.length || window.days.some((one) => one === dayName(day));

export const isWithin = (window: TimeWindow, now: Instant): boolean => {
  if (window.notBefore !== null && now < window.notBefore) return false;
  if (window.notAfter !== null && now >= window.notAfter) return false;
  const local = localMinutes(window.timeZone, now);
  const today = Math.floor(local / DAY_MINUTES);
  const minute = local - today * DAY_MINUTES;
  // A window that began yesterday may last into this morning.
  return (
    (startsOn(window, today) && minute >= window.from && minute < window.to) ||
    (startsOn(window, today - 1) && minute + DAY_MINUTES < window.to)
  );
};

export const isWithinAny = (windows: readonly TimeWindow[], now: Instant): boolean => {
  for (const window of windows) if (isWithin(window, now)) return true;
  return false;
};

/** The first instant after `now` at which the answer may differ; never later than it does. null: never again. */
export const nextEdge = (window: TimeWindow, now: Instant): Instant | null => {
  const { notBefore, notAfter } = window;
  if (notAfter !== null && now >= notAfter) return null;
  const bounds = [notBefore, notAfter].flatMap((bound) => (bound !== null && bound > now ? [bound] : []));
  if (window.days.length === DAYS.length && window.to - window.from >= DAY_MINUTES) return bounds.length === 0 ? null : Math.min(...bounds);
  const local = localMinutes(window.timeZone, now);
  const today = Math.floor(local / DAY_MINUTES);
  const edges = [window.from, window.to, window.to - DAY_MINUTES, DAY_MINUTES]
    .map((edge) => (edge > local - today * DAY_MINUTES ? edge : edge + DAY_MINUTES))
    .map((edge) => today * DAY_MINUTES + edge - local);
  // The clock may be put forward meanwhile, and the edge then comes sooner: never beyond the next full hour.
  const sooner = Math.min(...edges, 60 - (local % 60));
  return Math.min((Math.floor(now / MINUTE) + sooner) * MINUTE, ...bounds);
};
