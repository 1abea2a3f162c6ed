// When a condition's value may change by time alone. The node's value is a function of its children's: it cannot change before one of
// them does, and `now` itself changes every millisecond. Comparisons of times and calendar fields know better.
import type { Room, Variables } from './closure.ts';
import { createRoom } from './compile.ts';
import { millisOf } from './timestamp.ts';
import { childrenOf, type Expr } from './tree.ts';
import { BOOL, DYN, listOf, type Schema } from './type.ts';
import { type Duration, isError, type Timestamp, type Value } from './value.ts';

/** Milliseconds since 1970, after `now`; Infinity: never. */
type NextChange = (variables: Variables, now: number) => number;

const NEVER: NextChange = () => Infinity;

const usesNow = (expr: Expr): boolean => (expr.kind === 'variable' && expr.name === 'now') || childrenOf(expr).some(usesNow);

/** How a time or a span moves while `now` moves by one; null: nobody knows. */
const slopeOf = (expr: Expr): number | null => {
  if (!usesNow(expr)) return 0;
  if (expr.kind === 'variable') return 1;
  if (expr.kind !== 'call' || expr.overloads.length !== 1) return null;
  const [id = ''] = expr.overloads;
  const [a, b] = expr.args.map(slopeOf);
  if (/^(timestamp_of_timestamp|duration_of_duration)$/.test(id)) return a ?? null;
  if (a === undefined || a === null || b === undefined || b === null) return null;
  if (/^add_(duration|timestamp_duration|duration_timestamp)$/.test(id)) return a + b;
  return /^subtract_(duration|timestamp|timestamp_duration)$/.test(id) ? a - b : null;
};

/** An operand that has no value today has none tomorrow, unless time itself leads it out of its range or into it. */
const valued = (value: Value): number | null => (isError(value) ? null : millisOf(value as Timestamp | Duration));

/** Two times that move at different speeds meet once. */
const meeting = (left: Expr, right: Expr, room: Room): NextChange | null => {
  const [a, b] = [slopeOf(left), slopeOf(right)];
  if (a === null || b === null) return null;
  if (a === b) return NEVER;
  const [x, y] = [room.compile(left), room.compile(right)];
  return (variables, now) => {
    const [from, to] = [valued(x(variables)), valued(y(variables))];
    if (from === null || to === null) return Infinity;
    // `<` changes at the meeting, `<=` just after it: whichever of the two milliseconds is still ahead.
    const met = Math.floor(now + (to - from) / (a - b));
    return met > now ? met : met + 1 > now ? met + 1 : Infinity;
  };
};

/** Milliseconds between changes of a calendar field. Zones differ from UTC by quarters of an hour, so no day ends within one. */
const stepOf = (id: string): number | null => {
  if (id === 'int_of_timestamp' || id === 'int_of_duration') return 1000;
  const [, field, kind] = /^get(\w+?)(_zone|_duration)?$/.exec(id) ?? [];
  if (field === undefined) return null;
  if (field === 'Milliseconds') return 1;
  if (field === 'Seconds') return 1000;
  if (field === 'Minutes') return 60_000;
  return kind === '_duration' ? 3_600_000 : 900_000;
};

const ticking = (expr: Expr, room: Room): NextChange | null => {
  if (expr.kind !== 'call' || expr.overloads.length !== 1 || expr.args.slice(1).some(usesNow)) return null;
  const step = stepOf(expr.overloads[0] ?? '');
  const [operand] = expr.args;
  if (step === null || operand === undefined) return null;
  const slope = slopeOf(operand);
  if (slope !== 1 && slope !== -1) return slope === 0 ? NEVER : null;
  const run = room.compile(operand);
  return (variables, now) => {
    const value = valued(run(variables));
    if (value === null) return Infinity;
    const past = ((value % step) + step) % step;
    return now + Math.max(1, Math.floor(slope === 1 ? step - past : past));
  };
};

const isTimed = ({ type }: Expr): boolean => type.kind === 'timestamp' || type.kind === 'duration';

const comparison = (expr: Expr, room: Room): NextChange | null => {
  const [left, right] =
    expr.kind === 'equal'
      ? [expr.left, expr.right]
      : expr.kind === 'call' && /^_[<>]=?_$/.test(expr.name)
        ? expr.args
        : [undefined, undefined];
  return left !== undefined && right !== undefined && isTimed(left) && isTimed(right) ? meeting(left, right, room) : null;
};

const earliest = (parts: readonly NextChange[]): NextChange => {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  return (variables, now) => parts.reduce((first, part) => Math.min(first, part(variables, now)), Infinity);
};

/** Each element of a fold has its own next change. */
const overElements = (expr: Extract<Expr, { kind: 'fold' }>, room: Room, body: NextChange): NextChange => {
  const { at, slot, range } = expr;
  const all: Expr = { kind: 'literal', type: BOOL, at, value: true };
  const elements = room.compile({ kind: 'fold', macro: 'filter', type: listOf(DYN), at, slot, range, body: all });
  return (variables, now) => {
    const items = elements(variables);
    if (!Array.isArray(items)) return Infinity;
    let first = Infinity;
    for (const item of items as readonly Value[]) {
      room.locals[slot] = item;
      first = Math.min(first, body(variables, now));
    }
    return first;
  };
};

const nextOf = (expr: Expr, room: Room): NextChange => {
  if (!usesNow(expr)) return NEVER;
  if (expr.kind === 'variable') return (_, now) => now + 1;
  if (expr.kind === 'fold') {
    const body = earliest((expr.transform === undefined ? [expr.body] : [expr.body, expr.transform]).map((part) => nextOf(part, room)));
    return earliest([nextOf(expr.range, room), overElements(expr, room, body)]);
  }
  return (
    comparison(expr, room) ??
    ticking(expr, room) ??
    earliest(
      childrenOf(expr)
        .filter(usesNow)
        .map((child) => nextOf(child, room)),
    )
  );
};

export const compileNextChange = (expr: Expr, schema: Schema): ((variables: Variables, now: number) => number) => {
  const { room, refill } = createRoom(schema);
  const next = nextOf(expr, room);
  if (next === NEVER) return NEVER;
  return (variables, now) => {
    refill();
    return next(variables, now);
  };
};
