// The types of a condition's values, and what a schema declares: every attribute has one, known when the condition is written.

export type ScalarKind = 'bool' | 'int' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'null' | 'dyn';

/** `dyn`: known only when evaluated, as in an undeclared map. An int is integral and within ±(2^53 − 1); larger ids are strings. */
export type Type =
  | { readonly kind: Exclude<ScalarKind, 'string'> }
  /** `values`: the only ones it takes (an enum). */
  | { readonly kind: 'string'; readonly values?: readonly string[] }
  | { readonly kind: 'list'; readonly of: Type }
  | { readonly kind: 'map'; readonly key: Type; readonly of: Type }
  /** Its fields stand in the schema under `name`. */
  | { readonly kind: 'object'; readonly name: string };

export interface Field {
  readonly type: Type;
  /** The member of the object that holds it, where it does not stand in the object itself. */
  readonly in?: string;
}

export type Fields = Readonly<Record<string, Field>>;

export interface Schema {
  readonly variables: Readonly<Record<string, Type>>;
  readonly objects: Readonly<Record<string, Fields>>;
}

export const BOOL: Type = { kind: 'bool' };
export const INT: Type = { kind: 'int' };
export const DOUBLE: Type = { kind: 'double' };
export const STRING: Type = { kind: 'string' };
export const BYTES: Type = { kind: 'bytes' };
export const TIMESTAMP: Type = { kind: 'timestamp' };
export const DURATION: Type = { kind: 'duration' };
export const NULL: Type = { kind: 'null' };
export const DYN: Type = { kind: 'dyn' };
export const listOf = (of: Type): Type => ({ kind: 'list', of });
export const mapOf = (of: Type, key: Type = STRING): Type => ({ kind: 'map', key, of });

export const typeName = (type: Type): string => {
  if (type.kind === 'list') return `list(${typeName(type.of)})`;
  if (type.kind === 'map') return `map(${typeName(type.key)}, ${typeName(type.of)})`;
  return type.kind === 'object' ? type.name : type.kind;
};

/** Same kind at every depth; enums are strings. */
export const sameType = (a: Type, b: Type): boolean => {
  if (a.kind === 'list') return b.kind === 'list' && sameType(a.of, b.of);
  if (a.kind === 'map') return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.of, b.of);
  if (a.kind === 'object') return b.kind === 'object' && a.name === b.name;
  return a.kind === b.kind;
};

/** Whether values of the two can be one kind when evaluated: `dyn` may be anything. */
export const compatible = (a: Type, b: Type): boolean => {
  if (a.kind === 'dyn' || b.kind === 'dyn') return true;
  if (a.kind === 'list') return b.kind === 'list' && compatible(a.of, b.of);
  if (a.kind === 'map') return b.kind === 'map' && compatible(a.key, b.key) && compatible(a.of, b.of);
  return sameType(a, b);
};

/** The type that both have: their own where it is one, otherwise `dyn` at the depth where they part. */
export const joinTypes = (a: Type, b: Type): Type => {
  if (a.kind === 'list' && b.kind === 'list') return listOf(joinTypes(a.of, b.of));
  if (a.kind === 'map' && b.kind === 'map') return mapOf(joinTypes(a.of, b.of), joinTypes(a.key, b.key));
  if (!sameType(a, b)) return DYN;
  return a.kind === 'string' ? STRING : a;
};
