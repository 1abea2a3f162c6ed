// What compiled parts share: their shape, the room of one evaluation, and how an attribute is read.
import { coerceTo } from './coerce.ts';
import { type Expr, pathOf } from './tree.ts';
import type { Schema, Type } from './type.ts';
import { type ConditionError, entryOf, errorOf, isError, isPlain, kindOf, type Timestamp, type Value } from './value.ts';
import { timestampOfMillis } from './timestamp.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** A value of the part's type, or an error. Nothing is thrown. */
export type Run = (variables: Variables) => Value;

/** Steps left. Shared by conditions evaluated for one check, so that the check as a whole ends. */
export interface Meter {
  left: number;
}

/** One a compiled condition: an evaluation is synchronous and never within itself. */
export interface Room {
  readonly schema: Schema;
  /** The elements that the folds look at, by slot. */
  readonly locals: Value[];
  meter: Meter;
  compile(expr: Expr): Run;
}

export const BUDGET = errorOf('budget_exceeded', 'the condition took too many steps');

/** The error where the steps are used up; null where they are not. */
export const charge = (room: Room, steps: number): ConditionError | null => {
  room.meter.left -= steps;
  return room.meter.left < 0 ? BUDGET : null;
};

const wrongType = (path: string, type: Type): ConditionError =>
  errorOf('wrong_type', path === '' ? `a value is not of type ${type.kind}` : `${path} is not of type ${type.kind}`, path);

/** The error among operands that should have been of a kind. */
export const firstError = (a: Value, b: Value): Value => (isError(a) ? a : b);

/** As it stands in the activation; undefined where there is none. */
export type Read = (variables: Variables) => unknown;

// One function a variable: each then reads a property of one name, which the engine remembers.
const variable = (name: string): Read => {
  switch (name) {
    case 'subject':
      return (variables) => variables.subject;
    case 'resource':
      return (variables) => variables.resource;
    case 'context':
      return (variables) => variables.context;
    default:
      return (variables) => (Object.hasOwn(variables, name) ? variables[name] : undefined);
  }
};

/** Own members of plain objects only: `constructor`, `length` and the like are never there by themselves. */
const memberOf = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null && Object.hasOwn(object, name) && isPlain(object) ? object[name] : undefined;

/** Of an object that the hub made: plain for sure. */
const ownOf = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as Readonly<Record<string, unknown>>)[name]
    : undefined;

const field = (schema: Schema, operand: Expr, read: Read, name: string): Read | null => {
  if (operand.type.kind !== 'object') return (variables) => memberOf(read(variables), name);
  const fields = schema.objects[operand.type.name];
  const declared = fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (declared === undefined) return null;
  const holder = declared.in;
  if (operand.kind !== 'variable')
    return holder === undefined
      ? (variables) => memberOf(read(variables), name)
      : (variables) => memberOf(memberOf(read(variables), holder), name);
  if (holder === 'attributes')
    return (variables) => ownOf((read(variables) as { readonly attributes?: unknown } | undefined)?.attributes, name);
  return holder === undefined ? (variables) => ownOf(read(variables), name) : (variables) => ownOf(ownOf(read(variables), holder), name);
};

/** Reads an attribute by its path; null where the expression is none, or its path is no longer declared. */
export const readerOf = (schema: Schema, expr: Expr): Read | null => {
  if (expr.kind === 'variable') return variable(expr.name);
  if (pathOf(expr) === null || (expr.kind !== 'select' && expr.kind !== 'has' && expr.kind !== 'index')) return null;
  const operand = readerOf(schema, expr.operand);
  const name = expr.kind === 'index' ? (expr.index.kind === 'literal' ? String(expr.index.value) : '') : expr.field;
  return operand === null ? null : field(schema, expr.operand, operand, name);
};

let lastMillis = Number.NaN;
let lastTimestamp: Timestamp = timestampOfMillis(0);

/** `now` is asked for again and again within one decision. */
const instant = (millis: number): Timestamp => {
  if (millis !== lastMillis) {
    lastTimestamp = timestampOfMillis(millis);
    lastMillis = millis;
  }
  return lastTimestamp;
};

/** An attribute, checked against its type. */
export const attribute = (room: Room, read: Read, type: Type, path: string, nullable: boolean): Run => {
  const missing = errorOf('missing_attribute', `${path} is missing`, path);
  const wrong = wrongType(path, type);
  const otherwise = (raw: unknown): Value => (raw === undefined || (raw === null && !nullable) ? missing : wrong);
  switch (type.kind) {
    case 'bool':
      return (variables) => {
        const raw = read(variables);
        return typeof raw === 'boolean' ? raw : otherwise(raw);
      };
    case 'double':
      return (variables) => {
        const raw = read(variables);
        return typeof raw === 'number' ? raw : otherwise(raw);
      };
    case 'int':
      return (variables) => {
        const raw = read(variables);
        return Number.isSafeInteger(raw) ? raw : otherwise(raw);
      };
    case 'list': {
      const coerce = coerceTo(type);
      return (variables) => {
        const raw = read(variables);
        const list = coerce(raw);
        // Every item is looked at, each time that the list is read.
        return list === undefined ? otherwise(raw) : (charge(room, (list as readonly Value[]).length / 16) ?? list);
      };
    }
    default: {
      const coerce = coerceTo(type);
      return (variables) => {
        const raw = read(variables);
        if (raw === undefined || (raw === null && !nullable)) return missing;
        return coerce(raw) ?? (nullable && raw === null ? null : wrong);
      };
    }
  }
};

/** A variable by its name; an instant stands there as milliseconds. */
export const variableOf = (room: Room, name: string, type: Type): Run => {
  const read = variable(name);
  const otherwise = attribute(room, read, type, name, type.kind === 'dyn' || type.kind === 'null');
  if (type.kind !== 'timestamp') return otherwise;
  return (variables) => {
    const raw = read(variables);
    return typeof raw === 'number' ? instant(raw) : otherwise(variables);
  };
};

/** A member of a computed map or object. */
export const computedMember = (operand: Run, key: Run, type: Type, declared: { readonly in?: string } | null): Run => {
  const coerce = coerceTo(type);
  const missing = errorOf('no_such_key', 'the map has no such key');
  const noMap = errorOf('wrong_type', 'a member was asked of what is no map');
  const wrong = wrongType('', type);
  return (variables) => {
    const holder = operand(variables);
    if (isError(holder)) return holder;
    const name = key(variables);
    if (isError(name)) return name;
    if (kindOf(holder) !== 'map') return noMap;
    const object = declared?.in === undefined ? holder : memberOf(holder, declared.in);
    const raw = object === undefined ? undefined : entryOf(object, name);
    if (raw === undefined || (raw === null && declared !== null && type.kind !== 'dyn')) return missing;
    return raw === null && (type.kind === 'dyn' || type.kind === 'null') ? null : (coerce(raw) ?? wrong);
  };
};
