// The conformance cases of CEL (npm @bufbuild/cel-spec) as our evaluator sees them: schema, variables, and the value wanted.
import { getConformanceSuite, type IncrementalTestSuite } from '@bufbuild/cel-spec/testdata/tests.js';
import { check } from '../../src/authorization/condition/check.ts';
import { compileExpression } from '../../src/authorization/condition/compile.ts';
import { parseSyntax } from '../../src/authorization/condition/parse.cel.ts';
import { compilePattern } from '../../src/authorization/condition/regexp.re2.ts';
import { makeDuration, makeTimestamp } from '../../src/authorization/condition/timestamp.ts';
import { toDyn } from '../../src/authorization/condition/coerce.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  type Schema,
  STRING,
  TIMESTAMP,
  type Type,
  typeName,
} from '../../src/authorization/condition/type.ts';
import { entriesOf, equalValues, isError, kindOf, numberOf, type Value, wrapInt } from '../../src/authorization/condition/value.ts';

type Case = IncrementalTestSuite['tests'][number]['original'];
type CelValue = NonNullable<Case['bindings'][string]['kind'] & { case: 'value' }>['value'];
type CelType = NonNullable<NonNullable<Case['typeEnv'][number]['declKind'] & { case: 'ident' }>['value']['type']>;

export interface Named {
  /** `suite/section/name`. */
  readonly id: string;
  readonly test: Case;
}

const walk = (suite: IncrementalTestSuite, path: readonly string[]): readonly Named[] => [
  ...suite.tests.map(({ original }) => ({ id: [...path, original.name].join('/'), test: original })),
  ...suite.suites.flatMap((child) => walk(child, [...path, child.name])),
];

export const cases = (): readonly Named[] => walk(getConformanceSuite(), []);

/** Thrown for what is no value or type of ours; caught in `outcome`. */
const beyond = (what: string): never => {
  throw new Error(`beyond our values: ${what}`);
};

const PRIMITIVES: readonly (Type | undefined)[] = [undefined, BOOL, INT, undefined, DOUBLE, STRING, BYTES];

const typeOf = (type: CelType | undefined): Type => {
  const of = type?.typeKind;
  switch (of?.case) {
    case 'primitive':
      return PRIMITIVES[of.value] ?? beyond('uint');
    case 'dyn':
      return DYN;
    case 'null':
      return NULL;
    case 'wellKnown':
      return of.value === 2 ? TIMESTAMP : of.value === 3 ? DURATION : beyond('any');
    case 'messageType':
      if (of.value === 'google.protobuf.Timestamp') return TIMESTAMP;
      return of.value === 'google.protobuf.Duration' ? DURATION : beyond(of.value);
    case 'listType':
      return listOf(typeOf(of.value.elemType));
    case 'mapType':
      return mapOf(typeOf(of.value.valueType), typeOf(of.value.keyType));
    default:
      return beyond(of?.case ?? 'no type');
  }
};

const int = (value: bigint): number => (Number.isSafeInteger(Number(value)) ? Number(value) : beyond('an int beyond 2^53'));

/** As a `dyn` value. */
const valueOf = (value: CelValue | undefined): Value => {
  const kind = value?.kind;
  switch (kind?.case) {
    case 'nullValue':
      return null;
    case 'boolValue':
    case 'doubleValue':
    case 'stringValue':
    case 'bytesValue':
      return kind.value;
    case 'int64Value':
      return wrapInt(int(kind.value));
    case 'listValue':
      return kind.value.values.map(valueOf);
    case 'mapValue':
      return new Map(
        kind.value.entries.map((entry) => {
          const key = valueOf(entry.key);
          return [numberOf(key) ?? key, valueOf(entry.value)];
        }),
      );
    case 'objectValue': {
      const { seconds, nanos } = wellKnown(kind.value.value);
      if (kind.value.typeUrl.endsWith('google.protobuf.Timestamp')) return makeTimestamp(seconds, nanos);
      return kind.value.typeUrl.endsWith('google.protobuf.Duration') ? makeDuration(seconds, nanos) : beyond(kind.value.typeUrl);
    }
    default:
      return beyond(kind?.case ?? 'no value');
  }
};

/** Seconds and nanos of a Timestamp or Duration message. */
const wellKnown = (bytes: Uint8Array): { seconds: number; nanos: number } => {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  };
  const fields = [0, 0, 0];
  while (at < bytes.length) {
    const field = Number(varint() >> 3n);
    fields[field] = Number(varint());
  }
  return { seconds: fields[1] ?? 0, nanos: fields[2] ?? 0 };
};

/** As an activation holds it: an int of a known type is a plain number. */
const plain = (value: Value, type: Type): Value => {
  if (type.kind === 'int') return numberOf(value);
  if (type.kind === 'list') return (value as readonly Value[]).map((item) => plain(item, type.of));
  if (type.kind === 'map') {
    const entries = entriesOf(value).map(([key, item]) => [key, plain(item, type.of)] as const);
    return type.key.kind === 'string' ? Object.fromEntries(entries as readonly (readonly [string, Value])[]) : new Map(entries);
  }
  return value;
};

const alike = (a: Value, b: Value): boolean => {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (kind === 'double' && Number.isNaN(a)) return Number.isNaN(b);
  if (kind === 'list') {
    const [x, y] = [a as readonly Value[], b as readonly Value[]];
    return x.length === y.length && x.every((item, i) => alike(item, y[i]));
  }
  return kind === 'double' ? Object.is(a, b) : equalValues(a, b, { left: 1000 });
};

const deduced = (wanted: CelType | undefined, type: Type): string => {
  const name = typeName(typeOf(wanted));
  return name === typeName(type) ? '' : `type ${typeName(type)}, wanted ${name}`;
};

/** '' where our answer is the one wanted, otherwise what differs. */
export const outcome = ({ test }: Named): string => {
  const variables: Record<string, Type> = {};
  const values: Record<string, unknown> = {};
  try {
    for (const { name, declKind } of test.typeEnv)
      if (declKind.case === 'ident') variables[name] = typeOf(declKind.value.type);
      else beyond("a function of one's own");
    for (const [name, { kind }] of Object.entries(test.bindings)) {
      variables[name] ??= DYN;
      values[name] = kind.case === 'value' ? plain(valueOf(kind.value), variables[name]) : beyond('unknown');
    }
    const schema: Schema = { variables, objects: {} };
    const wantsError = test.resultMatcher.case === 'evalError' || test.resultMatcher.case === 'anyEvalErrors';
    const parsed = parseSyntax(test.expr);
    const checked = parsed.ok
      ? check(test.expr, parsed.syntax, schema, { patternSize: (source) => compilePattern(source)?.size ?? null })
      : parsed;
    if (!checked.ok) return wantsError ? '' : `refused: ${checked.problems[0]?.message}`;
    const { expr } = checked;
    if (test.checkOnly && test.resultMatcher.case === 'typedResult') return deduced(test.resultMatcher.value.deducedType, expr.type);
    const result = compileExpression(expr, schema)(values);
    if (isError(result)) return wantsError ? '' : `error: ${result.message}`;
    if (wantsError) return 'a value where an error is wanted';
    const carried = toDyn(expr.type, schema)(result);
    if (test.resultMatcher.case === 'typedResult') return deduced(test.resultMatcher.value.deducedType, expr.type);
    const wanted = test.resultMatcher.case === 'value' ? valueOf(test.resultMatcher.value) : true;
    return alike(carried, wanted) ? '' : `got ${JSON.stringify(carried)}, wanted ${JSON.stringify(wanted)}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
};
