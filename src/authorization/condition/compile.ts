// Tree → closures: what a check evaluates. Compiled once a snapshot; an evaluation reads, compares and throws nothing.
import { asDyn, compileCall, compileEqual, compileIn } from './call.ts';
import { attribute, computedMember, type Meter, type Room, type Run, readerOf, type Variables, variableOf } from './closure.ts';

import { compileFold } from './fold.ts';
import { LIMITS } from './limits.ts';
import { parseDuration, parseTimestamp } from './timestamp.ts';
import { type Expr, type Literal, pathOf } from './tree.ts';
import { type Field, type Schema, type Type } from './type.ts';
import { type ConditionError, entryOf, errorOf, hasEntry, isError, isPlain, kindOf, numberOf, type Value } from './value.ts';

type Index = Extract<Expr, { kind: 'index' }>;
type Member = Extract<Expr, { kind: 'select' | 'has' }>;

const NO_BOOL = errorOf('wrong_type', 'a condition is not a bool');
const NO_MAP = errorOf('wrong_type', 'a member was asked of what is no map');
const NO_INDEX = errorOf('wrong_type', 'an index is not an int');
const OUTSIDE = errorOf('out_of_range', 'an index lies outside its list');
const DUPLICATE = errorOf('invalid_value', 'a key stands twice in a map');
const NO_KEY = errorOf('wrong_type', 'a key is not a string, an int or a bool');
const NOT_DECLARED = errorOf('wrong_type', 'the attribute is no longer declared');

const constant = ({ type, value }: Literal): Value => {
  if (typeof value !== 'string') return value;
  if (type.kind === 'timestamp') return parseTimestamp(value);
  if (type.kind === 'duration') return parseDuration(value);
  return type.kind === 'bytes' ? Buffer.from(value, 'base64') : value;
};

/** true, false or an error: whatever else a `dyn` value is, it is no condition. */
const bool = (expr: Expr, room: Room): Run => {
  const run = room.compile(expr);
  if (expr.type.kind === 'bool') return run;
  return (variables) => {
    const value = run(variables);
    return typeof value === 'boolean' || isError(value) ? value : NO_BOOL;
  };
};

/** `&&` and `||`: one decisive term decides, whatever error stands beside it (CEL, "Logical operators"). */
const logical = (terms: readonly Run[], decisive: boolean): Run => {
  const [first, second] = terms;
  if (first === undefined || second === undefined) return first ?? (() => NO_BOOL);
  if (terms.length === 2)
    return (variables) => {
      const a = first(variables);
      if (a === decisive) return decisive;
      const b = second(variables);
      if (b === decisive) return decisive;
      return typeof a === 'boolean' ? b : a;
    };
  return (variables) => {
    let error: Value;
    for (const term of terms) {
      const value = term(variables);
      if (value === decisive) return decisive;
      if (typeof value !== 'boolean') error ??= value;
    }
    return error ?? !decisive;
  };
};

const declaredField = (schema: Schema, type: Type, name: string): Field | null => {
  const fields = type.kind === 'object' ? schema.objects[type.name] : undefined;
  return fields !== undefined && Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
};

/** A member that may be absent by itself; whoever holds it must be there. */
const presence = (expr: Member, room: Room): Run => {
  const operand = room.compile(expr.operand);
  const declared = declaredField(room.schema, expr.operand.type, expr.field);
  const { field } = expr;
  return (variables) => {
    const holder = operand(variables);
    if (isError(holder)) return holder;
    if (kindOf(holder) !== 'map') return NO_MAP;
    if (declared === null) return hasEntry(holder, field);
    const object = declared.in === undefined ? holder : entryOf(holder, declared.in);
    const raw = isPlain(object) ? entryOf(object, field) : undefined;
    return raw !== undefined && (raw !== null || declared.type.kind === 'dyn');
  };
};

const member = (expr: Member | Index, room: Room): Run => {
  const path = pathOf(expr);
  const { operand } = expr;
  const nullable = expr.type.kind === 'null' || expr.type.kind === 'dyn';
  if (path !== null) {
    const read = readerOf(room.schema, expr);
    return read === null ? () => NOT_DECLARED : attribute(room, read, expr.type, path, nullable);
  }
  const key = expr.kind === 'index' ? room.compile(expr.index) : () => expr.field;
  const declared = expr.kind === 'index' ? null : declaredField(room.schema, operand.type, expr.field);
  return computedMember(room.compile(operand), key, expr.type, declared);
};

const element = (expr: Index, room: Room): Run => {
  const [operand, index] = [room.compile(expr.operand), room.compile(expr.index)];
  const ofMap = member(expr, room);
  return (variables) => {
    const list = operand(variables);
    if (isError(list)) return list;
    if (!Array.isArray(list)) return ofMap(variables);
    const at = index(variables);
    if (isError(at)) return at;
    const position = numberOf(at);
    if (position === undefined || !Number.isInteger(position)) return NO_INDEX;
    return position < 0 || position >= list.length ? OUTSIDE : (list as readonly Value[])[position];
  };
};

const list = (expr: Extract<Expr, { kind: 'list' }>, room: Room): Run => {
  const items = expr.items.map(room.compile);
  const all: Run = (variables) => {
    const values: Value[] = [];
    for (const item of items) {
      const value = item(variables);
      if (isError(value)) return value;
      values.push(value);
    }
    return values;
  };
  if (!expr.items.every(({ kind }) => kind === 'literal')) return all;
  const made = all({});
  return () => made;
};

const map = (expr: Extract<Expr, { kind: 'map' }>, room: Room): Run => {
  const entries = expr.entries.map(([key, value]) => [room.compile(key), room.compile(value)] as const);
  return (variables) => {
    const made = new Map<Value, Value>();
    for (const [keyOf, valueOf] of entries) {
      const key = keyOf(variables);
      if (isError(key)) return key;
      const value = valueOf(variables);
      if (isError(value)) return value;
      const plain = numberOf(key) ?? key;
      if (typeof plain !== 'string' && typeof plain !== 'boolean' && !Number.isSafeInteger(plain)) return NO_KEY;
      if (made.has(plain)) return DUPLICATE;
      made.set(plain, value);
    }
    return made;
  };
};

const compilePart = (expr: Expr, room: Room): Run => {
  switch (expr.kind) {
    case 'literal': {
      const value = constant(expr);
      return () => value;
    }
    case 'variable':
      return variableOf(room, expr.name, expr.type);
    case 'local': {
      const { slot } = expr;
      const { locals } = room;
      return () => locals[slot];
    }
    case 'select':
      return member(expr, room);
    case 'has':
      return presence(expr, room);
    case 'index': {
      const { kind } = expr.operand.type;
      return kind === 'list' || kind === 'dyn' ? element(expr, room) : member(expr, room);
    }
    case 'and':
    case 'or':
      return logical(
        expr.terms.map((term) => bool(term, room)),
        expr.kind === 'or',
      );
    case 'not': {
      const operand = bool(expr.operand, room);
      return (variables) => {
        const value = operand(variables);
        return typeof value === 'boolean' ? !value : value;
      };
    }
    case 'if': {
      const [test, yes, no] = [bool(expr.test, room), room.compile(expr.yes), room.compile(expr.no)];
      return (variables) => {
        const value = test(variables);
        return value === true ? yes(variables) : value === false ? no(variables) : value;
      };
    }
    case 'equal':
      return compileEqual(expr, room);
    case 'in':
      return compileIn(expr, room);
    case 'call':
      return compileCall(expr, room);
    case 'dyn':
      return asDyn(expr.operand, room);
    case 'list':
      return list(expr, room);
    case 'map':
      return map(expr, room);
    case 'fold':
      return compileFold(expr, room);
  }
};

/** Room for one compiled condition, and what gives it its steps before an evaluation. */
export const createRoom = (schema: Schema): { readonly room: Room; refill(meter?: Meter): void } => {
  const own: Meter = { left: LIMITS.steps };
  const room: Room = { schema, locals: [], meter: own, compile: (part) => compilePart(part, room) };
  return {
    room,
    refill(meter) {
      own.left = LIMITS.steps;
      room.meter = meter ?? own;
    },
  };
};

/** The value of any expression; conditions are those that give a bool. */
export const compileExpression = (expr: Expr, schema: Schema): ((variables: Variables, meter?: Meter) => Value) => {
  const { room, refill } = createRoom(schema);
  const run = room.compile(expr);
  return (variables, meter) => {
    refill(meter);
    return run(variables);
  };
};

export type Evaluate = (variables: Variables, meter?: Meter) => boolean | ConditionError;

export const compileBool = (expr: Expr, schema: Schema): Evaluate => {
  const run = compileExpression(expr, schema);
  return (variables, meter) => {
    const value = run(variables, meter);
    return typeof value === 'boolean' || isError(value) ? value : NO_BOOL;
  };
};
