// Compiles all(), exists(), exists_one(), map() and filter(): every element costs steps.
import { charge, type Room, type Run } from './closure.ts';
import { TOO_LARGE } from './functions.ts';
import { LIMITS } from './limits.ts';
import { childrenOf, type Expr } from './tree.ts';
import { type ConditionError, entriesOf, errorOf, isError, kindOf, type Value, wrapInt } from './value.ts';

type Fold = Extract<Expr, { kind: 'fold' }>;

const NOT_ITERABLE = errorOf('wrong_type', 'a loop wants a list or a map');
const NO_BOOL = errorOf('wrong_type', 'a condition is not a bool');

const sizeOf = (expr: Expr): number => childrenOf(expr).reduce((sum, child) => sum + sizeOf(child), 1);

/** What a loop runs over: the elements of a list, the keys of a map. */
const itemsOf = ({ range }: Fold, room: Room): ((variables: Parameters<Run>[0]) => readonly Value[] | ConditionError) => {
  const run = room.compile(range);
  // Keys stand unwrapped in a map; under `dyn` they carry their type again.
  const wraps = range.type.kind === 'dyn' || (range.type.kind === 'map' && range.type.key.kind === 'dyn');
  return (variables) => {
    const value = run(variables);
    if (isError(value)) return value;
    const items = Array.isArray(value)
      ? (value as readonly Value[])
      : kindOf(value) === 'map'
        ? entriesOf(value).map(([key]) => (wraps && typeof key === 'number' ? wrapInt(key) : key))
        : null;
    if (items === null) return NOT_ITERABLE;
    return items.length > LIMITS.items ? TOO_LARGE : items;
  };
};

const isItems = (items: readonly Value[] | ConditionError): items is readonly Value[] => Array.isArray(items);
const errorAmong = (value: Value): ConditionError => (isError(value) ? value : NO_BOOL);

/** One element decides; an error counts only where none does (CEL, "Macros"). */
const quantifier = (fold: Fold, room: Room, cost: number, decisive: boolean): Run => {
  const items = itemsOf(fold, room);
  const body = room.compile(fold.body);
  return (variables) => {
    const all = items(variables);
    if (!isItems(all)) return all;
    let error: ConditionError | null = null;
    for (const item of all) {
      const broke = charge(room, cost);
      if (broke !== null) return broke;
      room.locals[fold.slot] = item;
      const answer = body(variables);
      if (answer === decisive) return decisive;
      if (answer !== !decisive) error ??= errorAmong(answer);
    }
    return error ?? !decisive;
  };
};

/** The elements that pass, or what becomes of them; any error is an error. */
const selection = (fold: Fold, room: Room, cost: number): ((variables: Parameters<Run>[0]) => readonly Value[] | ConditionError) => {
  const items = itemsOf(fold, room);
  const body = room.compile(fold.body);
  const transform = fold.transform === undefined ? null : room.compile(fold.transform);
  return (variables) => {
    const all = items(variables);
    if (!isItems(all)) return all;
    const kept: Value[] = [];
    for (const item of all) {
      const broke = charge(room, cost);
      if (broke !== null) return broke;
      room.locals[fold.slot] = item;
      const passes = body(variables);
      if (passes === false) continue;
      if (passes !== true) return errorAmong(passes);
      const value = transform === null ? item : transform(variables);
      if (isError(value)) return value;
      kept.push(value);
    }
    return kept;
  };
};

export const compileFold = (fold: Fold, room: Room): Run => {
  const cost = sizeOf(fold.body) + (fold.transform === undefined ? 0 : sizeOf(fold.transform));
  switch (fold.macro) {
    case 'exists':
      return quantifier(fold, room, cost, true);
    case 'all':
      return quantifier(fold, room, cost, false);
    case 'exists_one': {
      const kept = selection(fold, room, cost);
      return (variables) => {
        const items = kept(variables);
        return isItems(items) ? items.length === 1 : items;
      };
    }
    case 'filter':
    case 'map':
      return selection(fold, room, cost);
  }
};
