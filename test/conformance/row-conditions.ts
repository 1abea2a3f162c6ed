// Random conditions about rows, rows to ask about, and everything else that the conditions read.
import fc from 'fast-check';
import { type Activation, conditionSchema, type Type } from '../../src/authorization/condition/condition.ts';
import { comparison, form } from './expressions.ts';

const STRING: Type = { kind: 'string' };
const LEVELS = ['low', 'high'];

/** Column types stand beside the declared ones. */
export const COLUMNS: Readonly<Record<string, { readonly type: Type; readonly sql: string }>> = {
  owner_id: { type: STRING, sql: 'text' },
  amount: { type: { kind: 'int' }, sql: 'integer' },
  balance: { type: { kind: 'int' }, sql: 'bigint' },
  weight: { type: { kind: 'double' }, sql: 'double precision' },
  department: { type: STRING, sql: 'text' },
  level: { type: { kind: 'string', values: LEVELS }, sql: 'text' },
  open: { type: { kind: 'bool' }, sql: 'boolean' },
  tags: { type: { kind: 'list', of: STRING }, sql: 'text[]' },
  counts: { type: { kind: 'list', of: { kind: 'int' } }, sql: 'integer[]' },
  created_at: { type: { kind: 'timestamp' }, sql: 'timestamptz' },
  expires_at: { type: { kind: 'timestamp' }, sql: 'timestamptz' },
  life: { type: { kind: 'duration' }, sql: 'interval' },
  digest: { type: { kind: 'bytes' }, sql: 'bytea' },
};

const { owner_id: _, ...declared } = COLUMNS;

export const schema = conditionSchema({
  resource: Object.fromEntries(Object.entries(declared).map(([name, { type }]) => [name, type])),
  subject: { department: STRING, limit: { kind: 'int' }, since: { kind: 'timestamp' }, areas: { kind: 'list', of: STRING } },
});

const NOW = Date.parse('2026-06-15T12:00:00Z');

const word = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'sales', 'é', 'Z', '😀', '￼', '%', "it's");
const small = fc.integer({ min: -3, max: 4 });
const large = fc.oneof(small, fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1));
const number = fc.constantFrom(-1.5, -1, 0, 0.5, 1, 2, 3.25);
const instant = fc.oneof(
  fc.integer({ min: -4, max: 4 }).map((hours) => new Date(NOW + hours * 1_800_000).toISOString()),
  fc.constantFrom('2026-06-15T12:00:00.000001Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z'),
);
const span = fc.constantFrom('0s', '1800s', '-1800s', '3600s', '5400.5s', '0.000001s');
const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 6, nil: null });

export type Row = Readonly<Record<string, unknown>>;

/** As a check is told about it, and as the table holds it. */
export const row: fc.Arbitrary<Row> = fc.record({
  owner_id: nullable(word),
  amount: nullable(small),
  balance: nullable(large),
  weight: nullable(number),
  department: nullable(word),
  level: nullable(fc.constantFrom(...LEVELS, 'none of them')),
  open: nullable(fc.boolean()),
  tags: nullable(fc.array(fc.option(word, { freq: 12 }), { maxLength: 3 })),
  counts: nullable(fc.array(fc.option(small, { freq: 12 }), { maxLength: 3 })),
  created_at: nullable(instant),
  expires_at: nullable(instant),
  life: nullable(span),
  digest: nullable(word.map((text) => Buffer.from(text).toString('base64'))),
});

const json = fc.oneof(fc.constant(null), fc.boolean(), number, word, fc.array(fc.oneof(word, number), { maxLength: 3 }));

export const known: fc.Arbitrary<Activation> = fc
  .record({
    id: word,
    roles: fc.array(word, { maxLength: 2 }),
    attributes: fc.record(
      { department: word, limit: small, since: instant, areas: fc.array(word, { maxLength: 3 }) },
      { requiredKeys: [] },
    ),
    context: fc.record({ any: json, list: fc.array(fc.oneof(word, number), { maxLength: 3 }) }, { requiredKeys: [] }),
  })
  .map(({ id, roles, attributes, context }) => ({
    subject: { type: 'user', id, roles, attributes },
    resource: { type: 'thing' },
    action: 'read',
    context,
    asserted: {},
    workload: '',
    environment: 'test',
    now: NOW,
  }));

interface Kinds {
  readonly bool: string;
  readonly int: string;
  readonly double: string;
  readonly string: string;
  readonly time: string;
  readonly duration: string;
  readonly texts: string;
}

export const conditions = fc.letrec<Kinds>((any) => {
  const tie = any as (name: keyof Kinds) => fc.Arbitrary<string>;
  const [bool, int, double, string] = [tie('bool'), tie('int'), tie('double'), tie('string')];
  const [time, duration, texts] = [tie('time'), tie('duration'), tie('texts')];
  const depth = { depthIdentifier: 'row', maxDepth: 3, withCrossShrink: true } as const;
  const text = word.map((one) => JSON.stringify(one));
  return {
    bool: fc.oneof(
      depth,
      fc.constantFrom(
        'resource.open',
        '(subject.id == resource.owner_id)',
        '(resource.level == "low")',
        '(resource.level != "high")',
        'true',
        '(resource.type == "thing")',
      ),
      form('($0 $1 $2)', int, comparison, int),
      form('($0 $1 $2)', double, comparison, double),
      form('($0 $1 $2)', int, fc.constantFrom('<', '>='), double),
      form('($0 $1 $2)', string, comparison, string),
      form('($0 $1 $2)', time, comparison, time),
      form('($0 $1 $2)', duration, comparison, duration),
      form('($0 $1 $2)', bool, fc.constantFrom('==', '!=', '<'), bool),
      form('(resource.digest $0 b$1)', comparison, text),
      form('($0 $1 context.any)', fc.oneof(int, string, time, bool), comparison),
      form('(context.any $1 $0)', fc.oneof(int, double, string), comparison),
      form('($0 && $1)', bool, bool),
      form('($0 || $1)', bool, bool),
      form('!($0)', bool),
      form('($0 ? $1 : $2)', bool, bool, bool),
      form('($0 in $1)', string, texts),
      form('($0 in [$1, $2])', int, int, int),
      form('($0 in [resource.department, $1])', string, string),
      form('($0 in resource.counts)', fc.oneof(int, fc.constant('context.any'))),
      form('($0 in context.list)', fc.oneof(int, double, string)),
      fc.constantFrom(
        '(context.any in resource.tags)',
        '(resource.level in ["low"])',
        '!(resource.level in ["low"])',
        '("a" in context.any)',
      ),
      form('($0).contains($1)', string, string),
      form('($0).startsWith($1)', string, string),
      form('($0).endsWith($1)', string, string),
      form('has(resource.$0)', fc.constantFrom(...Object.keys(COLUMNS))),
      form('resource.tags.exists(t, t == $0)', string),
      form('resource.tags.exists(t, t in $0)', texts),
      form('resource.tags.all(t, t.startsWith($0) || $1)', string, bool),
      form('resource.counts.exists(c, c + 1 $0 $1)', comparison, int),
      form('resource.counts.all(c, resource.tags.exists(t, size(t) > c))'),
      form('resource.counts.exists(c, resource.tags.exists(t, c > $0))', int),
      form('subject.areas.exists(a, a == $0)', string),
      form('subject.areas.all(a, a in resource.tags || $0)', bool),
    ),
    int: fc.oneof(
      depth,
      fc.oneof(fc.constantFrom('resource.amount', 'resource.balance', 'subject.limit'), small.map(String)),
      form('($0 + $1)', int, int),
      form('($0 - $1)', int, int),
      form('($0 * $1)', int, int),
      form('($0 / $1)', int, int),
      form('($0 % $1)', int, int),
      form('(-$0)', int),
      form('size($0)', string),
      form('size($0)', texts),
      form('($0 ? $1 : $2)', bool, int, int),
    ),
    double: fc.oneof(
      depth,
      fc.oneof(
        fc.constant('resource.weight'),
        number.map((one) => (Number.isInteger(one) ? `${one}.0` : String(one))),
      ),
      form('(-$0)', double),
    ),
    string: fc.oneof(
      depth,
      fc.oneof(fc.constantFrom('resource.owner_id', 'resource.department', 'resource.level', 'subject.id', 'subject.department'), text),
      form('($0 + $1)', string, string),
    ),
    time: fc.oneof(
      depth,
      fc.oneof(
        fc.constantFrom('resource.created_at', 'resource.expires_at', 'now', 'subject.since'),
        instant.map((one) => `timestamp("${one}")`),
      ),
      form('($0 + $1)', time, duration),
      form('($0 - $1)', time, duration),
    ),
    duration: fc.oneof(
      depth,
      fc.oneof(
        fc.constant('resource.life'),
        span.map((one) => `duration("${one}")`),
      ),
      form('($0 - $1)', time, time),
      form('($0 + $1)', duration, duration),
    ),
    texts: fc.oneof(depth, fc.constantFrom('resource.tags', 'subject.areas', 'subject.roles'), form('[$0, $1]', text, text)),
  };
}).bool;
