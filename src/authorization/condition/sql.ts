// A row filter as parameterised SQL for Postgres 15 and newer. What has no value is NULL, and runs through AND, OR and NOT as such.
import type { Filter, FilterType } from './filter.ts';
import { parseDuration } from './timestamp.ts';
import type { Constant } from './tree.ts';

/** Where an attribute stands in a query: a column's name, dotted after its table's alias, or SQL of one's own, such as `id::text`. */
export type Columns = Readonly<Record<string, string | { readonly sql: string }>>;

export type Rendered =
  | {
      readonly ok: true;
      /** A condition for WHERE, true for exactly the rows that pass. */
      readonly sql: string;
      readonly parameters: readonly unknown[];
    }
  /** Attributes that the filter reads and no column was named for. */
  | { readonly ok: false; readonly missing: readonly string[] };

export interface RenderOptions {
  /** How the n-th parameter is written, counted from 1. Default `$1`, `$2`, … */
  readonly placeholder?: (n: number) => string;
}

type Call = Extract<Filter, { kind: 'call' }>;
type Attribute = Extract<Filter, { kind: 'attribute' }>;

const TYPES: Readonly<Record<FilterType, string>> = {
  bool: 'boolean',
  int: 'bigint',
  double: 'double precision',
  string: 'text',
  bytes: 'bytea',
  timestamp: 'timestamptz',
  // Seconds: an interval of a month has no length.
  duration: 'numeric',
};

const COMPARISONS: Readonly<Record<string, string>> = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '>=' };
const SAFE = 'BETWEEN -9007199254740991 AND 9007199254740991';
/** The years 1 to 9999 as seconds since 1970. */
const YEARS = 'BETWEEN -62135596800 AND 253402300799.999999';
const SPAN = 'BETWEEN -315576000000 AND 315576000000';

const quoted = (name: string): string =>
  name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

const seconds = (text: string): string => {
  const { seconds: whole, nanos } = parseDuration(text) ?? { seconds: 0, nanos: 0 };
  return `${whole < 0 || nanos < 0 ? '-' : ''}${Math.abs(whole)}.${String(Math.abs(nanos)).padStart(9, '0')}`;
};

const parameterOf = (type: FilterType, value: Constant): unknown => {
  if (type === 'bytes') return Buffer.from(String(value), 'base64');
  return type === 'duration' ? seconds(String(value)) : value;
};

/** NULL where the value is outside its range; computed once. */
const within = (value: string, range: string): string => `(SELECT v FROM (SELECT ${value} AS v) AS c WHERE v ${range})`;

export const renderSql = (filter: Filter, columns: Columns, { placeholder = (n) => `$${n}` }: RenderOptions = {}): Rendered => {
  const parameters: unknown[] = [];
  const missing = new Set<string>();
  /** How many exists and all are around: the names of their elements. */
  let around = 0;

  const parameter = (value: unknown, type: string): string => {
    parameters.push(value);
    return `${placeholder(parameters.length)}::${type}`;
  };

  const column = ({ name }: Attribute): string => {
    const known = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (known === undefined) missing.add(`resource.${name}`);
    return known === undefined ? 'NULL' : typeof known === 'string' ? quoted(known) : `(${known.sql})`;
  };

  /** The column as a value: NULL where the row's own is none of those declared, or holds a NULL among its items. */
  const attribute = (one: Attribute, positive: boolean): string => {
    const raw = column(one);
    if (one.list) {
      const values = one.values === undefined ? '' : ` AND ${raw} <@ ${parameter(one.values, 'text[]')}`;
      return `(CASE WHEN array_position(${raw}, NULL) IS NULL${values} THEN ${raw} END)`;
    }
    if (one.type === 'duration') return `extract(epoch FROM ${raw})`;
    if (one.values === undefined || positive) return raw;
    return `(CASE WHEN ${raw} = ANY(${parameter(one.values, 'text[]')}) THEN ${raw} END)`;
  };

  /** `positive`: only true matters, so that false and NULL are one. */
  const render = (one: Filter, positive: boolean): string => {
    switch (one.kind) {
      case 'unknown':
        return `NULL::${TYPES[one.type]}`;
      case 'constant':
        if (one.list)
          return parameter(
            (one.value as readonly Constant[]).map((item) => parameterOf(one.type, item)),
            `${TYPES[one.type]}[]`,
          );
        if (one.type === 'bool') return one.value === true ? 'TRUE' : 'FALSE';
        return parameter(parameterOf(one.type, one.value as Constant), TYPES[one.type]);
      case 'attribute':
        return attribute(one, false);
      case 'element':
        return one.type === 'duration' ? `extract(epoch FROM e${one.depth}.v)` : `e${one.depth}.v`;
      case 'call':
        return `(${calls(one, positive)})`;
    }
  };

  const collated = (one: Filter): string => (one.type === 'string' ? ' COLLATE "C"' : '');

  /** A value outside its enum is unequal to constants within it, which is as good as NULL where only true matters. */
  const compared = (one: Filter, other: Filter, positive: boolean): string => {
    if (one.kind !== 'attribute' || one.list || one.values === undefined || other.kind !== 'constant') return render(one, false);
    const { values } = one;
    return attribute(one, positive && [other.value].flat().every((value) => values.includes(String(value))));
  };

  const quantified = ({ operator, operands }: Call): string => {
    const [list, body] = operands as readonly [Filter, Filter];
    const [decisive, answer, otherwise] = operator === 'exists' ? ['b', 'TRUE', 'FALSE'] : ['NOT b', 'FALSE', 'TRUE'];
    const depth = around++;
    const items = render(list, false);
    const verdict = `CASE WHEN bool_or(${decisive}) THEN ${answer} WHEN bool_or(b IS NULL) THEN NULL ELSE ${otherwise} END`;
    const rows = `unnest(${items}) AS e${depth}(v) CROSS JOIN LATERAL (SELECT ${render(body, false)} AS b) AS r${depth}`;
    around--;
    return `CASE WHEN ${items} IS NOT NULL THEN (SELECT ${verdict} FROM ${rows}) END`;
  };

  const arithmetic = ({ operator, type, operands }: Call): string => {
    const sign = operator === 'add' ? '+' : operator === 'subtract' ? '-' : '*';
    if (type === 'duration' || type === 'timestamp') {
      const [x = 'NULL', y = 'NULL'] = operands.map(epoch);
      return within(`${x} ${sign} ${y}`, type === 'duration' ? SPAN : YEARS);
    }
    const [a = 'NULL', b = 'NULL'] = operands.map((one) => render(one, false));
    if (type === 'string') return `${a} || ${b}`;
    if (operator === 'divide' || operator === 'modulo') {
      const name = operator === 'divide' ? 'div' : 'mod';
      return within(`${name}(${a}::numeric, nullif(${b}::numeric, 0))`, SAFE);
    }
    return within(`${a}::numeric ${sign} ${b}::numeric`, SAFE);
  };

  /** A computed time is seconds since 1970: exact, and no result is beyond what the type holds. */
  const isComputedTime = (one: Filter): boolean => one.kind === 'call' && one.type === 'timestamp';

  const epoch = (one: Filter): string =>
    one.type === 'timestamp' && !isComputedTime(one) ? `extract(epoch FROM ${render(one, false)})` : render(one, false);

  const calls = (one: Call, positive: boolean): string => {
    const { operator, operands } = one;
    const [first, second] = operands as readonly [Filter, Filter];
    switch (operator) {
      case 'and':
      case 'or':
        return operands.map((each) => render(each, positive)).join(operator === 'and' ? ' AND ' : ' OR ');
      case 'not':
        return `NOT ${render(first, false)}`;
      case 'if': {
        const branches = operands.slice(1).map((each) => (one.type === 'timestamp' ? epoch(each) : render(each, positive)));
        return `CASE ${render(first, false)} WHEN TRUE THEN ${branches[0]} WHEN FALSE THEN ${branches[1]} END`;
      }
      case 'is_false':
        return `${render(first, false)} IS FALSE`;
      case 'is_present':
        return first.kind === 'attribute' ? `${column(first)} IS NOT NULL` : `${render(first, false)} IS NOT NULL`;
      case 'has_value':
        return `${render(first, false)} IS NOT NULL`;
      case 'eq':
        if (isComputedTime(first) || isComputedTime(second)) return `${epoch(first)} = ${epoch(second)}`;
        return `${compared(first, second, positive)} = ${render(second, false)}`;
      case 'ne':
      case 'lt':
      case 'le':
      case 'gt':
      case 'ge': {
        if (isComputedTime(first) || isComputedTime(second)) return `${epoch(first)} ${COMPARISONS[operator]} ${epoch(second)}`;
        const collation = operator === 'ne' ? '' : collated(first);
        return `${render(first, false)}${collation} ${COMPARISONS[operator]} ${render(second, false)}${collation}`;
      }
      case 'in': {
        const item = compared(first, second, positive);
        const member = `${item} = ANY(${render(second, false)})`;
        // NULL is not in an empty list, but has no value.
        return positive || first.kind === 'constant' ? member : `CASE WHEN ${item} IS NOT NULL THEN ${member} END`;
      }
      case 'overlaps':
        return `${render(first, false)} && ${render(second, false)}`;
      case 'contains':
        return `strpos(${render(first, false)}, ${render(second, false)}) > 0`;
      case 'starts_with':
        return `starts_with(${render(first, false)}, ${render(second, false)})`;
      case 'ends_with': {
        const end = render(second, false);
        return `right(${render(first, false)}, char_length(${end})) = ${end}`;
      }
      case 'size':
        return first.kind === 'attribute' && first.list
          ? `cardinality(${render(first, false)})::bigint`
          : `char_length(${render(first, false)})::bigint`;
      case 'negate':
        return `- ${render(first, false)}`;
      case 'exists':
      case 'all':
        return quantified(one);
      default:
        return arithmetic(one);
    }
  };

  const sql = render(filter, true);
  return missing.size > 0 ? { ok: false, missing: [...missing].sort() } : { ok: true, sql, parameters };
};
