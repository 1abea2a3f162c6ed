// Well-typed CEL expressions and values for their variables, at random.
import fc from 'fast-check';
import type { Type } from '../../src/authorization/condition/type.ts';

/** Members of the variable `r`. */
export const FIELDS: Readonly<Record<string, Type>> = {
  b: { kind: 'bool' },
  i: { kind: 'int' },
  j: { kind: 'int' },
  d: { kind: 'double' },
  s: { kind: 'string' },
  t: { kind: 'string' },
  y: { kind: 'bytes' },
  at: { kind: 'timestamp' },
  until: { kind: 'timestamp' },
  life: { kind: 'duration' },
  ints: { kind: 'list', of: { kind: 'int' } },
  texts: { kind: 'list', of: { kind: 'string' } },
  map: { kind: 'map', key: { kind: 'string' }, of: { kind: 'int' } },
  any: { kind: 'dyn' },
};

const small = fc.integer({ min: -20, max: 20 });
// Nothing from U+E000 on: the library orders texts by UTF-16 units, CEL by code points.
const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'abc', 'é', '😀', 'x-1', '7', '-3'),
  fc.string({ maxLength: 4, unit: 'grapheme-ascii' }),
);
const number = fc.oneof(fc.constantFrom(0, 1, -1, 0.5, 2.5, -0.25, 7), small);
// Close to one another: the library's durations end at 292 years.
const instant = fc.integer({ min: 1_500_000_000, max: 1_900_000_000 });
const time = instant.map((seconds) => new Date(seconds * 1000).toISOString());
const seconds = fc.integer({ min: -100_000, max: 100_000 });
const json: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'k'), tie('any'), { maxKeys: 2, noNullPrototype: true }),
  ),
})).any;

/** As JSON has them; any may be missing. */
export const attributes = fc.record(
  {
    b: fc.boolean(),
    i: small,
    j: small,
    d: number,
    s: text,
    t: text,
    y: text.map((one) => Buffer.from(one).toString('base64')),
    at: time,
    until: time,
    life: seconds.map((one) => `${one}s`),
    ints: fc.array(small, { maxLength: 4 }),
    texts: fc.array(text, { maxLength: 4 }),
    map: fc.dictionary(fc.constantFrom('a', 'b', 'ab'), small, { maxKeys: 3, noNullPrototype: true }),
    // has() of a member that is null: the library says no, CEL says yes.
    any: json.filter((value) => value !== null),
  },
  { requiredKeys: [] },
);

interface Kinds {
  readonly bool: string;
  readonly int: string;
  readonly double: string;
  readonly string: string;
  readonly time: string;
  readonly duration: string;
  readonly ints: string;
  readonly texts: string;
  readonly map: string;
  readonly dyn: string;
}

const quoted = (value: string): string => JSON.stringify(value);
const literal = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));
export const comparison = fc.constantFrom('<', '<=', '>', '>=', '==', '!=');
const zone = fc.constantFrom('', '"UTC"', '"+05:30"', '"-08:00"', '"Europe/Berlin"', '"America/New_York"');
const calendar = fc.constantFrom(
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getHours',
  'getMinutes',
  'getSeconds',
);
const pattern = fc.constantFrom('a', '^a', 'b$', '[ab]+', '^$', '.', '(a|b)b', '\\\\d');

/** Parts in the order given, joined by a template: `$0 + $1`. */
export const form = (template: string, ...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((values) => template.replace(/\$(\d)/g, (_, index: string) => values[Number(index)] ?? ''));

/** Without an expression in two places that could multiply numbers beyond 2^53: there we differ by design. */
export const expressions = fc.letrec<Kinds>((any) => {
  const tie = any as (name: keyof Kinds) => fc.Arbitrary<string>;
  const [bool, int, double, string] = [tie('bool'), tie('int'), tie('double'), tie('string')];
  const [at, duration, ints, texts, map, dyn] = [tie('time'), tie('duration'), tie('ints'), tie('texts'), tie('map'), tie('dyn')];
  const depth = { depthIdentifier: 'expression', maxDepth: 4, withCrossShrink: true } as const;
  return {
    bool: fc.oneof(
      depth,
      fc.constantFrom('true', 'false', 'r.b'),
      form('($0 $1 $2)', int, comparison, int),
      form('($0 $1 $2)', double, comparison, double),
      form('($0 $1 $2)', string, comparison, string),
      form('($0 $1 $2)', at, comparison, at),
      form('($0 $1 $2)', duration, comparison, duration),
      form('($0 $1 $2)', dyn, comparison, dyn),
      form('($0 == $1)', ints, ints),
      form('($0 == $1)', map, map),
      form('($0 && $1)', bool, bool),
      form('($0 || $1)', bool, bool),
      form('($0 && $1 && $2)', bool, bool, bool),
      form('($0 || $1 || $2)', bool, bool, bool),
      form('!($0)', bool),
      form('($0 ? $1 : $2)', bool, bool, bool),
      form('($0 in $1)', int, ints),
      form('($0 in $1)', string, texts),
      form('($0 in $1)', string, map),
      form('($0 in $1)', dyn, texts),
      form('($0).contains($1)', string, string),
      form('($0).startsWith($1)', string, string),
      form('($0).endsWith($1)', string, string),
      form('($0).matches("$1")', string, pattern),
      fc.constantFrom(...Object.keys(FIELDS)).map((name) => `has(r.${name})`),
      fc.constantFrom('has(r.map.a)'),
      form('($0).exists(x, (x $1 $2) || r.b)', ints, comparison, int),
      form('($0).all(x, x + 1 $1 $2)', ints, comparison, int),
      form('($0).exists_one(x, x $1 $2)', ints, comparison, int),
      form('($0).all(x, $1.exists(y, y == x))', texts, texts),
      form('($0).exists(x, x.startsWith($1))', texts, string),
      form('bool($0)', string),
    ),
    int: fc.oneof(
      depth,
      fc.oneof(small.map(String), fc.constantFrom('r.i', 'r.j')),
      form('($0 + $1)', int, int),
      form('($0 - $1)', int, int),
      form('($0 * 3)', int),
      form('($0 / $1)', int, int),
      form('($0 % $1)', int, int),
      form('(-$0)', int),
      form('size($0)', string),
      form('size($0)', ints),
      form('($0).size()', map),
      form('int($0)', double),
      // The library reads any text that BigInt reads, such as an empty one.
      fc.constantFrom('int("7")', 'int("-3")', 'int("x")'),
      form('int(string($0))', int),
      form('($0)[$1]', ints, int),
      form('($0)[$1]', map, string),
      fc.constantFrom('r.map.a', 'r.map["b"]'),
      form('($0 ? $1 : $2)', bool, int, int),
      form('($0).$1($2)', at, calendar, zone),
      form('($0).getHours()', duration),
    ),
    double: fc.oneof(
      depth,
      fc.oneof(number.map(literal), fc.constant('r.d')),
      form('($0 + $1)', double, double),
      form('($0 - $1)', double, double),
      form('($0 * 0.5)', double),
      form('($0 / 4.0)', double),
      form('(-$0)', double),
      form('double($0)', int),
      form('($0 ? $1 : $2)', bool, double, double),
    ),
    string: fc.oneof(
      depth,
      fc.oneof(text.map(quoted), fc.constantFrom('r.s', 'r.t')),
      form('($0 + $1)', string, string),
      form('string($0)', int),
      form('string($0)', bool),
      form('($0)[$1]', texts, int),
      form('($0 ? $1 : $2)', bool, string, string),
    ),
    time: fc.oneof(
      depth,
      fc.oneof(
        time.map((one) => `timestamp(${quoted(one)})`),
        fc.constantFrom('r.at', 'r.until'),
      ),
      form('($0 + $1)', at, duration),
      form('($0 - $1)', at, duration),
    ),
    duration: fc.oneof(
      depth,
      fc.oneof(
        seconds.map((one) => `duration("${one}s")`),
        fc.constantFrom('duration("1h30m")', 'duration("-250ms")', 'r.life'),
      ),
      form('($0 + $1)', duration, duration),
      form('($0 - $1)', at, at),
    ),
    ints: fc.oneof(
      depth,
      fc.oneof(
        fc.constant('r.ints'),
        fc.array(small, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
      ),
      form('[$0, $1]', int, int),
      form('($0 + $1)', ints, ints),
      form('($0).filter(x, x $1 $2)', ints, comparison, int),
      form('($0).map(x, x + $1)', ints, int),
      form('($0).map(x, x > 0, x - $1)', ints, int),
      form('($0).map(x, size(x))', texts),
    ),
    texts: fc.oneof(
      depth,
      fc.oneof(
        fc.constant('r.texts'),
        fc.array(text.map(quoted), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
      ),
      form('[$0, $1]', string, string),
      form('($0).filter(x, x != $1)', texts, string),
      form('($0).map(x, x + "!")', texts),
    ),
    map: fc.oneof(depth, fc.constantFrom('r.map', '{"a": 1, "b": r.i}'), form('{"k": $0}', int), form('{$0: $1, "z": 0}', string, int)),
    dyn: fc.oneof(
      depth,
      fc.constantFrom('r.any', 'dyn(1)', 'dyn(1.0)', 'dyn("a")', 'dyn(null)'),
      form('dyn($0)', int),
      form('dyn($0)', double),
      form('dyn($0)', string),
      form('dyn($0)', ints),
      form('dyn($0)', map),
      form('dyn([$0, $1])', int, string),
      form('($0 ? $1 : $2)', bool, int, string),
      fc.constantFrom(
        'r.any.a',
        'r.any["k"]',
        'r.any[0]',
        'dyn(r.any + 1)',
        'dyn(r.any + 1.0)',
        '(-r.any)',
        'dyn(size(r.any))',
        'dyn(r.any.map(x, x))',
      ),
      form('($0 + $1)', dyn, dyn),
    ),
  };
}).bool;
