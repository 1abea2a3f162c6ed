// CEL text → tree, by the parser of @bufbuild/cel. For writing time only: nothing here runs when a permission is checked.
import { parse } from '@bufbuild/cel';
import { LIMITS } from './limits.ts';
import { type Problem, problemAt } from './problem.ts';
import type { Macro, Syntax } from './tree.ts';

type Parsed = ReturnType<typeof parse>;
type CelExpr = Parsed['expr'];
type Constant = Extract<CelExpr['exprKind'], { case: 'constExpr' }>['value'];
type Comprehension = Extract<CelExpr['exprKind'], { case: 'comprehensionExpr' }>['value'];

export type SyntaxResult = { readonly ok: true; readonly syntax: Syntax } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Thrown and caught in this file only. */
interface Refusal {
  readonly refusedAt: number;
  readonly message: string;
}

const refuse = (refusedAt: number, message: string): never => {
  throw { refusedAt, message } satisfies Refusal;
};

const constant = (at: number, { constantKind: of }: Constant): Syntax => {
  switch (of.case) {
    case 'boolValue':
      return { kind: 'literal', at, of: 'bool', value: of.value };
    case 'stringValue':
      return { kind: 'literal', at, of: 'string', value: of.value };
    case 'bytesValue':
      return { kind: 'literal', at, of: 'bytes', value: Buffer.from(of.value).toString('base64') };
    case 'nullValue':
      return { kind: 'literal', at, of: 'null', value: null };
    case 'doubleValue':
      return Number.isFinite(of.value) ? { kind: 'literal', at, of: 'double', value: of.value } : refuse(at, 'the number is too large');
    case 'int64Value': {
      const value = Number(of.value);
      return Number.isSafeInteger(value)
        ? { kind: 'literal', at, of: 'int', value }
        : refuse(at, 'an int lies within ±(2^53 - 1); write larger ids as strings');
    }
    case 'uint64Value':
      return refuse(at, 'unsigned integers are not supported: leave the u out');
    default:
      return refuse(at, 'this constant is not supported');
  }
};

const MACROS: ReadonlyMap<string, Macro> = new Map([
  ['all', 'all'],
  ['exists', 'exists'],
  ['exists_one', 'exists_one'],
  ['existsOne', 'exists_one'],
  ['map', 'map'],
  ['filter', 'filter'],
]);

const convert = (parsed: Parsed): Syntax => {
  const positions: Readonly<Record<string, number>> = parsed.sourceInfo?.positions ?? {};
  const macroCalls: Readonly<Record<string, CelExpr>> = parsed.sourceInfo?.macroCalls ?? {};

  // The parser expands macros into general loops; the step of each macro still holds what was written.
  const fold = (id: string, at: number, loop: Comprehension, depth: number): Syntax => {
    const call = macroCalls[id]?.exprKind;
    const macro = call?.case === 'callExpr' ? MACROS.get(call.value.function) : undefined;
    const step = loop.loopStep?.exprKind;
    if (macro === undefined || loop.iterRange === undefined || step?.case !== 'callExpr') return refuse(at, 'this loop is not supported');
    const [first, second] = step.value.args;
    const written = (expr: CelExpr | undefined): Syntax => (expr === undefined ? refuse(at, 'incomplete') : walk(expr, depth));
    const range = written(loop.iterRange);
    const common = { kind: 'fold', at, macro, variable: loop.iterVar, range } as const;
    const appended = (concat: CelExpr | undefined): Syntax => {
      const list = concat?.exprKind.case === 'callExpr' ? concat.exprKind.value.args[1]?.exprKind : undefined;
      return list?.case === 'listExpr' ? written(list.value.elements[0]) : refuse(at, 'incomplete');
    };
    if (macro === 'all' || macro === 'exists') return { ...common, body: written(second) };
    if (macro === 'exists_one' || macro === 'filter') return { ...common, body: written(first) };
    if (step.value.function === '_?_:_') return { ...common, body: written(first), transform: appended(second) };
    return { ...common, body: { kind: 'literal', at, of: 'bool', value: true }, transform: appended(loop.loopStep) };
  };

  const walk = (expr: CelExpr, above: number): Syntax => {
    const id = expr.id.toString();
    const at = positions[id] ?? 0;
    const depth = above + 1;
    if (depth > LIMITS.depth * 2) return refuse(at, `nested deeper than ${LIMITS.depth} levels`);
    const part = (child: CelExpr | undefined): Syntax => (child === undefined ? refuse(at, 'incomplete') : walk(child, depth));
    const kind = expr.exprKind;
    switch (kind.case) {
      case 'constExpr':
        return constant(at, kind.value);
      case 'identExpr':
        return { kind: 'name', at, name: kind.value.name };
      case 'selectExpr':
        return { kind: kind.value.testOnly ? 'has' : 'select', at, operand: part(kind.value.operand), field: kind.value.field };
      case 'callExpr': {
        const { target, args } = kind.value;
        const all = target === undefined ? args : [target, ...args];
        return { kind: 'call', at, name: kind.value.function, receiver: target !== undefined, args: all.map(part) };
      }
      case 'listExpr':
        return { kind: 'list', at, items: kind.value.elements.map(part) };
      case 'structExpr':
        if (kind.value.messageName !== '') return refuse(at, `messages such as ${kind.value.messageName} are not supported`);
        return {
          kind: 'map',
          at,
          entries: kind.value.entries.map((entry) => [
            part(entry.keyKind.case === 'mapKey' ? entry.keyKind.value : undefined),
            part(entry.value),
          ]),
        };
      case 'comprehensionExpr':
        return fold(id, at, kind.value, depth);
      default:
        return refuse(at, 'incomplete');
    }
  };
  return walk(parsed.expr, 0);
};

const isRefusal = (thrown: unknown): thrown is Refusal => typeof thrown === 'object' && thrown !== null && 'refusedAt' in thrown;

const problemOf = (source: string, thrown: unknown): Problem => {
  if (isRefusal(thrown)) return problemAt(source, thrown.refusedAt, thrown.message);
  const { message, rawMessage, location } = thrown as {
    message?: string;
    rawMessage?: string;
    location?: { start: { offset: number } };
  };
  if (location !== undefined) return problemAt(source, location.start.offset, `syntax error: ${rawMessage ?? message ?? ''}`);
  if (message?.includes('call stack')) return problemAt(source, 0, `nested deeper than ${LIMITS.depth} levels`);
  return problemAt(source, 0, `syntax error: ${message ?? ''}`);
};

/** The tree as written. A text that does not parse, or uses what we leave out of CEL, is answered with problems; nothing is thrown. */
export const parseSyntax = (source: string): SyntaxResult => {
  if (source.length > LIMITS.source)
    return { ok: false, problems: [{ line: 1, column: 1, message: `longer than ${LIMITS.source} characters` }] };
  if (!source.isWellFormed()) return { ok: false, problems: [{ line: 1, column: 1, message: 'not valid Unicode' }] };
  try {
    return { ok: true, syntax: convert(parse(source)) };
  } catch (thrown) {
    return { ok: false, problems: [problemOf(source, thrown)] };
  }
};
