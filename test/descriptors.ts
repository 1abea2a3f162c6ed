// Messages around the bounds of their rules, for property tests over the descriptor set.
import { create, type DescField, type DescMessage, getOption, type Message, ScalarType } from '@bufbuild/protobuf';
import type { FieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js';
import fc from 'fast-check';
import type { Descriptors } from '../src/server/descriptors/registry.ts';

const sizes = (min: number, max: number): fc.Arbitrary<number> =>
  fc.constantFrom(0, 1, min, Math.max(0, min - 1), min + 1, max, max - 1, max + 1);

const text = (rules: FieldRules | undefined): fc.Arbitrary<string> => {
  const own = rules?.type.case === 'string' ? rules.type.value : undefined;
  const max = Number(own?.maxLen ?? 8n) || 8;
  const min = Number(own?.minLen ?? 0n);
  const unit = fc.constantFrom('a', 'a', 'a', '1', 'Z', '-', '_', '.', ':', '*', '/', ' ', '\n', 'é', '😀');
  const sized = fc.tuple(unit, sizes(min, max)).map(([one, size]) => one.repeat(Math.max(0, size)));
  const loose = fc.string({ unit, maxLength: 12 });
  const listed = own !== undefined && own.in.length > 0 ? fc.constantFrom(...own.in) : sized;
  if (own === undefined || own.pattern === '') return fc.oneof(sized, loose, listed);
  const matching = fc.stringMatching(new RegExp(own.pattern, 'u'));
  return fc.oneof(
    { weight: 6, arbitrary: matching },
    sized,
    loose,
    fc.tuple(matching, unit).map(([good, more]) => good + more),
  );
};

const numbers = (rules: FieldRules | undefined): readonly number[] => {
  const own = rules?.type.value as { readonly lessThan?: { value?: unknown }; readonly greaterThan?: { value?: unknown } } | undefined;
  const bounds = [own?.lessThan?.value, own?.greaterThan?.value]
    .filter((bound) => bound !== undefined && typeof bound !== 'object')
    .map(Number);
  return [0, 1, ...bounds.flatMap((bound) => [bound - 1, bound, bound + 1])];
};

const LONG = new Set([ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64]);
const UNSIGNED = new Set([ScalarType.UINT32, ScalarType.UINT64, ScalarType.FIXED32, ScalarType.FIXED64]);

const scalar = (type: ScalarType, rules: FieldRules | undefined): fc.Arbitrary<unknown> => {
  switch (type) {
    case ScalarType.STRING:
      return text(rules);
    case ScalarType.BYTES: {
      const own = rules?.type.case === 'bytes' ? rules.type.value : undefined;
      return sizes(Number(own?.minLen ?? 0n), Number(own?.maxLen ?? 4n) || 4).map((size) => new Uint8Array(Math.max(0, size)));
    }
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.constantFrom(...numbers(rules), 0.5, Number.NaN, Number.POSITIVE_INFINITY);
    default: {
      const usable = numbers(rules).filter((value) => !UNSIGNED.has(type) || value >= 0);
      return fc.constantFrom(...usable).map((value) => (LONG.has(type) ? BigInt(value) : value));
    }
  }
};

const moment = (rules: FieldRules | undefined): fc.Arbitrary<unknown> => {
  const own = rules?.type.value as { readonly lessThan?: { value?: unknown }; readonly greaterThan?: { value?: unknown } } | undefined;
  const bounds = [own?.lessThan?.value, own?.greaterThan?.value].filter((bound) => typeof bound === 'object' && bound !== null);
  const around = (bounds as readonly { seconds: bigint }[]).flatMap(({ seconds }) => [seconds - 1n, seconds, seconds + 1n]);
  return fc.tuple(fc.constantFrom(0n, 1n, -1n, ...around), fc.constantFrom(0, 1, 999_999_999)).map(([seconds, nanos]) => ({
    seconds,
    // The sign of both parts is the same in a valid Duration.
    nanos: seconds < 0n ? 0 : nanos,
  }));
};

/** Arbitrary messages of a type: mostly near the bounds of its rules, on either side. */
export const messages = ({ registry }: Descriptors) => {
  const option = registry.getExtension('buf.validate.field');
  if (option === undefined) throw new Error('no rules in the descriptor set');

  const single = (
    field: DescField,
    message: DescMessage | undefined,
    type: ScalarType | undefined,
    rules: FieldRules | undefined,
    depth: number,
  ): fc.Arbitrary<unknown> => {
    if (message !== undefined) {
      if (message.typeName === 'google.protobuf.Struct') return fc.constantFrom({}, { a: 1, b: { c: [true, null, 'x'] } });
      if (/^google\.protobuf\.(Duration|Timestamp)$/.test(message.typeName))
        return moment(rules).map((value) => create(message, value as never));
      return of(message, depth - 1);
    }
    if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map(({ number }) => number), 99);
    return scalar(type ?? ScalarType.STRING, rules);
  };

  const fieldValue = (field: DescField, depth: number): fc.Arbitrary<unknown> => {
    const rules = getOption(field, option) as unknown as FieldRules;
    if (field.fieldKind === 'list') {
      const own = rules.type.case === 'repeated' ? rules.type.value : undefined;
      const item = single(field, field.message, field.scalar, own?.items, depth);
      const many = fc.tuple(item, sizes(Number(own?.minItems ?? 0n), Number(own?.maxItems ?? 2n) || 2));
      return fc.oneof(
        { weight: 3, arbitrary: fc.array(item, { maxLength: 3 }) },
        many.map(([one, size]) => Array.from({ length: Math.min(size, 70) }, () => one)),
      );
    }
    if (field.fieldKind === 'map') {
      const own = rules.type.case === 'map' ? rules.type.value : undefined;
      const pair = fc.tuple(scalar(field.mapKey, own?.keys), single(field, field.message, field.scalar, own?.values, depth));
      const exact = fc
        .tuple(pair, sizes(0, Number(own?.maxPairs ?? 2n) || 2))
        .map(([[, value], size]) => Array.from({ length: Math.min(size, 200) }, (_, at) => [`k${at}`, value] as const));
      return fc
        .oneof(fc.array(pair, { maxLength: 3 }), exact)
        .map((pairs) => Object.fromEntries(pairs.filter(([key]) => key !== '__proto__')));
    }
    return single(field, field.message, field.scalar, rules, depth);
  };

  const of = (message: DescMessage, depth: number): fc.Arbitrary<Message> => {
    const parts = message.members.map((member): fc.Arbitrary<readonly [string, unknown] | null> => {
      if (member.kind === 'oneof') {
        const choices = member.fields.map((field) => fieldValue(field, depth).map((value) => ({ case: field.localName, value })));
        return fc.oneof(fc.constant(null), ...choices.map((choice) => choice.map((value) => [member.localName, value] as const)));
      }
      if (depth <= 0 && member.message !== undefined) return fc.constant(null);
      return fc.option(
        fieldValue(member, depth).map((value) => [member.localName, value] as const),
        { freq: 2 },
      );
    });
    return fc.tuple(...parts).map((members) => create(message, Object.fromEntries(members.filter((member) => member !== null)) as never));
  };
  return of;
};
