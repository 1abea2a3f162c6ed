// Rules of single values as checkers: strings, bytes, numbers, enums, durations, timestamps. Pure.
// Each answers as protovalidate does (https://protovalidate.com/reference/rules/); null: a rule we do not compile.
import { both, type Checker, PASS, rule } from './checker.ts';

/** The rules that are set, by name: a oneof of rules appears as the member that is set. */
export type Rules = readonly (readonly [name: string, rule: unknown])[];

type Make<T> = (name: string, given: unknown) => Checker<T> | null;

/** Unicode code points, as `size()` counts them in CEL. */
const points = (text: string): number => {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    count += 1;
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00) at += 1;
  }
  return count;
};

/**
 * The pattern for V8 where it surely means there what it means in RE2, otherwise null: no escapes, classes, flags or
 * quantifiers that only one of them has, and no bare dot (V8 stops it at more kinds of line end).
 */
const sameInBoth = (pattern: string): RegExp | null => {
  const outside = pattern.replaceAll('\\\\', '').replace(/\[(\\.|[^\]\\])*\]/g, (set) => (/\[[:.=]|\\[^\][^\\./-]/.test(set) ? '.' : ''));
  if (/\\[^.+*?()[\]{}|/^$]|\(\?(?!:)|(?<!\\)\.|[*+?}]\+/.test(outside)) return null;
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return null;
  }
};

const oneOf = (given: unknown): readonly unknown[] => given as readonly unknown[];
const listed = (given: unknown): string =>
  oneOf(given)
    .map((item) => JSON.stringify(item))
    .join(', ');

/** A text has between length/2 and length code points, and between length and 3·length bytes: most need no counting. */
const stringRule: Make<string> = (name, given) => {
  const size = Number(given);
  const text = String(given);
  switch (name) {
    case 'const':
      return rule((value) => value === text, `must be ${JSON.stringify(text)}`);
    case 'len':
      return rule((value) => points(value) === size, `must be ${size} characters`);
    case 'minLen':
      return rule(
        (value) => value.length >= size && (value.length >= 2 * size || points(value) >= size),
        `must be at least ${size} characters`,
      );
    case 'maxLen':
      return rule(
        (value) => value.length <= size || (value.length <= 2 * size && points(value) <= size),
        `must be at most ${size} characters`,
      );
    case 'minBytes':
      return rule((value) => value.length >= size || Buffer.byteLength(value) >= size, `must be at least ${size} bytes`);
    case 'maxBytes':
      return rule(
        (value) => value.length * 3 <= size || (value.length <= size && Buffer.byteLength(value) <= size),
        `must be at most ${size} bytes`,
      );
    case 'prefix':
      return rule((value) => value.startsWith(text), `must begin with ${JSON.stringify(text)}`);
    case 'in':
      return rule((value) => oneOf(given).includes(value), `must be one of ${listed(given)}`);
    case 'notIn':
      return rule((value) => !oneOf(given).includes(value), `must be none of ${listed(given)}`);
    case 'pattern': {
      const pattern = sameInBoth(text);
      return pattern === null ? null : rule((value) => pattern.test(value), `must match ${text}`);
    }
    default:
      return null;
  }
};

const bytesRule: Make<Uint8Array> = (name, given) => {
  const size = Number(given);
  switch (name) {
    case 'len':
      return rule((value) => value.length === size, `must be ${size} bytes`);
    case 'minLen':
      return rule((value) => value.length >= size, `must be at least ${size} bytes`);
    case 'maxLen':
      return rule((value) => value.length <= size, `must be at most ${size} bytes`);
    default:
      return null;
  }
};

const numberRule: Make<number> = (name, given) => {
  const numbers = Array.isArray(given) ? given.map(Number) : [];
  switch (name) {
    case 'const':
      return rule((value) => value === Number(given), `must be ${Number(given)}`);
    case 'in':
      return rule((value) => numbers.includes(value), `must be one of ${numbers.join(', ')}`);
    case 'notIn':
      return rule((value) => !numbers.includes(value), `must be none of ${numbers.join(', ')}`);
    case 'finite':
      return given === true ? rule((value) => Number.isFinite(value), 'must be finite') : PASS;
    default:
      return null;
  }
};

interface Moment {
  readonly seconds: number;
  readonly nanos: number;
}

interface Order<T> {
  readonly compare: (value: T, bound: T) => number;
  readonly read: (given: unknown) => T;
  readonly print: (bound: T) => string;
}

const NUMBERS: Order<number> = { compare: (value, bound) => value - bound, read: Number, print: String };

/** Seconds first: both as nanoseconds would not fit a double beyond 104 days. */
const MOMENTS: Order<Moment> = {
  compare: (value, bound) => value.seconds - bound.seconds || value.nanos - bound.nanos,
  read: (given) => {
    const { seconds, nanos } = given as { readonly seconds: number | bigint; readonly nanos: number };
    return { seconds: Number(seconds), nanos };
  },
  print: ({ seconds, nanos }) => `${seconds}${nanos === 0 ? '' : `.${String(nanos).padStart(9, '0')}`}s`,
};

/** lt, lte, gt, gte: between them, or outside where the upper bound lies below the lower. NaN is never in range. */
const range = <T>(rules: Rules, { compare, read, print }: Order<T>): Checker<T> => {
  const given = new Map(rules);
  const bound = (name: string): T | undefined => (given.has(name) ? read(given.get(name)) : undefined);
  const [lt, lte, gt, gte] = ['lt', 'lte', 'gt', 'gte'].map(bound);
  const below = lt !== undefined ? rule<T>((value) => compare(value, lt) < 0, `must be less than ${print(lt)}`) : null;
  const atMost = lte !== undefined ? rule<T>((value) => compare(value, lte) <= 0, `must be at most ${print(lte)}`) : null;
  const above = gt !== undefined ? rule<T>((value) => compare(value, gt) > 0, `must be greater than ${print(gt)}`) : null;
  const atLeast = gte !== undefined ? rule<T>((value) => compare(value, gte) >= 0, `must be at least ${print(gte)}`) : null;
  const [upper, lower] = [below ?? atMost, above ?? atLeast];
  const [top, bottom] = [lt ?? lte, gt ?? gte];
  if (upper !== null && lower !== null && top !== undefined && bottom !== undefined && compare(top, bottom) < 0)
    return rule((value) => upper.ok(value) || lower.ok(value), `must lie outside ${print(top)} to ${print(bottom)}`);
  return both([upper, lower].filter((checker) => checker !== null));
};

const RANGE = new Set(['lt', 'lte', 'gt', 'gte']);

const join = <T>(rules: Rules, make: Make<T>, ranged: Checker<T> | null = null): Checker<T> | null => {
  const checkers = rules
    .filter(([name]) => name !== 'example' && !(ranged !== null && RANGE.has(name)))
    .map(([name, given]) => make(name, given));
  return checkers.every((checker) => checker !== null) ? both(ranged === null ? checkers : [ranged, ...checkers]) : null;
};

/** The checker for a value under `rules` of `kind` (the case of FieldRules.type); null when one of them is not compiled. */
export const scalarChecker = (kind: string, rules: Rules): Checker | null => {
  switch (kind) {
    case 'string':
      return join(rules, stringRule) as Checker | null;
    case 'bytes':
      return join(rules, bytesRule) as Checker | null;
    case 'bool':
      return join(rules, (name, given) => (name === 'const' ? rule((value) => value === given, `must be ${String(given)}`) : null));
    case 'duration':
    case 'timestamp':
      return join(rules, () => null, range(rules, MOMENTS)) as Checker | null;
    case 'enum':
      // `definedOnly` needs the enum's values and is checked by the compiler.
      return join(rules, (name, given) => (name === 'definedOnly' ? PASS : numberRule(name, given))) as Checker | null;
    case 'any':
    case 'fieldMask':
      return null;
    default:
      return join(rules, numberRule, range(rules, NUMBERS)) as Checker | null;
  }
};
