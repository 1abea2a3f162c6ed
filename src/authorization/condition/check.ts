// Gives every part of a condition its type, and refuses what has none: unknown attributes, wrong operands, bad constants.
import { LIMITS } from './limits.ts';
import { FUNCTIONS, type Overload } from './overloads.ts';
import { type Problem, problemAt } from './problem.ts';
import { parseDuration, parseTimestamp } from './timestamp.ts';
import type { Expr, Literal, Syntax } from './tree.ts';
import { BOOL, compatible, DYN, joinTypes, listOf, mapOf, NULL, type Schema, STRING, sameType, type Type, typeName } from './type.ts';

export type CheckResult = { readonly ok: true; readonly expr: Expr } | { readonly ok: false; readonly problems: readonly Problem[] };

export interface CheckPorts {
  /** The compiled size of a regular expression; null: it is none. */
  patternSize(source: string): number | null;
}

interface Scope {
  readonly name: string;
  readonly type: Type;
  readonly slot: number;
}

const near = (wanted: string, known: readonly string[]): string => {
  const close = known.filter((name) => name.toLowerCase().replaceAll('_', '') === wanted.toLowerCase().replaceAll('_', ''));
  const shown = close.length > 0 ? close : known.toSorted().slice(0, 12);
  return shown.length === 0 ? '' : `; known: ${shown.join(', ')}`;
};

const OPERATOR = /^_?(@in|!|-|[^_\w]+)_?$/;
const spoken = (name: string): string => (OPERATOR.test(name) ? name.replaceAll('_', '') : `${name.replace(/^\./, '')}()`);

const isDyn = (type: Type): boolean => type.kind === 'dyn';
const dynOf = (expr: Expr, type: Type = DYN): Expr =>
  isDyn(expr.type) || sameType(expr.type, type) ? expr : { kind: 'dyn', type, at: expr.at, operand: expr };

export const check = (source: string, syntax: Syntax, schema: Schema, { patternSize }: CheckPorts): CheckResult => {
  const problems: Problem[] = [];
  const problem = (at: number, message: string): void => {
    if (problems.length < LIMITS.problems) problems.push(problemAt(source, at, message));
  };
  /** Stands for a part that has been reported already. */
  const broken = (at: number): Expr => ({ kind: 'literal', type: DYN, at, value: null });
  const reject = (at: number, message: string): Expr => {
    problem(at, message);
    return broken(at);
  };

  const condition = (syntax: Syntax, scope: readonly Scope[]): Expr => {
    const expr = walk(syntax, scope);
    if (expr.type.kind !== 'bool' && !isDyn(expr.type)) problem(syntax.at, `wants a bool, this is ${typeName(expr.type)}`);
    return expr;
  };

  const name = ({ at, name }: Extract<Syntax, { kind: 'name' }>, scope: readonly Scope[]): Expr => {
    const local = scope.findLast((one) => one.name === name);
    if (local !== undefined) return { kind: 'local', type: local.type, at, name, slot: local.slot };
    const type = Object.hasOwn(schema.variables, name) ? schema.variables[name] : undefined;
    if (type !== undefined) return { kind: 'variable', type, at, name };
    return reject(at, `${name} is not known here${near(name, Object.keys(schema.variables))}`);
  };

  const member = ({ kind, at, operand, field }: Extract<Syntax, { kind: 'select' | 'has' }>, scope: readonly Scope[]): Expr => {
    const of = walk(operand, scope);
    const typed = (type: Type): Expr => ({ kind, type: kind === 'has' ? BOOL : type, at, operand: of, field });
    if (isDyn(of.type)) return typed(DYN);
    if (of.type.kind === 'map')
      return compatible(of.type.key, STRING) ? typed(of.type.of) : reject(at, 'the keys of this map are not strings');
    if (of.type.kind !== 'object') return reject(at, `${typeName(of.type)} has no member ${field}`);
    const fields = schema.objects[of.type.name] ?? {};
    const known = Object.hasOwn(fields, field) ? fields[field] : undefined;
    return known === undefined
      ? reject(at, `${of.type.name}.${field} is not declared${near(field, Object.keys(fields))}`)
      : typed(known.type);
  };

  const index = (at: number, operand: Expr, key: Expr): Expr => {
    const of = operand.type;
    const wants = of.kind === 'list' ? 'int' : of.kind === 'map' ? typeName(of.key) : 'a list or a map';
    const typed = (type: Type): Expr => ({ kind: 'index', type, at, operand, index: key });
    if (isDyn(of)) return typed(DYN);
    // A double that is integral is an index as well, but only where it is not known to be a double (CEL, "Lists").
    if (of.kind === 'list' && (key.type.kind === 'int' || isDyn(key.type))) return typed(of.of);
    if (of.kind === 'map' && compatible(of.key, key.type)) return typed(of.of);
    return reject(at, `the index of ${typeName(of)} wants ${wants}, this is ${typeName(key.type)}`);
  };

  /** An enum compared with a text that it never takes is a slip of the pen. */
  const enumSlip = (a: Expr, b: Expr): void => {
    if (a.type.kind !== 'string' || a.type.values === undefined) return;
    for (const item of b.kind === 'list' ? b.items : [b])
      if (item.kind === 'literal' && typeof item.value === 'string' && !a.type.values.includes(item.value))
        problem(item.at, `is never '${item.value}': one of ${a.type.values.join(', ')}`);
  };

  const equal = (at: number, negated: boolean, left: Expr, right: Expr): Expr => {
    if (!compatible(left.type, right.type))
      return reject(
        at,
        `${typeName(left.type)} is never ${typeName(right.type)}: convert one${left.type.kind === 'null' || right.type.kind === 'null' ? ', or ask has()' : ''}`,
      );
    enumSlip(left, right);
    enumSlip(right, left);
    return { kind: 'equal', type: BOOL, at, negated, left, right };
  };

  const contained = (at: number, item: Expr, container: Expr): Expr => {
    const of = container.type;
    const elements = of.kind === 'list' ? of.of : of.kind === 'map' ? of.key : of;
    if (!isDyn(of) && of.kind !== 'list' && of.kind !== 'map') return reject(at, `in wants a list or a map, this is ${typeName(of)}`);
    if (!compatible(elements, item.type)) return reject(at, `${typeName(item.type)} is never in ${typeName(of)}`);
    enumSlip(item, container);
    if (of.kind === 'list' && container.kind !== 'list') enumSlip({ ...container, type: of.of }, item);
    return { kind: 'in', type: BOOL, at, item, container };
  };

  const choose = (name: string, args: readonly Expr[]): readonly Overload[] =>
    (FUNCTIONS.get(name) ?? []).filter(
      ({ params }) => params.length === args.length && params.every((param, i) => compatible(param, args[i]?.type ?? DYN)),
    );

  const pattern = (call: Expr, at: number, size: number | null): Expr => {
    if (size === null) return reject(at, 'not a regular expression (RE2 syntax)');
    return size <= LIMITS.program ? call : reject(at, `the regular expression grows to ${size} instructions, at most ${LIMITS.program}`);
  };

  /** timestamp('…') and duration('…') of a constant are constants; a pattern that does not compile is a problem of whoever writes it. */
  const constants = (call: Extract<Expr, { kind: 'call' }>): Expr => {
    const text = call.args.at(-1);
    if (call.overloads[0] === 'matches' && text?.kind !== 'literal') return reject(call.at, 'the regular expression is a constant');
    if (text?.kind !== 'literal' || typeof text.value !== 'string' || text.type.kind !== 'string') return call;
    const literal = (): Literal => ({ kind: 'literal', type: call.type, at: call.at, value: text.value });
    switch (call.overloads[0]) {
      case 'timestamp_of_string':
        return parseTimestamp(text.value) === null ? reject(text.at, 'not an RFC 3339 time such as 2026-01-31T08:00:00Z') : literal();
      case 'duration_of_string':
        return parseDuration(text.value) === null ? reject(text.at, 'not a duration such as 90m or 1h30m') : literal();
      case 'matches':
        if (text.value.length > LIMITS.pattern) return reject(text.at, `a regular expression has at most ${LIMITS.pattern} characters`);
        return pattern(call, text.at, patternSize(text.value));
      default:
        return call;
    }
  };

  const apply = (at: number, name: string, args: readonly Expr[]): Expr => {
    const fitting = choose(name, args);
    const [first] = fitting;
    if (first === undefined) {
      if (args.some((arg) => arg.kind === 'literal' && isDyn(arg.type))) return broken(at);
      return FUNCTIONS.has(name)
        ? reject(at, `${spoken(name)} does not take (${args.map(({ type }) => typeName(type)).join(', ')})`)
        : reject(at, `there is no function ${spoken(name)}`);
    }
    const results = fitting.map(({ result }) => result);
    const same = results.every((result) => sameType(result, first.result));
    const [left, right] = args;
    if (first.id === 'add_list' && fitting.length === 1 && left !== undefined && right !== undefined) {
      const type = isDyn(left.type) || isDyn(right.type) ? listOf(DYN) : joinTypes(left.type, right.type);
      return { kind: 'call', type, at, name, overloads: ['add_list'], args: args.map((arg) => dynOf(arg, type)) };
    }
    const call = { kind: 'call', type: same ? first.result : DYN, at, name, overloads: fitting.map(({ id }) => id), args } as const;
    return constants(call);
  };

  const fold = (syntax: Extract<Syntax, { kind: 'fold' }>, scope: readonly Scope[]): Expr => {
    const { at, macro } = syntax;
    const range = walk(syntax.range, scope);
    const of = range.type;
    if (of.kind !== 'list' && of.kind !== 'map' && !isDyn(of))
      return reject(syntax.range.at, `${macro}() wants a list or a map, this is ${typeName(of)}`);
    const element = of.kind === 'list' ? of.of : of.kind === 'map' ? of.key : DYN;
    const slot = scope.length;
    const inner = [...scope, { name: syntax.variable, type: element, slot }];
    const body = condition(syntax.body, inner);
    const common = { kind: 'fold', at, macro, slot, range, body } as const;
    if (macro === 'filter') return { ...common, type: listOf(element) };
    if (macro !== 'map' || syntax.transform === undefined) return { ...common, type: BOOL };
    const transform = walk(syntax.transform, inner);
    return { ...common, transform, type: listOf(transform.type) };
  };

  const joined = (parts: readonly Expr[]): Type => parts.map(({ type }) => type).reduce((a, b) => (sameType(a, b) ? a : joinTypes(a, b)));

  /** `&&` and `||` of any length as one node: the parser builds a balanced tree. */
  const terms = (name: string, syntax: Syntax, scope: readonly Scope[]): readonly Expr[] =>
    syntax.kind === 'call' && syntax.name === name ? syntax.args.flatMap((arg) => terms(name, arg, scope)) : [condition(syntax, scope)];

  const call = (syntax: Extract<Syntax, { kind: 'call' }>, scope: readonly Scope[]): Expr => {
    const { at, receiver } = syntax;
    if (!receiver && (syntax.name === '_&&_' || syntax.name === '_||_'))
      return { kind: syntax.name === '_&&_' ? 'and' : 'or', type: BOOL, at, terms: terms(syntax.name, syntax, scope) };
    if (!receiver && syntax.name === '!_' && syntax.args[0] !== undefined)
      return { kind: 'not', type: BOOL, at, operand: condition(syntax.args[0], scope) };
    if (!receiver && syntax.name === '_?_:_' && syntax.args[0] !== undefined) {
      const test = condition(syntax.args[0], scope);
      const branches = syntax.args.slice(1).map((arg) => walk(arg, scope));
      const type = joined(branches);
      const [yes, no] = branches.map((branch) => dynOf(branch, type));
      return yes === undefined || no === undefined ? broken(at) : { kind: 'if', type, at, test, yes, no };
    }
    const args = syntax.args.map((arg) => walk(arg, scope));
    const [first, second] = args;
    if (!receiver && first !== undefined && second !== undefined) {
      if (syntax.name === '_==_' || syntax.name === '_!=_') return equal(at, syntax.name === '_!=_', first, second);
      if (syntax.name === '@in') return contained(at, first, second);
      if (syntax.name === '_[_]') return index(at, first, second);
    }
    if (!receiver && syntax.name === 'dyn' && first !== undefined && args.length === 1) return dynOf(first);
    if (!receiver && syntax.name === 'has') return reject(at, 'has() wants a member: has(resource.amount)');
    return apply(at, receiver ? `.${syntax.name}` : syntax.name, args);
  };

  const map = ({ at, entries }: Extract<Syntax, { kind: 'map' }>, scope: readonly Scope[]): Expr => {
    const typed = entries.map(([key, value]) => [walk(key, scope), walk(value, scope)] as const);
    if (typed.length === 0) return { kind: 'map', type: mapOf(DYN, DYN), at, entries: [] };
    const key = joined(typed.map(([one]) => one));
    const of = joined(typed.map(([, one]) => one));
    for (const [one] of typed)
      if (!['string', 'int', 'bool', 'dyn'].includes(one.type.kind))
        problem(one.at, `a key is a string, an int or a bool, this is ${typeName(one.type)}`);
    return { kind: 'map', type: mapOf(of, key), at, entries: typed.map(([k, v]) => [dynOf(k, key), dynOf(v, of)] as const) };
  };

  const walk = (syntax: Syntax, scope: readonly Scope[]): Expr => {
    const { at } = syntax;
    switch (syntax.kind) {
      case 'literal':
        return { kind: 'literal', type: syntax.of === 'null' ? NULL : { kind: syntax.of }, at, value: syntax.value };
      case 'name':
        return name(syntax, scope);
      case 'select':
      case 'has':
        return member(syntax, scope);
      case 'call':
        return call(syntax, scope);
      case 'list': {
        const items = syntax.items.map((item) => walk(item, scope));
        const of = items.length === 0 ? DYN : joined(items);
        return { kind: 'list', type: listOf(of), at, items: items.map((item) => dynOf(item, of)) };
      }
      case 'map':
        return map(syntax, scope);
      case 'fold':
        return fold(syntax, scope);
    }
  };

  const expr = walk(syntax, []);
  return problems.length === 0 ? { ok: true, expr } : { ok: false, problems };
};
