// Row filters: what is left of conditions when everything but the row is known. Plain data, the shape of the message RowFilter.
// A value that a row does not have is no value: `unknown` runs through and, or and not as NULL does in SQL and errors do in CEL.
import type { Constant } from './tree.ts';

export const TYPES = ['bool', 'int', 'double', 'string', 'bytes', 'timestamp', 'duration'] as const;
export type FilterType = (typeof TYPES)[number];

export const OPERATORS = [
  'and',
  'or',
  'not',
  /** test, value, other value. */
  'if',
  /** Whether it is false for certain: neither true nor unknown. */
  'is_false',
  /** Whether the row has the attribute at all. */
  'is_present',
  /** Whether there is a value: present and, of an enum, one of its values. */
  'has_value',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  /** item, list. */
  'in',
  /** list, list: whether an item stands in both. */
  'overlaps',
  'contains',
  'starts_with',
  'ends_with',
  'size',
  'add',
  'subtract',
  'multiply',
  'divide',
  'modulo',
  'negate',
  /** list, condition over its `element`s. */
  'exists',
  'all',
] as const;
export type Operator = (typeof OPERATORS)[number];

export type Filter =
  /** `value` of a list: its items. Timestamps and durations as texts, bytes as base64. */
  | { readonly kind: 'constant'; readonly type: FilterType; readonly list: boolean; readonly value: Constant | readonly Constant[] }
  /** No value, for certain. */
  | { readonly kind: 'unknown'; readonly type: FilterType }
  /** `amount` of `resource.amount`. `values`: the only ones it takes; another is no value. */
  | {
      readonly kind: 'attribute';
      readonly type: FilterType;
      readonly list: boolean;
      readonly name: string;
      readonly values?: readonly string[];
    }
  /** The element that the exists or all around it looks at; `depth` counts those around it from the outermost. */
  | { readonly kind: 'element'; readonly type: FilterType; readonly depth: number }
  | { readonly kind: 'call'; readonly type: FilterType; readonly operator: Operator; readonly operands: readonly Filter[] };

export const TRUE: Filter = { kind: 'constant', type: 'bool', list: false, value: true };
export const FALSE: Filter = { kind: 'constant', type: 'bool', list: false, value: false };
export const UNKNOWN: Filter = { kind: 'unknown', type: 'bool' };

export const isTrue = (filter: Filter): boolean => filter.kind === 'constant' && filter.value === true;
export const isFalse = (filter: Filter): boolean => filter.kind === 'constant' && filter.value === false;
export const isUnknown = (filter: Filter): boolean => filter.kind === 'unknown';

export const call = (operator: Operator, type: FilterType, ...operands: readonly Filter[]): Filter => ({
  kind: 'call',
  type,
  operator,
  operands,
});

const same = (a: Filter, b: Filter): boolean => JSON.stringify(a) === JSON.stringify(b);

/** `and` where `decisive` is false, `or` where it is true: flat, without what decides nothing, each operand once. */
const logical = (operator: 'and' | 'or', operands: readonly Filter[]): Filter => {
  const [decides, neutral] = operator === 'and' ? [isFalse, isTrue] : [isTrue, isFalse];
  const flat = operands.flatMap((one) => (one.kind === 'call' && one.operator === operator ? one.operands : [one]));
  const decided = flat.find(decides);
  if (decided !== undefined) return decided;
  const left = [...new Map(flat.filter((one) => !neutral(one)).map((one) => [JSON.stringify(one), one])).values()];
  const [only] = left;
  if (only === undefined) return operator === 'and' ? TRUE : FALSE;
  return left.length === 1 ? only : call(operator, 'bool', ...left);
};

export const and = (...operands: readonly Filter[]): Filter => logical('and', operands);
export const or = (...operands: readonly Filter[]): Filter => logical('or', operands);

export const not = (operand: Filter): Filter => {
  if (isTrue(operand)) return FALSE;
  if (isFalse(operand)) return TRUE;
  if (isUnknown(operand)) return operand;
  return operand.kind === 'call' && operand.operator === 'not' ? (operand.operands[0] ?? UNKNOWN) : call('not', 'bool', operand);
};

/** True where the operand is false for certain: how a deny counts, which denies where it has no value. */
export const isFalseFor = (operand: Filter): Filter => {
  if (isTrue(operand) || isUnknown(operand)) return FALSE;
  return isFalse(operand) ? TRUE : call('is_false', 'bool', operand);
};

export const when = (test: Filter, yes: Filter, no: Filter): Filter => {
  if (isTrue(test)) return yes;
  if (isFalse(test)) return no;
  if (isUnknown(test)) return { kind: 'unknown', type: yes.type };
  return same(yes, no) && isUnknown(yes) ? yes : call('if', yes.type, test, yes, no);
};

/** Unknown can never come out true: where only that counts it is false. */
const decided = (filter: Filter): Filter => (isUnknown(filter) ? FALSE : filter);

/** The rows that some allow allows for certain and every deny fails to deny for certain. */
export const rowsOf = (allows: readonly Filter[], denies: readonly Filter[]): Filter =>
  and(or(...allows.map(decided)), ...denies.map(isFalseFor));
