// Conditions: CEL as it is written, a checked tree of plain data as it travels, closures as it is evaluated.
import { check } from './check.ts';
import type { Meter, Variables } from './closure.ts';
import { compileBool } from './compile.ts';
import { type Cost, costOf, tooCostly } from './cost.ts';
import { compileNextChange } from './next-change.ts';
import { parseSyntax } from './parse.cel.ts';
import type { Problem } from './problem.ts';
import { type Residual, residualOf } from './residual.ts';
import { compilePattern } from './regexp.re2.ts';
import type { Activation } from './schema.ts';
import { attributesOf, type Expr } from './tree.ts';
import { type Schema, typeName } from './type.ts';
import type { ConditionError } from './value.ts';

export type { Meter } from './closure.ts';
export { type Filter, rowsOf } from './filter.ts';
export type { Problem } from './problem.ts';
export type { Residual } from './residual.ts';
export type { Activation, Attributed, Attributes, Declared } from './schema.ts';
export { conditionSchema } from './schema.ts';
export type { Schema, Type } from './type.ts';
export type { Cause, ConditionError } from './value.ts';

/** Plain data: JSON and a worker's message carry it unchanged. */
export interface Condition {
  readonly source: string;
  readonly ast: Expr;
  readonly cost: Cost;
  /** Paths of the attributes it reads, such as `resource.amount`; sorted. */
  readonly attributes: readonly string[];
  /** Whether its value can change with time alone. */
  readonly usesNow: boolean;
}

export type ParseResult =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses, type-checks and bounds a condition. Takes about a millisecond: for writing time, never for a check. Never throws. */
export const parseCondition = (source: string, schema: Schema): ParseResult => {
  const parsed = parseSyntax(source);
  if (!parsed.ok) return parsed;
  const checked = check(source, parsed.syntax, schema, { patternSize: (pattern) => compilePattern(pattern)?.size ?? null });
  if (!checked.ok) return checked;
  const ast = checked.expr;
  const whole = (message: string): ParseResult => ({ ok: false, problems: [{ line: 1, column: 1, message }] });
  if (ast.type.kind !== 'bool' && ast.type.kind !== 'dyn') return whole(`a condition is a bool, this is ${typeName(ast.type)}`);
  const cost = costOf(ast);
  const refusal = tooCostly(cost);
  if (refusal !== null) return whole(refusal);
  const attributes = attributesOf(ast);
  return { ok: true, condition: { source, ast, cost, attributes, usesNow: attributes.includes('now') } };
};

export interface CompiledCondition {
  /** true, false, or why it has no value. Never throws. Conditions of one check may share a meter, so that the check as a whole ends. */
  evaluate(activation: Activation, meter?: Meter): boolean | ConditionError;
  /**
   * The next instant at which its value may change by time alone, in milliseconds since 1970: no answer that rests on it lives longer.
   * Infinity where it never does. May come too early, never too late.
   */
  nextChange(activation: Activation): number;
}

/** The closures of a condition, for the schema it was parsed with. Takes microseconds. */
export const compileCondition = ({ ast }: Condition, schema: Schema): CompiledCondition => {
  const evaluate = compileBool(ast, schema);
  const next = compileNextChange(ast, schema);
  const variables = (activation: Activation): Variables => activation as unknown as Variables;
  return {
    evaluate: (activation, meter) => evaluate(variables(activation), meter),
    nextChange: (activation) => next(variables(activation), activation.now),
  };
};

/**
 * Everything known but the row: the filter that a row passes where the condition is true for it. `known` names the fields of `resource`
 * that the activation holds; the others are the row's.
 */
export const residualOfCondition = (
  { ast }: Condition,
  schema: Schema,
  activation: Activation,
  known: readonly string[] = ['type', 'tenant_id'],
): Residual => residualOf(ast, schema, activation as unknown as Variables, known);
