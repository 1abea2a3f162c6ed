// The tree of a condition: plain data that JSON and a worker's message carry unchanged. First as written, then with types.
import type { Type } from './type.ts';

export type Macro = 'all' | 'exists' | 'exists_one' | 'map' | 'filter';

/** `at`: offset in the source, in UTF-16 units. */
interface At {
  readonly at: number;
}

/** As written: names are not resolved, nothing has a type. */
export type Syntax =
  | (At & { readonly kind: 'literal'; readonly of: 'bool' | 'int' | 'double' | 'string' | 'bytes' | 'null'; readonly value: Constant })
  | (At & { readonly kind: 'name'; readonly name: string })
  | (At & { readonly kind: 'select' | 'has'; readonly operand: Syntax; readonly field: string })
  | (At & { readonly kind: 'call'; readonly name: string; readonly receiver: boolean; readonly args: readonly Syntax[] })
  | (At & { readonly kind: 'list'; readonly items: readonly Syntax[] })
  | (At & { readonly kind: 'map'; readonly entries: readonly (readonly [Syntax, Syntax])[] })
  | (At & {
      readonly kind: 'fold';
      readonly macro: Macro;
      readonly variable: string;
      readonly range: Syntax;
      readonly body: Syntax;
      /** The value of `map`; the body is then its filter, `true` where there is none. */
      readonly transform?: Syntax;
    });

/** Bytes as base64, timestamps and durations as their texts. */
export type Constant = boolean | number | string | null;

interface Typed extends At {
  readonly type: Type;
}

export type Literal = Typed & { readonly kind: 'literal'; readonly value: Constant };

export type Expr =
  | Literal
  | (Typed & { readonly kind: 'variable'; readonly name: string })
  /** The element that a fold looks at; slots count from the outermost fold. */
  | (Typed & { readonly kind: 'local'; readonly name: string; readonly slot: number })
  /** `has` tells whether the member is there. */
  | (Typed & { readonly kind: 'select' | 'has'; readonly operand: Expr; readonly field: string })
  | (Typed & { readonly kind: 'index'; readonly operand: Expr; readonly index: Expr })
  | (Typed & { readonly kind: 'and' | 'or'; readonly terms: readonly Expr[] })
  | (Typed & { readonly kind: 'not'; readonly operand: Expr })
  | (Typed & { readonly kind: 'if'; readonly test: Expr; readonly yes: Expr; readonly no: Expr })
  | (Typed & { readonly kind: 'equal'; readonly negated: boolean; readonly left: Expr; readonly right: Expr })
  | (Typed & { readonly kind: 'in'; readonly item: Expr; readonly container: Expr })
  /** More than one overload: which one is decided by the values. */
  | (Typed & { readonly kind: 'call'; readonly name: string; readonly overloads: readonly string[]; readonly args: readonly Expr[] })
  /** The value as `dyn`: it then carries its own type. */
  | (Typed & { readonly kind: 'dyn'; readonly operand: Expr })
  | (Typed & { readonly kind: 'list'; readonly items: readonly Expr[] })
  | (Typed & { readonly kind: 'map'; readonly entries: readonly (readonly [Expr, Expr])[] })
  | (Typed & {
      readonly kind: 'fold';
      readonly macro: Macro;
      readonly slot: number;
      readonly range: Expr;
      readonly body: Expr;
      readonly transform?: Expr;
    });

export const childrenOf = (expr: Expr): readonly Expr[] => {
  switch (expr.kind) {
    case 'literal':
    case 'variable':
    case 'local':
      return [];
    case 'select':
    case 'has':
    case 'not':
    case 'dyn':
      return [expr.operand];
    case 'index':
      return [expr.operand, expr.index];
    case 'and':
    case 'or':
      return expr.terms;
    case 'if':
      return [expr.test, expr.yes, expr.no];
    case 'equal':
      return [expr.left, expr.right];
    case 'in':
      return [expr.item, expr.container];
    case 'call':
      return expr.args;
    case 'list':
      return expr.items;
    case 'map':
      return expr.entries.flat();
    case 'fold':
      return expr.transform === undefined ? [expr.range, expr.body] : [expr.range, expr.body, expr.transform];
  }
};

/** `resource.amount`: the attribute that the expression reads as it stands, or null where it computes. */
export const pathOf = (expr: Expr): string | null => {
  if (expr.kind === 'variable') return expr.name;
  if (expr.kind === 'select' || expr.kind === 'has') {
    const path = pathOf(expr.operand);
    return path === null ? null : `${path}.${expr.field}`;
  }
  if (expr.kind === 'index' && expr.index.kind === 'literal' && typeof expr.index.value === 'string') {
    const path = pathOf(expr.operand);
    return path === null ? null : `${path}.${expr.index.value}`;
  }
  return null;
};

/** Every attribute read, each once, sorted: what a decision about it depends on. */
export const attributesOf = (root: Expr): readonly string[] => {
  const found = new Set<string>();
  const walk = (expr: Expr): void => {
    const path = pathOf(expr);
    if (path !== null) found.add(path);
    else for (const child of childrenOf(expr)) walk(child);
  };
  walk(root);
  return [...found].sort();
};
