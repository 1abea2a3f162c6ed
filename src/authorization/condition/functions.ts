// What the functions of the language do, on values whose kinds are known. Errors are values.
import { LIMITS } from './limits.ts';
import {
  type CalendarField,
  calendar,
  makeDuration,
  makeTimestamp,
  parseDuration,
  parseTimestamp,
  printDuration,
  printTimestamp,
} from './timestamp.ts';
import { compareBytes, compareText, compareTimes, type Duration, errorOf, sizeOfMap, type Timestamp, type Value } from './value.ts';

/** Typed by its overload; callers have checked the kinds. */
export type Implementation = (a: never, b: never) => Value;

const OVERFLOW = errorOf('out_of_range', 'the result is beyond ±(2^53 - 1)');
const TIME_RANGE = errorOf('out_of_range', 'the time is beyond the years 1 to 9999');
const DURATION_RANGE = errorOf('out_of_range', 'the duration is longer than 10,000 years');
const ZERO = errorOf('division_by_zero', 'division by zero');
const NOT_A_NUMBER = errorOf('invalid_value', 'the text is not a number');
const NOT_A_BOOL = errorOf('invalid_value', 'the text is neither true nor false');
const NOT_TEXT = errorOf('invalid_value', 'the bytes are not UTF-8');
const NOT_A_TIME = errorOf('invalid_value', 'the text is not an RFC 3339 time');
const NOT_A_DURATION = errorOf('invalid_value', 'the text is not a duration');
const NO_ZONE = errorOf('invalid_value', 'no such time zone');
export const TOO_LARGE = errorOf('too_large', 'a text or a list grew too large');

// Adding 0 turns -0 into 0: an int has one zero.
const int = (value: number): Value => (Number.isSafeInteger(value) ? value + 0 : OVERFLOW);
const text = (value: string): Value => (value.length <= LIMITS.text ? value : TOO_LARGE);
const time = (seconds: number, nanos: number): Value => makeTimestamp(seconds, nanos) ?? TIME_RANGE;
const span = (seconds: number, nanos: number): Value => makeDuration(seconds, nanos) ?? DURATION_RANGE;

const INTEGER = /^[+-]?\d{1,19}$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Infinity],
  ['+inf', Infinity],
  ['-inf', -Infinity],
  ['infinity', Infinity],
  ['+infinity', Infinity],
  ['-infinity', -Infinity],
]);
const BOOLS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'True', 'TRUE', 't', '1'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE', 'f', '0'].map((word) => [word, false] as const),
]);

const toDouble = (a: string): Value => (DECIMAL.test(a) ? Number(a) : (SPECIAL.get(a.toLowerCase()) ?? NOT_A_NUMBER));

const printDouble = (a: number): string => (a === Infinity ? '+Inf' : a === -Infinity ? '-Inf' : Object.is(a, -0) ? '-0' : String(a));

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const toText = (a: Uint8Array): Value => {
  try {
    return text(decoder.decode(a));
  } catch {
    return NOT_TEXT;
  }
};

const size = (a: string): number => {
  let count = 0;
  for (const _ of a) count++;
  return count;
};

type Order = (a: never, b: never) => number;
const orders: Readonly<Record<string, Order>> = {
  bool: (a: boolean, b: boolean) => Number(a) - Number(b),
  string: compareText,
  bytes: compareBytes,
  timestamp: compareTimes,
  duration: compareTimes,
};
const numeric = ['int', 'double', 'int_double', 'double_int'];

const comparisons = (
  name: string,
  number: (a: number, b: number) => boolean,
  sign: (order: number) => boolean,
): [string, Implementation][] => [
  ...numeric.map((id): [string, Implementation] => [`${name}_${id}`, number]),
  ...Object.entries(orders).map(([id, order]): [string, Implementation] => [`${name}_${id}`, (a: never, b: never) => sign(order(a, b))]),
];

const FIELDS: readonly CalendarField[] = [
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getDayOfYear',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
];

export const IMPLEMENTATIONS: ReadonlyMap<string, Implementation> = new Map<string, Implementation>([
  ['negate_int', (a: number) => int(-a)],
  ['negate_double', (a: number) => -a],
  ['add_int', (a: number, b: number) => int(a + b)],
  ['add_double', (a: number, b: number) => a + b],
  ['add_string', (a: string, b: string) => text(a + b)],
  ['add_bytes', (a: Uint8Array, b: Uint8Array) => (a.length + b.length <= LIMITS.text ? Buffer.concat([a, b]) : TOO_LARGE)],
  ['add_list', (a: readonly Value[], b: readonly Value[]) => (a.length + b.length <= LIMITS.items ? [...a, ...b] : TOO_LARGE)],
  ['add_duration', (a: Duration, b: Duration) => span(a.seconds + b.seconds, a.nanos + b.nanos)],
  ['add_timestamp_duration', (a: Timestamp, b: Duration) => time(a.seconds + b.seconds, a.nanos + b.nanos)],
  ['add_duration_timestamp', (a: Duration, b: Timestamp) => time(a.seconds + b.seconds, a.nanos + b.nanos)],
  ['subtract_int', (a: number, b: number) => int(a - b)],
  ['subtract_double', (a: number, b: number) => a - b],
  ['subtract_duration', (a: Duration, b: Duration) => span(a.seconds - b.seconds, a.nanos - b.nanos)],
  ['subtract_timestamp', (a: Timestamp, b: Timestamp) => span(a.seconds - b.seconds, a.nanos - b.nanos)],
  ['subtract_timestamp_duration', (a: Timestamp, b: Duration) => time(a.seconds - b.seconds, a.nanos - b.nanos)],
  ['multiply_int', (a: number, b: number) => int(a * b)],
  ['multiply_double', (a: number, b: number) => a * b],
  // Exact: the dividend is first made a multiple of the divisor.
  ['divide_int', (a: number, b: number) => (b === 0 ? ZERO : int((a - (a % b)) / b))],
  ['divide_double', (a: number, b: number) => a / b],
  ['modulo_int', (a: number, b: number) => (b === 0 ? ZERO : int(a % b))],
  ...comparisons(
    'less',
    (a, b) => a < b,
    (order) => order < 0,
  ),
  ...comparisons(
    'less_equal',
    (a, b) => a <= b,
    (order) => order <= 0,
  ),
  ...comparisons(
    'greater',
    (a, b) => a > b,
    (order) => order > 0,
  ),
  ...comparisons(
    'greater_equal',
    (a, b) => a >= b,
    (order) => order >= 0,
  ),
  ['size_string', size],
  ['size_bytes', (a: Uint8Array) => a.length],
  ['size_list', (a: readonly Value[]) => a.length],
  ['size_map', sizeOfMap],
  ['contains', (a: string, b: string) => a.includes(b)],
  ['starts_with', (a: string, b: string) => a.startsWith(b)],
  ['ends_with', (a: string, b: string) => a.endsWith(b)],
  ['int_of_int', (a: number) => a],
  ['int_of_double', (a: number) => int(Math.trunc(a))],
  ['int_of_string', (a: string) => (INTEGER.test(a) ? int(Number(a)) : NOT_A_NUMBER)],
  ['int_of_timestamp', (a: Timestamp) => a.seconds],
  ['int_of_duration', (a: Duration) => a.seconds],
  ['double_of_double', (a: number) => a],
  ['double_of_int', (a: number) => a],
  ['double_of_string', toDouble],
  ['string_of_string', (a: string) => a],
  ['string_of_bool', String],
  ['string_of_int', String],
  ['string_of_double', printDouble],
  ['string_of_bytes', toText],
  ['string_of_timestamp', printTimestamp],
  ['string_of_duration', printDuration],
  ['bool_of_bool', (a: boolean) => a],
  ['bool_of_string', (a: string) => BOOLS.get(a) ?? NOT_A_BOOL],
  ['bytes_of_bytes', (a: Uint8Array) => a],
  ['bytes_of_string', (a: string) => Buffer.from(a, 'utf8')],
  ['timestamp_of_timestamp', (a: Timestamp) => a],
  ['timestamp_of_string', (a: string) => parseTimestamp(a) ?? NOT_A_TIME],
  ['timestamp_of_int', (a: number) => time(a, 0)],
  ['duration_of_duration', (a: Duration) => a],
  ['duration_of_string', (a: string) => parseDuration(a) ?? NOT_A_DURATION],
  ['duration_of_int', (a: number) => span(a, 0)],
  ...FIELDS.flatMap((field): [string, Implementation][] => [
    [field, (a: Timestamp) => calendar(field, a, '') ?? NO_ZONE],
    [`${field}_zone`, (a: Timestamp, zone: string) => calendar(field, a, zone) ?? NO_ZONE],
  ]),
  ['getHours_duration', (a: Duration) => Math.trunc(a.seconds / 3600) + 0],
  ['getMinutes_duration', (a: Duration) => Math.trunc(a.seconds / 60) + 0],
  ['getSeconds_duration', (a: Duration) => a.seconds],
  ['getMilliseconds_duration', (a: Duration) => Math.trunc(a.nanos / 1_000_000) + 0],
]);
