// Times of the week at which something may be used, in a time zone of their own. Pure: the moment is an argument.
import { badField } from './fault.ts';
import type { Instant, Millis } from './time.ts';

export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** From `start` to `end` (exclusive) by the clock on the wall of `timeZone`, on each of `days`; an end before the start is next day's. */
export interface AccessWindow {
  /** The days it begins on; empty = every day. */
  readonly days: readonly string[];
  /** HH:MM */
  readonly start: string;
  /** HH:MM, up to 24:00. */
  readonly end: string;
  /** IANA name; '' = UTC. */
  readonly timeZone: string;
}

/** Open or not, and the first instant at which that may be otherwise. */
export interface WindowState {
  readonly open: boolean;
  readonly until: Instant;
}

const MINUTE: Millis = 60_000;
const DAY: Millis = 86_400_000;

/** Making one costs 50 µs and some kilobytes; there are about 400 zones, and one installation uses a few. */
const formats = new Map<string, Intl.DateTimeFormat | null>();
const KEPT = 512;

const formatOf = (timeZone: string): Intl.DateTimeFormat | null => {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  let made: Intl.DateTimeFormat | null = null;
  // An offset such as +02:00 is no place: it knows no summer.
  if (/^[A-Za-z][\w+/-]{0,63}$/.test(timeZone))
    try {
      made = new Intl.DateTimeFormat('en-US', {
        timeZone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
      });
    } catch {
      made = null;
    }
  if (formats.size >= KEPT) formats.clear();
  formats.set(timeZone, made);
  return made;
};

/** What a clock on the wall shows, as if it hung in Greenwich. Unknown zones are refused long before. */
const wallAt = (timeZone: string, at: Instant): Instant => {
  if (timeZone === '' || timeZone === 'UTC') return at;
  const format = formatOf(timeZone);
  if (format === null) throw new RangeError(`unknown time zone ${timeZone}`);
  const [, month, day, year, hour, minute, second] = (/(\d+)\D+(\d+)\D+(\d+)\D+(\d+)\D+(\d+)\D+(\d+)/.exec(format.format(at)) ?? []).map(
    Number,
  );
  const whole = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  return whole + (((at % 1000) + 1000) % 1000);
};

/**
 * When the clock on the wall shows `wall`. An hour that comes twice counts the first time, one that is left out counts as much later
 * (RFC 5545 §3.3.5; what Temporal calls `compatible`).
 */
const instantAt = (timeZone: string, wall: Instant): Instant => {
  const before = wallAt(timeZone, wall - DAY) - (wall - DAY);
  const after = wallAt(timeZone, wall + DAY) - (wall + DAY);
  const first = wall - before;
  if (before === after || wallAt(timeZone, first) === wall) return first;
  const second = wall - after;
  return wallAt(timeZone, second) === wall ? second : first;
};

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

interface Span {
  readonly start: Instant;
  readonly end: Instant;
}

/** Its spans that touch `now`'s yesterday to tomorrow, by its own calendar. */
const spansOf = ({ days, start, end, timeZone }: AccessWindow, now: Instant): readonly Span[] => {
  const today = Math.floor(wallAt(timeZone, now) / DAY) * DAY;
  const [from, to] = [minutesOf(start), minutesOf(end)];
  const spans: Span[] = [];
  for (const midnight of [today - DAY, today, today + DAY]) {
    if (days.length > 0 && !days.includes(DAYS[new Date(midnight).getUTCDay()] as string)) continue;
    const next = to <= from ? DAY : 0;
    spans.push({
      start: instantAt(timeZone, midnight + from * MINUTE),
      end: instantAt(timeZone, midnight + next + to * MINUTE),
    });
  }
  return spans;
};

/** One of the windows is enough; none at all is always open. */
export const windowState = (windows: readonly AccessWindow[], now: Instant): WindowState => {
  if (windows.length === 0) return { open: true, until: Number.POSITIVE_INFINITY };
  const spans = windows.flatMap((window) => spansOf(window, now));
  // Nothing that begins later than this has been looked at: ask again.
  let until = now + DAY / 2;
  let open = false;
  for (const { start, end } of spans) {
    if (start > now && start < until) until = start;
    if (start <= now && now < end) open = true;
  }
  if (!open) return { open, until };
  // Open as long as one window hands over to the next.
  const ends = spans.filter((span) => span.start <= now && now < span.end).map((span) => span.end);
  return { open, until: Math.min(now + DAY / 2, Math.max(...ends)) };
};

const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** What is wrong with it, as the name of the field and what would be right; null when it is good. */
export const windowProblem = ({ days, start, end, timeZone }: AccessWindow): readonly [string, string] | null => {
  const day = days.findIndex((name, at) => !(DAYS as readonly string[]).includes(name) || days.indexOf(name) !== at);
  if (day >= 0) return [`days[${day}]`, `must be one of ${DAYS.join(', ')}, each once`];
  if (!TIME.test(start)) return ['start', 'must be HH:MM from 00:00 to 23:59'];
  if (!TIME.test(end) && end !== '24:00') return ['end', 'must be HH:MM from 00:00 to 24:00'];
  if (start === end) return ['end', 'must differ from the start; a whole day is 00:00 to 24:00'];
  if (timeZone !== '' && formatOf(timeZone) === null) return ['time_zone', 'must be an IANA time zone such as Europe/Berlin'];
  return null;
};

/** INVALID_ARGUMENT that names the field of the first window that is wrong. */
export const newWindows = (field: string, windows: readonly AccessWindow[]): readonly AccessWindow[] =>
  windows.map(({ days, start, end, timeZone }, at) => {
    const window = { days: [...days], start, end, timeZone };
    const problem = windowProblem(window);
    if (problem !== null) throw badField(`${field}[${at}].${problem[0]}`, problem[1]);
    return window;
  });
