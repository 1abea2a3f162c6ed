// Values while a condition is evaluated. Where the type is known an int and a double are both a JavaScript number;
// under `dyn` a number is a double, as in JSON, and an int is wrapped. No value of a request can look like a wrapped one.

const KIND = Symbol('kind');

export interface Timestamp {
  readonly [KIND]: 'timestamp';
  readonly seconds: number;
  readonly nanos: number;
}

export interface Duration {
  readonly [KIND]: 'duration';
  readonly seconds: number;
  /** Of the sign of `seconds`, or either where that is 0. */
  readonly nanos: number;
}

interface WrappedInt {
  readonly [KIND]: 'int';
  readonly value: number;
}

export type Cause =
  | 'missing_attribute'
  | 'wrong_type'
  | 'no_such_key'
  | 'out_of_range'
  | 'division_by_zero'
  | 'invalid_value'
  | 'too_large'
  | 'budget_exceeded';

/** Why a condition has no value. Made once when the condition is compiled, so that an error costs nothing. */
export interface ConditionError {
  readonly [KIND]: 'error';
  readonly cause: Cause;
  /** Words for people; it never holds a value. */
  readonly message: string;
  /** The attribute that is missing or of another type; '' where it is about none. */
  readonly attribute: string;
}

export type Value = unknown;

export const errorOf = (cause: Cause, message: string, attribute = ''): ConditionError =>
  Object.freeze({ [KIND]: 'error', cause, message, attribute } as const);

const tagOf = (value: Value): string | undefined =>
  typeof value === 'object' && value !== null ? (value as { readonly [KIND]?: string })[KIND] : undefined;

export const isError = (value: Value): value is ConditionError => tagOf(value) === 'error';
export const isTimestamp = (value: Value): value is Timestamp => tagOf(value) === 'timestamp';
export const isDuration = (value: Value): value is Duration => tagOf(value) === 'duration';

export const timestampOf = (seconds: number, nanos: number): Timestamp => ({ [KIND]: 'timestamp', seconds, nanos });
export const durationOf = (seconds: number, nanos: number): Duration => ({ [KIND]: 'duration', seconds, nanos });
export const wrapInt = (value: number): Value => ({ [KIND]: 'int', value }) satisfies WrappedInt;

/** A JSON object or one of ours, never an array, bytes or a tagged value. */
export const isPlain = (value: Value): value is Readonly<Record<string, Value>> => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // By shape: an object of another realm is as plain as one of ours.
  return (prototype === null || Object.getPrototypeOf(prototype) === null) && (value as { readonly [KIND]?: string })[KIND] === undefined;
};

export type Kind = 'bool' | 'int' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'null' | 'list' | 'map' | 'error' | 'none';

/** What a `dyn` value is. */
export const kindOf = (value: Value): Kind => {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
    case 'object': {
      if (value === null) return 'null';
      const tag = tagOf(value);
      if (tag !== undefined) return tag as Kind;
      if (Array.isArray(value)) return 'list';
      if (ArrayBuffer.isView(value)) return 'bytes';
      return value instanceof Map || isPlain(value) ? 'map' : 'none';
    }
    default:
      return 'none';
  }
};

/** The number within a `dyn` int or double; undefined for anything else. */
export const numberOf = (value: Value): number | undefined => {
  if (typeof value === 'number') return value;
  return tagOf(value) === 'int' ? (value as WrappedInt).value : undefined;
};

/** A map's value by key, own members only; undefined where it has none. Keys are equal as numbers are: 1 is 1.0. */
export const entryOf = (map: Value, key: Value): Value => {
  if (map instanceof Map) return (map as ReadonlyMap<Value, Value>).get(numberOf(key) ?? key);
  return typeof key === 'string' && Object.hasOwn(map as object, key) ? (map as Record<string, Value>)[key] : undefined;
};

export const hasEntry = (map: Value, key: Value): boolean => {
  if (map instanceof Map) return (map as ReadonlyMap<Value, Value>).has(numberOf(key) ?? key);
  return typeof key === 'string' && Object.hasOwn(map as object, key);
};

export const entriesOf = (map: Value): readonly (readonly [Value, Value])[] =>
  map instanceof Map ? [...(map as ReadonlyMap<Value, Value>)] : Object.entries(map as object);

export const sizeOfMap = (map: Value): number => (map instanceof Map ? map.size : Object.keys(map as object).length);

export const compareTimes = (a: Timestamp | Duration, b: Timestamp | Duration): number => a.seconds - b.seconds || a.nanos - b.nanos;

/** By code point, as UTF-8 sorts; JavaScript compares UTF-16 units, where a surrogate comes before U+E000. */
export const compareText = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogateX = x >= 0xd800 && x < 0xe000;
    return surrogateX === (y >= 0xd800 && y < 0xe000) ? x - y : surrogateX ? 1 : -1;
  }
  return a.length - b.length;
};

export const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
};

/** Steps left: see `Meter`. */
interface Steps {
  left: number;
}

const DEEPEST = 100;

/**
 * Equality of `dyn` values: numbers by value whatever their kind, everything else by kind and content; of different kinds, unequal.
 * Pays for what it looks at; where that is too much or too deep, nothing is left and the answer means nothing.
 */
export const equalValues = (a: Value, b: Value, steps: Steps, depth = 0): boolean => {
  if (a === b && typeof a !== 'object') return true;
  const kind = kindOf(a);
  if (kind === 'int' || kind === 'double') return numberOf(a) === numberOf(b);
  if (kind !== kindOf(b)) return false;
  switch (kind) {
    case 'timestamp':
    case 'duration':
      return compareTimes(a as Timestamp, b as Timestamp) === 0;
    case 'bytes':
      return compareBytes(a as Uint8Array, b as Uint8Array) === 0;
    case 'list': {
      const [x, y] = [a as readonly Value[], b as readonly Value[]];
      if (x.length !== y.length || !pays(steps, x.length, depth)) return false;
      return x.every((item, i) => equalValues(item, y[i], steps, depth + 1));
    }
    case 'map': {
      const size = sizeOfMap(a);
      if (size !== sizeOfMap(b) || !pays(steps, size, depth)) return false;
      return entriesOf(a).every(([key, value]) => hasEntry(b, key) && equalValues(value, entryOf(b, key), steps, depth + 1));
    }
    case 'null':
      return true;
    default:
      return a === b;
  }
};

const pays = (steps: Steps, items: number, depth: number): boolean => {
  steps.left = depth > DEEPEST ? -1 : steps.left - items;
  return steps.left >= 0;
};
