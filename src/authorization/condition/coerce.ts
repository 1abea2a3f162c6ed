// JSON values as typed ones: checked, never guessed. And typed ones as `dyn`, where a value carries its own type.
import { LIMITS } from './limits.ts';
import { parseDuration, parseTimestamp } from './timestamp.ts';
import type { Schema, Type } from './type.ts';
import { entriesOf, errorOf, isDuration, isError, isPlain, isTimestamp, kindOf, type Value, wrapInt } from './value.ts';

/** undefined: not of the type. Objects and maps are checked as such; what they hold is checked when it is read. */
export type Coerce = (raw: Value) => Value;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

const isText = (raw: Value): raw is string => typeof raw === 'string' && raw.length <= LIMITS.text;

const list = (type: Type): Coerce => {
  const item = coerceTo(type);
  const same = ['bool', 'int', 'double', 'string', 'dyn', 'object', 'map', 'null'].includes(type.kind);
  return (raw) => {
    if (!Array.isArray(raw) || raw.length > LIMITS.items) return undefined;
    if (same) {
      for (const one of raw as readonly Value[]) if (item(one) === undefined) return undefined;
      return raw;
    }
    const items = (raw as readonly Value[]).map(item);
    return items.includes(undefined) ? undefined : items;
  };
};

export const coerceTo = (type: Type): Coerce => {
  switch (type.kind) {
    case 'bool':
      return (raw) => (typeof raw === 'boolean' ? raw : undefined);
    case 'int':
      return (raw) => (Number.isSafeInteger(raw) ? raw : undefined);
    case 'double':
      return (raw) => (typeof raw === 'number' ? raw : undefined);
    case 'string': {
      if (type.values === undefined) return (raw) => (isText(raw) ? raw : undefined);
      const values = new Set<Value>(type.values);
      return (raw) => (values.has(raw) ? raw : undefined);
    }
    case 'bytes':
      return (raw) => {
        if (isText(raw)) return BASE64.test(raw) ? Buffer.from(raw, 'base64') : undefined;
        return ArrayBuffer.isView(raw) ? raw : undefined;
      };
    case 'timestamp':
      return (raw) => (isTimestamp(raw) ? raw : typeof raw === 'string' ? (parseTimestamp(raw) ?? undefined) : undefined);
    case 'duration':
      return (raw) => (isDuration(raw) ? raw : typeof raw === 'string' ? (parseDuration(raw) ?? undefined) : undefined);
    case 'null':
      return (raw) => (raw === null ? raw : undefined);
    case 'dyn':
      return (raw) => (kindOf(raw) === 'none' ? undefined : raw);
    case 'list':
      return list(type.of);
    case 'map':
      return (raw) => (raw instanceof Map || isPlain(raw) ? raw : undefined);
    case 'object':
      return (raw) => (isPlain(raw) ? raw : undefined);
  }
};

const WRONG = errorOf('wrong_type', 'a value within it is of another type than declared');

/** The value with its type; an error where something within is not of the type declared for it. */
export const toDyn = (type: Type, schema: Schema): ((value: Value) => Value) => {
  const within = (of: Type): ((raw: Value) => Value) => {
    const coerce = coerceTo(of);
    const convert = toDyn(of, schema);
    return (raw) => {
      const value = coerce(raw);
      return value === undefined ? WRONG : convert(value);
    };
  };
  switch (type.kind) {
    case 'int':
      return (value) => wrapInt(value as number);
    case 'list': {
      const item = within(type.of);
      return (value) => {
        const items = (value as readonly Value[]).map(item);
        return items.find(isError) ?? items;
      };
    }
    case 'map': {
      const item = within(type.of);
      return (value) => {
        const entries = entriesOf(value).map(([key, one]) => [key, item(one)] as const);
        return entries.map(([, one]) => one).find(isError) ?? new Map(entries);
      };
    }
    case 'object': {
      const fields = Object.entries(schema.objects[type.name] ?? {}).map(([name, field]) => ({
        name,
        field,
        of: null as null | ReturnType<typeof within>,
      }));
      return (value) => {
        const entries = new Map<string, Value>();
        for (const one of fields) {
          const holder: Value = one.field.in === undefined ? value : (value as Record<string, Value>)[one.field.in];
          const raw = isPlain(holder) && Object.hasOwn(holder, one.name) ? holder[one.name] : undefined;
          if (raw === undefined || raw === null) continue;
          // Made on first use: objects may hold objects of their own type.
          one.of ??= within(one.field.type);
          const item = one.of(raw);
          if (isError(item)) return item;
          entries.set(one.name, item);
        }
        return entries;
      };
    }
    default:
      return (value) => value;
  }
};
