// Compiles calls, comparisons and equality: one closure a node, chosen by the types, so that nothing is decided twice.
import { BUDGET, charge, firstError, type Room, type Run } from './closure.ts';
import { toDyn } from './coerce.ts';
import { IMPLEMENTATIONS, type Implementation } from './functions.ts';
import { FUNCTIONS, type Overload } from './overloads.ts';
import { compilePattern } from './regexp.re2.ts';
import type { Expr } from './tree.ts';
import type { Type } from './type.ts';
import {
  compareTimes,
  equalValues,
  errorOf,
  hasEntry,
  isDuration,
  isError,
  isTimestamp,
  kindOf,
  numberOf,
  type Value,
  wrapInt,
} from './value.ts';

type Call = Extract<Expr, { kind: 'call' }>;
type Equal = Extract<Expr, { kind: 'equal' }>;
type In = Extract<Expr, { kind: 'in' }>;

const NO_OVERLOAD = errorOf('wrong_type', 'the function does not take values of these types');
const NO_CONTAINER = errorOf('wrong_type', 'in wants a list or a map');

/** The part's value carrying its own type. */
export const asDyn = (expr: Expr, room: Room): Run => {
  const run = room.compile(expr);
  if (expr.type.kind === 'dyn') return run;
  const convert = toDyn(expr.type, room.schema);
  return (variables) => {
    const value = run(variables);
    return isError(value) ? value : convert(value);
  };
};

const isNumber = (type: Type): boolean => type.kind === 'int' || type.kind === 'double';

const compareNumbers = (id: string, left: Run, right: Run): Run | null => {
  const [name] = /^(less_equal|less|greater_equal|greater)_(?:int|double)/.exec(id)?.slice(1) ?? [];
  const both =
    (test: (a: number, b: number) => boolean): Run =>
    (variables) => {
      const a = left(variables);
      const b = right(variables);
      return typeof a === 'number' && typeof b === 'number' ? test(a, b) : firstError(a, b);
    };
  switch (name) {
    case 'less':
      return both((a, b) => a < b);
    case 'less_equal':
      return both((a, b) => a <= b);
    case 'greater':
      return both((a, b) => a > b);
    case 'greater_equal':
      return both((a, b) => a >= b);
    default:
      return null;
  }
};

const overloadsOf = (call: Call): readonly Overload[] =>
  (FUNCTIONS.get(call.name) ?? []).filter(({ id, params }) => call.overloads.includes(id) && params.length === call.args.length);

const implementation = (id: string): Implementation => IMPLEMENTATIONS.get(id) ?? (() => NO_OVERLOAD);

/** What grows or looks through texts and lists pays for their length. */
const paid = (room: Room, id: string, apply: (a: Value, b: Value) => Value): ((a: Value, b: Value) => Value) => {
  if (!/^(add_string|add_bytes|add_list|contains|size_string)$/.test(id)) return apply;
  const units = id === 'add_list' ? 1 : 256;
  const lengthOf = (value: Value): number => (value as { readonly length?: number } | undefined)?.length ?? 0;
  return (a, b) => charge(room, 1 + (lengthOf(a) + lengthOf(b)) / units) ?? apply(a, b);
};

const matches = (call: Call, room: Room, target: Run): Run => {
  const source = call.args[1];
  const pattern = source?.kind === 'literal' && typeof source.value === 'string' ? compilePattern(source.value) : null;
  if (pattern === null) return () => NO_OVERLOAD;
  // Measured: up to 0.03 µs a character and instruction.
  const steps = 10 + pattern.size;
  return (variables) => {
    const text = target(variables);
    if (typeof text !== 'string') return isError(text) ? text : NO_OVERLOAD;
    return charge(room, 1 + text.length * steps) ?? pattern.test(text);
  };
};

/** One overload, all types known. */
const direct = (room: Room, id: string, args: readonly Run[]): Run => {
  const apply = paid(room, id, implementation(id) as (a: Value, b: Value) => Value);
  const [first, second] = args;
  if (first === undefined) return () => NO_OVERLOAD;
  if (second === undefined)
    return (variables) => {
      const a = first(variables);
      return isError(a) ? a : apply(a, undefined);
    };
  return (
    compareNumbers(id, first, second) ??
    ((variables) => {
      const a = first(variables);
      if (isError(a)) return a;
      const b = second(variables);
      return isError(b) ? b : apply(a, b);
    })
  );
};

/** Which overload is decided by what the values are. */
const dispatched = (call: Call, room: Room): Run => {
  const candidates = overloadsOf(call).map(({ id, params, result }) => ({
    kinds: params.map(({ kind }) => kind as string),
    apply: paid(room, id, implementation(id) as (a: Value, b: Value) => Value),
    wrap: result.kind === 'int' && call.type.kind === 'dyn',
  }));
  const args = call.args.map((arg) => asDyn(arg, room));
  return (variables) => {
    const values: Value[] = [];
    for (const arg of args) {
      const value = arg(variables);
      if (isError(value)) return value;
      values.push(value);
    }
    const kinds = values.map(kindOf);
    const chosen = candidates.find((candidate) => candidate.kinds.every((kind, i) => kind === kinds[i]));
    if (chosen === undefined) return NO_OVERLOAD;
    const [a, b] = values.map((value, i) => (kinds[i] === 'int' ? numberOf(value) : value));
    const result = chosen.apply(a, b);
    return chosen.wrap && typeof result === 'number' ? wrapInt(result) : result;
  };
};

export const compileCall = (call: Call, room: Room): Run => {
  const known = call.args.every(({ type }) => type.kind !== 'dyn');
  const [id = ''] = call.overloads;
  if (id === 'matches' && call.args[0] !== undefined) return matches(call, room, room.compile(call.args[0]));
  return known && call.overloads.length === 1 ? direct(room, id, call.args.map(room.compile)) : dispatched(call, room);
};

/** Scalars that JavaScript compares as CEL does. */
const scalarOf = (type: Type): 'string' | 'number' | 'boolean' | null =>
  type.kind === 'string' ? 'string' : isNumber(type) ? 'number' : type.kind === 'bool' ? 'boolean' : null;

const equality = (expr: Equal, room: Room): Run => {
  const { left, right } = expr;
  const scalar = scalarOf(left.type);
  if (scalar !== null && scalar === scalarOf(right.type)) {
    const [a, b] = [room.compile(left), room.compile(right)];
    return (variables) => {
      const x = a(variables);
      const y = b(variables);
      // biome-ignore lint/suspicious/useValidTypeof: one of three names, all valid.
      return typeof x === scalar && typeof y === scalar ? x === y : firstError(x, y);
    };
  }
  const timed = left.type.kind === right.type.kind && (left.type.kind === 'timestamp' || left.type.kind === 'duration');
  if (timed) {
    const [a, b] = [room.compile(left), room.compile(right)];
    return (variables) => {
      const x = a(variables);
      const y = b(variables);
      const both = (isTimestamp(x) && isTimestamp(y)) || (isDuration(x) && isDuration(y));
      return both ? compareTimes(x, y) === 0 : firstError(x, y);
    };
  }
  const [a, b] = [asDyn(left, room), asDyn(right, room)];
  return (variables) => {
    const x = a(variables);
    if (isError(x)) return x;
    const y = b(variables);
    if (isError(y)) return y;
    const same = equalValues(x, y, room.meter);
    return room.meter.left < 0 ? BUDGET : same;
  };
};

export const compileEqual = (expr: Equal, room: Room): Run => {
  const equal = equality(expr, room);
  if (!expr.negated) return equal;
  return (variables) => {
    const value = equal(variables);
    return typeof value === 'boolean' ? !value : value;
  };
};

/** A list written out in constants: a set, made once. */
const constants = ({ item, container }: In): ReadonlySet<Value> | null => {
  if (container.kind !== 'list' || container.type.kind !== 'list') return null;
  const scalar = scalarOf(container.type.of);
  if (scalar === null || scalarOf(item.type) !== scalar) return null;
  const values = container.items.flatMap((one) => (one.kind === 'literal' ? [one.value] : []));
  return values.length === container.items.length ? new Set(values) : null;
};

export const compileIn = (expr: In, room: Room): Run => {
  const item = room.compile(expr.item);
  const set = constants(expr);
  if (set !== null)
    return (variables) => {
      const value = item(variables);
      return isError(value) ? value : set.has(value);
    };
  const { type } = expr.container;
  const scalar = scalarOf(expr.item.type);
  if (type.kind === 'list' && scalar !== null && scalar === scalarOf(type.of)) {
    const container = room.compile(expr.container);
    return (variables) => {
      const value = item(variables);
      if (isError(value)) return value;
      const list = container(variables);
      if (isError(list)) return list;
      return charge(room, 1 + (list as readonly Value[]).length / 8) ?? (list as readonly Value[]).includes(value);
    };
  }
  const [anyItem, container] = [asDyn(expr.item, room), type.kind === 'map' ? room.compile(expr.container) : asDyn(expr.container, room)];
  return (variables) => {
    const value = anyItem(variables);
    if (isError(value)) return value;
    const holder = container(variables);
    if (isError(holder)) return holder;
    if (Array.isArray(holder)) {
      const broke = charge(room, 1 + holder.length);
      if (broke !== null) return broke;
      const found = holder.some((one: Value) => equalValues(value, one, room.meter) || room.meter.left < 0);
      return room.meter.left < 0 ? BUDGET : found;
    }
    return kindOf(holder) === 'map' ? hasEntry(holder, value) : NO_CONTAINER;
  };
};
