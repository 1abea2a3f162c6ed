// The tree of a condition as a short text: what is kept of thousands that nobody asks about, and turned back into a tree when one is.
import type { Condition } from './condition.ts';
import { costOf } from './cost.ts';
import { attributesOf, type Expr } from './tree.ts';
import type { Type } from './type.ts';

/** A condition that was parsed and checked, as it is kept: plain data. */
export interface PackedCondition {
  readonly source: string;
  readonly tree: string;
}

/** How a part of a node is written: as it is, as a node, as a list of nodes, as pairs of nodes. */
type Form = 'plain' | 'node' | 'nodes' | 'pairs';
/** A kind is named by its place in this list, so it only grows; a part that is left out is null. */
const SHAPES: { readonly [kind in Expr['kind']]: Readonly<Record<string, Form>> } = {
  literal: { value: 'plain' },
  variable: { name: 'plain' },
  local: { name: 'plain', slot: 'plain' },
  select: { operand: 'node', field: 'plain' },
  has: { operand: 'node', field: 'plain' },
  index: { operand: 'node', index: 'node' },
  and: { terms: 'nodes' },
  or: { terms: 'nodes' },
  not: { operand: 'node' },
  if: { test: 'node', yes: 'node', no: 'node' },
  equal: { negated: 'plain', left: 'node', right: 'node' },
  in: { item: 'node', container: 'node' },
  call: { name: 'plain', overloads: 'plain', args: 'nodes' },
  dyn: { operand: 'node' },
  list: { items: 'nodes' },
  map: { entries: 'pairs' },
  fold: { macro: 'plain', slot: 'plain', range: 'node', body: 'node', transform: 'node' },
};

const kinds = Object.entries(SHAPES).map(([kind, shape]) => ({ kind, parts: Object.entries(shape) }));
const numbers = new Map(kinds.map(({ kind }, number) => [kind, number]));

/** A type without parts is its kind. */
const packType = (type: Type): unknown => (Object.keys(type).length === 1 ? type.kind : type);
const scalars = new Map<string, Type>();
const unpackType = (packed: unknown): Type => {
  if (typeof packed !== 'string') return packed as Type;
  const known = scalars.get(packed);
  if (known !== undefined) return known;
  const type = Object.freeze({ kind: packed }) as Type;
  scalars.set(packed, type);
  return type;
};

const packPart = (form: Form, part: unknown): unknown => {
  if (form === 'node') return part === undefined ? null : packNode(part as Expr);
  if (form === 'nodes') return (part as readonly Expr[]).map(packNode);
  return form === 'pairs' ? (part as readonly (readonly Expr[])[]).map((pair) => pair.map(packNode)) : part;
};

const packNode = (expr: Expr): readonly unknown[] => {
  const number = numbers.get(expr.kind) ?? 0;
  const values = expr as unknown as Readonly<Record<string, unknown>>;
  return [number, packType(expr.type), expr.at, ...(kinds[number]?.parts ?? []).map(([name, form]) => packPart(form, values[name]))];
};

const unpackPart = (form: Form, part: unknown): unknown => {
  if (form === 'node') return unpackNode(part as readonly unknown[]);
  if (form === 'nodes') return (part as readonly (readonly unknown[])[]).map(unpackNode);
  return form === 'pairs' ? (part as readonly (readonly (readonly unknown[])[])[]).map((pair) => pair.map(unpackNode)) : part;
};

const unpackNode = ([number, type, at, ...values]: readonly unknown[]): Expr => {
  const known = kinds[number as number];
  if (known === undefined) throw new TypeError('a tree of a form that is not known here');
  const made: Record<string, unknown> = { kind: known.kind, type: unpackType(type), at };
  for (const [index, [name, form]] of known.parts.entries())
    if (form !== 'node' || values[index] !== null) made[name] = unpackPart(form, values[index]);
  return made as unknown as Expr;
};

export const packTree = (tree: Expr): string => JSON.stringify(packNode(tree));

/** Throws where the text is none that `packTree` wrote. */
export const unpackTree = (text: string): Expr => unpackNode(JSON.parse(text) as readonly unknown[]);

/** Takes microseconds. Throws as `unpackTree`. */
export const unpackCondition = ({ source, tree }: PackedCondition): Condition => {
  const ast = unpackTree(tree);
  const attributes = attributesOf(ast);
  return { source, ast, cost: costOf(ast), attributes, usesNow: attributes.includes('now') };
};
