// Types of attributes as they are declared: `string`, `int`, `list(string)`, `map(int)`, … (a map's keys are strings).
import type { Type } from './condition/condition.ts';

const SCALARS = ['bool', 'int', 'double', 'string', 'bytes', 'timestamp', 'duration', 'dyn'] as const;
const SCALAR = new Map<string, Type>(SCALARS.map((kind) => [kind, { kind }]));
const STRING: Type = { kind: 'string' };
const NESTED = /^(list|map)\((.*)\)$/;
const DEPTH = 3;

/** The name of an attribute: what a condition can write after a dot. */
export const ATTRIBUTE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;

/** null: no type of ours. */
export const parseType = (text: string, depth = 0): Type | null => {
  const scalar = SCALAR.get(text);
  if (scalar !== undefined) return scalar;
  const [, kind, inner = ''] = NESTED.exec(text) ?? [];
  if (kind === undefined || depth >= DEPTH) return null;
  const of = parseType(inner, depth + 1);
  if (of === null) return null;
  return kind === 'list' ? { kind, of } : { kind: 'map', key: STRING, of };
};

export const TYPE_WORDS = `${SCALARS.join(', ')}, list(<type>) or map(<type>)`;

/** The declared types of a resource type; what does not read as one is left out. */
export const typesOf = (attributes: Readonly<Record<string, string>>): Readonly<Record<string, Type>> =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([name, text]) => {
      const type = parseType(text);
      return type === null ? [] : [[name, type]];
    }),
  );
