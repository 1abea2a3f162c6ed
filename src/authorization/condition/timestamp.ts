// Instants and spans: RFC 3339 texts, CEL's durations, their ranges (protobuf's), and the calendar in a time zone.
import { type Duration, durationOf, type Timestamp, timestampOf } from './value.ts';

/** 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;
/** protobuf's: about 10,000 years, so that any two times have a difference (CEL allows 292 years). */
const LONGEST = 315_576_000_000;
const NANOS = 1_000_000_000;

/** null: beyond the years 1 to 9999. `nanos` may be any safe integer. */
export const makeTimestamp = (seconds: number, nanos: number): Timestamp | null => {
  const carry = Math.floor(nanos / NANOS);
  const whole = seconds + carry;
  return whole >= FIRST_SECOND && whole <= LAST_SECOND ? timestampOf(whole, nanos - carry * NANOS + 0) : null;
};

/** null: longer than about 10,000 years. */
export const makeDuration = (seconds: number, nanos: number): Duration | null => {
  const carry = Math.trunc(nanos / NANOS);
  let whole = seconds + carry;
  let rest = nanos - carry * NANOS;
  if (whole > 0 && rest < 0) {
    whole -= 1;
    rest += NANOS;
  } else if (whole < 0 && rest > 0) {
    whole += 1;
    rest -= NANOS;
  }
  return Math.abs(whole) <= LONGEST ? durationOf(whole + 0, rest + 0) : null;
};

export const timestampOfMillis = (millis: number): Timestamp => {
  const seconds = Math.floor(millis / 1000);
  return timestampOf(seconds, Math.round((millis - seconds * 1000) * 1_000_000));
};

/** Milliseconds since 1970 with a fraction, as exact as a number is. */
export const millisOf = (time: Timestamp | Duration): number => time.seconds * 1000 + time.nanos / 1_000_000;

/** Days since 1970 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
const daysOf = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
};

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
const lengthOf = (year: number, month: number): number => (month === 2 && isLeap(year) ? 29 : (LENGTHS[month - 1] ?? 0));

/** Digits from `from` to `to` as a number; NaN where one is none. By hand: this stands in the path of a check. */
const digits = (text: string, from: number, to: number): number => {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
};

/** Seconds east of UTC; NaN: neither Z nor an offset. */
const offsetAt = (text: string, at: number): number => {
  const sign = text[at];
  if (sign === 'Z' || sign === 'z') return text.length === at + 1 ? 0 : Number.NaN;
  if ((sign !== '+' && sign !== '-') || text.length !== at + 6 || text[at + 3] !== ':') return Number.NaN;
  const [hours, minutes] = [digits(text, at + 1, at + 3), digits(text, at + 4, at + 6)];
  return hours <= 23 && minutes <= 59 ? (hours * 3600 + minutes * 60) * (sign === '-' ? -1 : 1) : Number.NaN;
};

/** RFC 3339 §5.6, up to nine digits of a second. null: not one, or no such day. */
export const parseTimestamp = (text: string): Timestamp | null => {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)];
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  if (text[4] !== '-' || text[7] !== '-' || text[13] !== ':' || text[16] !== ':' || (text[10] !== 'T' && text[10] !== 't')) return null;
  // Written so that NaN fails as well.
  if (!(hour <= 23 && minute <= 59 && second <= 59 && day >= 1 && day <= lengthOf(year, month))) return null;
  let at = 19;
  let nanos = 0;
  if (text[19] === '.') {
    at = 20;
    while (at < 30 && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at++;
    if (at === 20 || at === 30) return null;
    nanos = digits(text, 20, at) * 10 ** (29 - at);
  }
  const offset = offsetAt(text, at);
  return Number.isNaN(offset)
    ? null
    : makeTimestamp(daysOf(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset, nanos);
};

/** 0, 3, 6 or 9 digits after the second, as protobuf's JSON prints them. */
const fraction = (nanos: number): string => {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(?:000){1,2}$/, '')}`;
};

export const printTimestamp = ({ seconds, nanos }: Timestamp): string =>
  new Date(seconds * 1000).toISOString().replace(/\.000Z$/, `${fraction(nanos)}Z`);

export const printDuration = ({ seconds, nanos }: Duration): string =>
  `${seconds < 0 || nanos < 0 ? '-' : ''}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['h', 3600 * NANOS],
  ['m', 60 * NANOS],
  ['s', NANOS],
  ['ms', 1_000_000],
  ['us', 1000],
  ['µs', 1000],
  ['ns', 1],
]);

const DURATION = /^[+-]?(?:\d+(?:\.\d*)?(?:h|ms|m|s|us|µs|ns)|\.\d+(?:h|ms|m|s|us|µs|ns))+$/;
const PART = /(\d*)(?:\.(\d*))?(h|ms|m|s|us|µs|ns)/g;

/** `1h30m`, `-1.5s`, `300ms`; `0` alone needs no unit. null: not one, or too long. */
export const parseDuration = (text: string): Duration | null => {
  if (/^[+-]?0$/.test(text)) return durationOf(0, 0);
  if (text.length > 64 || !DURATION.test(text)) return null;
  const sign = text.startsWith('-') ? -1n : 1n;
  let nanos = 0n;
  for (const [, whole, part = '', unit = ''] of text.matchAll(PART)) {
    const scale = BigInt(UNITS.get(unit) ?? 0);
    nanos += BigInt(whole || 0) * scale;
    if (part !== '') nanos += (BigInt(part) * scale) / 10n ** BigInt(part.length);
  }
  nanos *= sign;
  const seconds = nanos / BigInt(NANOS);
  return makeDuration(Number(seconds), Number(nanos - seconds * BigInt(NANOS)));
};

export type CalendarField =
  | 'getFullYear'
  | 'getMonth'
  | 'getDate'
  | 'getDayOfMonth'
  | 'getDayOfWeek'
  | 'getDayOfYear'
  | 'getHours'
  | 'getMinutes'
  | 'getSeconds'
  | 'getMilliseconds';

const OFFSET = /^([+-]?)(\d\d):(\d\d)$/;

interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** The last quarter of an hour asked for, and the zone's offset in it: since 1972 offsets change on none but these. */
  quarter: number;
  offset: number;
}

/** Formatters are slow to make and to use, and there are few zones. */
const zones = new Map<string, Zone | null>();
const QUARTER = 900;
const YEAR_1972 = 63_072_000;

const zoneOf = (name: string): Zone | null => {
  const known = zones.get(name);
  if (known !== undefined) return known;
  let zone: Zone | null = null;
  try {
    const numeric = 'numeric';
    const fields = { era: 'short', year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric } as const;
    zone = { format: new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle: 'h23', ...fields }), quarter: Number.NaN, offset: 0 };
  } catch {
    // Not a zone that anybody knows.
  }
  if (zones.size >= 1000) zones.clear();
  zones.set(name, zone);
  return zone;
};

const offsetOf = (zone: Zone, seconds: number): number => {
  const quarter = Math.floor(seconds / QUARTER);
  if (quarter === zone.quarter && seconds > YEAR_1972) return zone.offset;
  const parts = new Map(zone.format.formatToParts(seconds * 1000).map(({ type, value }) => [type, value]));
  const number = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name));
  const date = new Date(0);
  date.setUTCFullYear(parts.get('era') === 'BC' ? 1 - number('year') : number('year'), number('month') - 1, number('day'));
  date.setUTCHours(number('hour'), number('minute'), number('second'));
  zone.quarter = quarter;
  zone.offset = date.getTime() / 1000 - seconds;
  return zone.offset;
};

/** The wall clock of a zone as if it were UTC. null: no such zone. */
const localDate = ({ seconds }: Timestamp, name: string): Date | null => {
  if (name === '' || name === 'UTC') return new Date(seconds * 1000);
  // Names of zones begin with a letter.
  const fixed = name.charCodeAt(0) < 65 ? OFFSET.exec(name) : null;
  if (fixed !== null) {
    const offset = (Number(fixed[2]) * 60 + Number(fixed[3])) * 60 * (fixed[1] === '-' ? -1 : 1);
    return new Date((seconds + offset) * 1000);
  }
  const zone = name.length > 64 ? null : zoneOf(name);
  return zone === null ? null : new Date((seconds + offsetOf(zone, seconds)) * 1000);
};

const DAY = 86_400_000;

/** A calendar field in a zone: an IANA name or an offset such as +01:00. Months, days of month and of year count from 0. null: no such zone. */
export const calendar = (field: CalendarField, time: Timestamp, zone: string): number | null => {
  const date = localDate(time, zone);
  if (date === null) return null;
  switch (field) {
    case 'getFullYear':
      return date.getUTCFullYear();
    case 'getMonth':
      return date.getUTCMonth();
    case 'getDate':
      return date.getUTCDate();
    case 'getDayOfMonth':
      return date.getUTCDate() - 1;
    case 'getDayOfWeek':
      return date.getUTCDay();
    case 'getDayOfYear':
      return Math.floor((date.getTime() - new Date(date).setUTCMonth(0, 1)) / DAY);
    case 'getHours':
      return date.getUTCHours();
    case 'getMinutes':
      return date.getUTCMinutes();
    case 'getSeconds':
      return date.getUTCSeconds();
    case 'getMilliseconds':
      return Math.floor(time.nanos / 1_000_000);
  }
};
