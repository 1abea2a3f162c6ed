// Comparisons and membership as filters: constants to the right, kinds that never meet decided, times moved to the side of the constant.
import { and, call, FALSE, type Filter, type FilterType, isUnknown, or, TRUE, UNKNOWN, when } from './filter.ts';
import { makeTimestamp, parseDuration, parseTimestamp, printTimestamp } from './timestamp.ts';
import type { Constant } from './tree.ts';
import type { Duration, Timestamp } from './value.ts';

export type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

type Literal = Extract<Filter, { kind: 'constant' }>;

/** A value that is `null`, or of a kind that no column has: equal to nothing that a row holds. */
export const STRANGER = 'stranger';
export type Operand = Filter | typeof STRANGER;

const FLIPPED: Readonly<Record<Comparison, Comparison>> = { eq: 'eq', ne: 'ne', lt: 'gt', le: 'ge', gt: 'lt', ge: 'le' };

const isLiteral = (filter: Filter): filter is Literal => filter.kind === 'constant';
const isNumber = (type: FilterType): boolean => type === 'int' || type === 'double';
const meets = (a: FilterType, b: FilterType): boolean => a === b || (isNumber(a) && isNumber(b));
export const isList = (filter: Filter): boolean => (filter.kind === 'constant' || filter.kind === 'attribute') && filter.list;

/** The answer where the row has the values asked for, no answer where it has not. */
const present = (filters: readonly Filter[], answer: Filter): Filter => {
  if (filters.some(isUnknown)) return UNKNOWN;
  return when(and(...filters.filter((one) => !isLiteral(one)).map((one) => call('has_value', 'bool', one))), answer, UNKNOWN);
};

/** `c - row < d` as `row > c - d`, `row - c < d` as `row < c + d`: the column stands alone, so that an index serves. */
const moved = (operator: Comparison, left: Filter, right: Filter): readonly [Comparison, Filter, Filter] => {
  if (left.kind !== 'call' || left.operator !== 'subtract' || right.kind !== 'constant' || right.type !== 'duration')
    return [operator, left, right];
  const [from, what] = left.operands;
  const span: Duration | null = parseDuration(String(right.value));
  if (from === undefined || what === undefined || span === null || from.type !== 'timestamp' || what.type !== 'timestamp')
    return [operator, left, right];
  const fixed = isLiteral(from) ? from : isLiteral(what) ? what : null;
  const instant: Timestamp | null = fixed === null ? null : parseTimestamp(String(fixed.value));
  if (fixed === null || instant === null) return [operator, left, right];
  const sign = fixed === from ? -1 : 1;
  const bound = makeTimestamp(instant.seconds + sign * span.seconds, instant.nanos + sign * span.nanos);
  if (bound === null || bound.nanos % 1000 !== 0) return [operator, left, right];
  const constant: Filter = { ...fixed, value: printTimestamp(bound) };
  return fixed === from ? [FLIPPED[operator], what, constant] : [operator, from, constant];
};

export const compare = (operator: Comparison, a: Operand, b: Operand): Filter | null => {
  const unequal = operator === 'ne' ? TRUE : FALSE;
  if (a === STRANGER || b === STRANGER) {
    const other = a === STRANGER ? b : a;
    if (other === STRANGER) return null;
    return operator === 'eq' || operator === 'ne' ? present([other], unequal) : UNKNOWN;
  }
  if (isUnknown(a) || isUnknown(b)) return UNKNOWN;
  if (isList(a) || isList(b)) return null;
  if (!meets(a.type, b.type)) return operator === 'eq' || operator === 'ne' ? present([a, b], unequal) : UNKNOWN;
  const [left, right, turned] = isLiteral(a) ? [b, a, FLIPPED[operator]] : [a, b, operator];
  const [op, x, y] = moved(turned, left, right);
  return call(op, 'bool', x, y);
};

/** Membership in a list written out or known: one of its items, where the row has a value at all. */
const amongConstants = (item: Filter, list: Literal): Filter => {
  if (!meets(item.type, list.type) || (list.value as readonly Constant[]).length === 0) return present([item], FALSE);
  return call('in', 'bool', item, list);
};

export const contains = (item: Operand, list: Filter): Filter | null => {
  if (!isList(list)) return null;
  if (item === STRANGER) return present([list], FALSE);
  if (isUnknown(item)) return UNKNOWN;
  // A computed time is written as a number: no list of times holds it.
  if (item.kind === 'call' && item.type === 'timestamp') return null;
  if (isLiteral(list)) return amongConstants(item, list);
  return meets(item.type, list.type) ? call('in', 'bool', item, list) : present([item, list], FALSE);
};

/** Membership in a list whose items are computed from the row: all of them must be there. */
export const among = (item: Operand, items: readonly Operand[]): Filter | null => {
  const equals = items.map((one) => compare('eq', item, one));
  if (equals.some((one) => one === null)) return null;
  const rows = [item, ...items].filter((one) => one !== STRANGER);
  return present(rows, or(...equals.flatMap((one) => one ?? [])));
};

/** exists(list, item → condition), said as membership where the condition asks no more than that. */
export const existing = (list: Filter, depth: number, body: Filter): Filter => {
  const [left, right] = body.kind === 'call' ? body.operands : [];
  const simple = left?.kind === 'element' && left.depth === depth && right?.kind === 'constant' && left.type === right.type;
  if (simple && body.kind === 'call' && body.operator === 'eq') return call('in', 'bool', right, list);
  if (simple && body.kind === 'call' && body.operator === 'in') return call('overlaps', 'bool', list, right);
  return call('exists', 'bool', list, body);
};
