// Partial evaluation: a condition with everything known but the row becomes a filter over rows.
import type { Variables } from './closure.ts';
import { toDyn } from './coerce.ts';
import { among, type Comparison, compare, contains, existing, isList, type Operand, STRANGER } from './comparison.ts';
import { createRoom } from './compile.ts';
import { and, call, FALSE, type Filter, type FilterType, isUnknown, not, or, TRUE, UNKNOWN, when } from './filter.ts';
import { printDuration, printTimestamp } from './timestamp.ts';
import { type Constant, childrenOf, type Expr, pathOf } from './tree.ts';
import { type Schema, type Type, typeName } from './type.ts';
import { type Duration, entriesOf, isError, kindOf, numberOf, type Timestamp, type Value } from './value.ts';

/** `ok: false`: the condition asks of a row what no filter can say; `at` is the offset in its source. */
export type Residual =
  | { readonly ok: true; readonly filter: Filter }
  | { readonly ok: false; readonly at: number; readonly message: string };

/** Thrown and caught in this file only. */
interface Obstacle {
  readonly obstacleAt: number;
  readonly message: string;
}

const obstacle = (at: number, message: string): never => {
  throw { obstacleAt: at, message } satisfies Obstacle;
};

const isObstacle = (thrown: unknown): thrown is Obstacle => typeof thrown === 'object' && thrown !== null && 'obstacleAt' in thrown;

/** Calls made while a filter is built: conditions over long known lists would grow without end. */
const PARTS = 5000;

const SCALARS: readonly string[] = ['bool', 'int', 'double', 'string', 'bytes', 'timestamp', 'duration'] satisfies FilterType[];
const isScalar = (kind: string): kind is FilterType => SCALARS.includes(kind);

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map([
  ['_<_', 'lt'],
  ['_<=_', 'le'],
  ['_>_', 'gt'],
  ['_>=_', 'ge'],
]);

/** What a row computes, by overload. Texts and times only where a database computes exactly what we do. */
const COMPUTED = new Map<string, readonly [Extract<Filter, { kind: 'call' }>['operator'], FilterType]>([
  ['negate_int', ['negate', 'int']],
  ['add_int', ['add', 'int']],
  ['subtract_int', ['subtract', 'int']],
  ['multiply_int', ['multiply', 'int']],
  ['divide_int', ['divide', 'int']],
  ['modulo_int', ['modulo', 'int']],
  ['negate_double', ['negate', 'double']],
  ['add_string', ['add', 'string']],
  ['add_timestamp_duration', ['add', 'timestamp']],
  ['add_duration_timestamp', ['add', 'timestamp']],
  ['add_duration', ['add', 'duration']],
  ['subtract_timestamp', ['subtract', 'duration']],
  ['subtract_timestamp_duration', ['subtract', 'timestamp']],
  ['subtract_duration', ['subtract', 'duration']],
  ['size_string', ['size', 'int']],
  ['size_list', ['size', 'int']],
  ['contains', ['contains', 'bool']],
  ['starts_with', ['starts_with', 'bool']],
  ['ends_with', ['ends_with', 'bool']],
]);

const printed = (value: Value, kind: FilterType, at: number): Constant => {
  switch (kind) {
    case 'int':
      return numberOf(value) ?? null;
    case 'timestamp':
      if ((value as Timestamp).nanos % 1000 !== 0) return obstacle(at, 'a time finer than a microsecond');
      return printTimestamp(value as Timestamp);
    case 'duration':
      if ((value as Duration).nanos % 1000 !== 0) return obstacle(at, 'a duration finer than a microsecond');
      return printDuration(value as Duration);
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'string':
      // No database text holds U+0000, and no UTF-8 half a character.
      return (value as string).includes('\0') || !(value as string).isWellFormed()
        ? obstacle(at, 'a text that no database holds')
        : (value as string);
    case 'double':
      return Number.isFinite(value) ? (value as number) : obstacle(at, 'a number that is not finite');
    default:
      return value as Constant;
  }
};

/**
 * The filter that a row passes exactly where the condition is true for it, fails where it is false, and that has no value where the
 * condition has none. `known` names the fields of `resource` that the variables hold; every other one is the row's.
 */
export const residualOf = (root: Expr, schema: Schema, variables: Variables, known: readonly string[]): Residual => {
  const { room, refill } = createRoom(schema);
  let parts = 0;
  /** Slots of folds over lists of the row: how many such folds are around, by slot. */
  const rowSlots = new Map<number, number>();

  const asksRow = (expr: Expr): boolean => {
    if (expr.kind === 'local') return rowSlots.has(expr.slot);
    const path = pathOf(expr);
    if (path === null) return childrenOf(expr).some(asksRow);
    const [variable, field] = path.split('.');
    return variable === 'resource' && (field === undefined || !known.includes(field));
  };

  const evaluate = (expr: Expr): Value => {
    refill();
    return room.compile(expr)(variables);
  };

  const constant = (expr: Expr): Operand => {
    const value = evaluate(expr);
    const own = isError(value) ? value : toDyn(expr.type, schema)(value);
    if (isError(own)) return { ...UNKNOWN, type: isScalar(expr.type.kind) ? expr.type.kind : 'bool' };
    const kind = kindOf(own);
    if (isScalar(kind)) return { kind: 'constant', type: kind, list: false, value: printed(own, kind, expr.at) };
    return kind === 'null' ? STRANGER : obstacle(expr.at, 'a list or a map as a value');
  };

  /** Items that the row's value could equal: of one kind, or numbers of both. */
  const constants = (expr: Expr, item: Operand): Filter => {
    const value = evaluate(expr);
    const own = isError(value) ? value : toDyn(expr.type, schema)(value);
    if (isError(own)) return UNKNOWN;
    const items = Array.isArray(own) ? (own as readonly Value[]) : kindOf(own) === 'map' ? entriesOf(own).map(([key]) => key) : null;
    if (items === null) return UNKNOWN;
    const wanted = item === STRANGER ? [] : item.type === 'int' || item.type === 'double' ? ['int', 'double'] : [item.type];
    const fitting = items.filter((one) => wanted.includes(kindOf(one)));
    const kinds = new Set(fitting.map(kindOf));
    const type = kinds.size > 1 ? 'double' : ([...kinds][0] ?? 'string');
    return {
      kind: 'constant',
      type: type as FilterType,
      list: true,
      value: fitting.map((one) => printed(kinds.size > 1 ? numberOf(one) : one, type as FilterType, expr.at)),
    };
  };

  const column = (expr: Extract<Expr, { kind: 'select' | 'has' }>, type: Type): Filter => {
    const path = pathOf(expr)?.split('.') ?? [];
    const [, name = ''] = path;
    if (path.length !== 2) return obstacle(expr.at, `${path.join('.') || 'a member'} is no column`);
    const item = type.kind === 'list' ? type.of : type;
    if (!isScalar(item.kind)) return obstacle(expr.at, `${path.join('.')} is of type ${typeName(type)}`);
    const values = item.kind === 'string' && item.values !== undefined ? { values: item.values } : {};
    return { kind: 'attribute', type: item.kind, list: type.kind === 'list', name, ...values };
  };

  const computed = (expr: Extract<Expr, { kind: 'call' }>): Filter => {
    const [id = ''] = expr.overloads;
    const [first] = expr.args;
    // int(x) of an int and the like.
    if (/^(\w+)_of_\1$/.test(id) && first !== undefined && expr.overloads.length === 1) return value(first);
    const rule = expr.overloads.length === 1 ? COMPUTED.get(id) : undefined;
    if (rule === undefined) return obstacle(expr.at, `${expr.name.replace(/^\./, '')} of a row's attribute`);
    const [operator, type] = rule;
    const operands = expr.args.map(value);
    if (operands.some(({ kind }) => kind === 'unknown')) return { kind: 'unknown', type };
    return call(operator, type, ...operands);
  };

  const operand = (expr: Expr): Operand => {
    if (++parts > PARTS) return obstacle(expr.at, `more than ${PARTS} parts`);
    if (!asksRow(expr)) return constant(expr);
    switch (expr.kind) {
      case 'select':
        return column(expr, expr.type);
      case 'local':
        return isScalar(expr.type.kind)
          ? { kind: 'element', type: expr.type.kind, depth: rowSlots.get(expr.slot) ?? 0 }
          : obstacle(expr.at, `elements of type ${typeName(expr.type)}`);
      case 'dyn':
        return operand(expr.operand);
      case 'if': {
        const [test, yes, no] = [condition(expr.test), value(expr.yes), value(expr.no)];
        return yes.type === no.type || yes.kind === 'unknown' || no.kind === 'unknown'
          ? when(test, yes, no)
          : obstacle(expr.at, 'two types in one value');
      }
      case 'call':
        return COMPARISONS.has(expr.name) ? condition(expr) : computed(expr);
      default:
        return expr.type.kind === 'bool' ? condition(expr) : obstacle(expr.at, 'a value computed from a row');
    }
  };

  const value = (expr: Expr): Filter => {
    const one = operand(expr);
    return one === STRANGER ? obstacle(expr.at, 'a value of no column type') : one;
  };

  const membership = ({ at, item, container }: Extract<Expr, { kind: 'in' }>): Filter => {
    const asked = operand(item);
    if (!asksRow(container)) {
      const list = constants(container, asked);
      return isUnknown(list) ? list : (contains(asked, list) ?? UNKNOWN);
    }
    const filter = container.kind === 'list' ? among(asked, container.items.map(operand)) : contains(asked, value(container));
    return filter ?? obstacle(at, 'membership in such a list');
  };

  const quantified = (expr: Extract<Expr, { kind: 'fold' }>): Filter => {
    const { at, macro, range, slot, body } = expr;
    if (macro !== 'exists' && macro !== 'all') return obstacle(at, `${macro}() over a row's attribute`);
    if (asksRow(range)) {
      const list = value(range);
      if (!isList(list)) return obstacle(at, `${macro}() over such a list`);
      rowSlots.set(slot, rowSlots.size);
      const inner = condition(body);
      rowSlots.delete(slot);
      return macro === 'all' ? call('all', 'bool', list, inner) : existing(list, rowSlots.size, inner);
    }
    const items = evaluate(range);
    const list = Array.isArray(items) ? (items as readonly Value[]) : kindOf(items) === 'map' ? entriesOf(items).map(([key]) => key) : null;
    if (list === null) return UNKNOWN;
    const terms = list.map((item) => {
      room.locals[slot] = item;
      return condition(body);
    });
    return macro === 'exists' ? or(...terms) : and(...terms);
  };

  const condition = (expr: Expr): Filter => {
    if (++parts > PARTS) return obstacle(expr.at, `more than ${PARTS} parts`);
    if (!asksRow(expr)) {
      const known = evaluate(expr);
      return known === true ? TRUE : known === false ? FALSE : UNKNOWN;
    }
    switch (expr.kind) {
      case 'and':
        return and(...expr.terms.map(condition));
      case 'or':
        return or(...expr.terms.map(condition));
      case 'not':
        return not(condition(expr.operand));
      case 'if':
        return when(condition(expr.test), condition(expr.yes), condition(expr.no));
      case 'equal':
        return compare(expr.negated ? 'ne' : 'eq', operand(expr.left), operand(expr.right)) ?? obstacle(expr.at, 'comparing lists or maps');
      case 'in':
        return membership(expr);
      case 'has':
        return call('is_present', 'bool', column(expr, declaredType(schema, expr)));
      case 'fold':
        return quantified(expr);
      case 'call': {
        const comparison = COMPARISONS.get(expr.name);
        const [left, right] = expr.args;
        if (comparison === undefined || left === undefined || right === undefined) return value(expr);
        return compare(comparison, operand(left), operand(right)) ?? obstacle(expr.at, 'comparing lists or maps');
      }
      default: {
        const one = value(expr);
        return one.type === 'bool' ? one : UNKNOWN;
      }
    }
  };

  try {
    return { ok: true, filter: condition(root) };
  } catch (thrown) {
    if (!isObstacle(thrown)) throw thrown;
    return { ok: false, at: thrown.obstacleAt, message: `no filter can say this: ${thrown.message}` };
  }
};

const declaredType = (schema: Schema, { operand, field }: Extract<Expr, { kind: 'select' | 'has' }>): Type => {
  const fields = operand.type.kind === 'object' ? schema.objects[operand.type.name] : undefined;
  return (fields !== undefined && Object.hasOwn(fields, field) ? fields[field]?.type : undefined) ?? { kind: 'dyn' };
};
