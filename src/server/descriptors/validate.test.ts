import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { type DescMessage, getOption, ScalarType, toBinary } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator as protovalidate } from '@bufbuild/protovalidate';
import type { FieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js';
import fc from 'fast-check';
import { messages } from '../../../test/descriptors.ts';
import type { Method } from '../rpc/define.ts';
import { descriptors } from './registry.ts';
import { createValidator } from './validate.ts';

const described = descriptors();
const methods = [...described.registry]
  .filter((type) => type.kind === 'service')
  .filter((service) => service.typeName.startsWith('securityhub.'))
  .flatMap((service) => service.methods);

/** The generated decoder of every method, by path. */
const decoders = new Map<string, Method['requestDeserialize']>();
const folder = new URL('../../gen/securityhub/v1/', import.meta.url);
for (const file of readdirSync(folder)) {
  const generated = (await import(new URL(file, folder).href)) as Record<string, unknown>;
  for (const [name, value] of Object.entries(generated)) {
    if (!name.endsWith('Service') && name !== 'SecurityHubService') continue;
    for (const method of Object.values(value as Record<string, Method>)) decoders.set(method.path, method.requestDeserialize);
  }
}

const validate = createValidator();
const of = messages(described);
const oracle = protovalidate({ registry: described.registry });

/** Keys of maps are cut in ours. */
const plain = (path: string): string => path.replace(/\["[\s\S]*"\]/, '[]');

describe('the bounds of requests', () => {
  it('are there for every method of the contract', () => {
    expect(methods.length).toBeGreaterThan(30);
    expect(methods.filter((method) => !decoders.has(`/${method.parent.typeName}/${method.name}`))).toEqual([]);
  });

  it.each(methods.map((method) => [`${method.parent.typeName}/${method.name}`, method] as const))(
    'are those of protovalidate: %s',
    (path, method) => {
      fc.assert(
        fc.property(of(method.input, 3), (message) => {
          const bytes = Buffer.from(toBinary(method.input, message));
          const decoded = decoders.get(`/${path}`)?.(bytes);
          const result = oracle.validate(method.input, message);
          expect(result.kind).not.toBe('error');
          const theirs = result.kind === 'invalid' ? result.violations.map((violation) => pathToString(violation.field)) : [];
          const ours = validate(path, decoded).map(({ field }) => field);
          expect(ours.length > 0).toBe(theirs.length > 0);
          if (theirs.length <= 16) expect(ours.map(plain).sort()).toEqual(theirs.map(plain).sort());
        }),
        { numRuns: path.startsWith('securityhub.v1.SecurityHub/') ? 300 : 60 },
      );
    },
  );

  it('stand on every text, bytes, list and map of a request, however deep', () => {
    const option = described.registry.getExtension('buf.validate.field');
    const unbounded = new Set<string>();
    const seen = new Set<string>();
    const bounded = (type: ScalarType | undefined, rules: FieldRules | undefined): boolean => {
      const own = rules?.type;
      if (type === ScalarType.STRING)
        return (
          own?.case === 'string' && (own.value.maxLen > 0n || own.value.maxBytes > 0n || own.value.in.length > 0 || own.value.const !== '')
        );
      if (type === ScalarType.BYTES) return own?.case === 'bytes' && (own.value.maxLen > 0n || own.value.len > 0n);
      return true;
    };
    const look = (field: DescMessage['fields'][number]): boolean => {
      const rules = getOption(field, option as NonNullable<typeof option>) as unknown as FieldRules;
      const own = rules.type;
      if (field.fieldKind === 'list') return own.case === 'repeated' && own.value.maxItems > 0n && bounded(field.scalar, own.value.items);
      if (field.fieldKind === 'map')
        return (
          own.case === 'map' && own.value.maxPairs > 0n && bounded(field.mapKey, own.value.keys) && bounded(field.scalar, own.value.values)
        );
      return bounded(field.scalar, rules);
    };
    const walk = (message: DescMessage): void => {
      if (seen.has(message.typeName) || message.typeName.startsWith('google.protobuf.')) return;
      seen.add(message.typeName);
      for (const field of message.fields) {
        if (!look(field)) unbounded.add(field.toString());
        if (field.message !== undefined) walk(field.message);
      }
    };
    for (const method of methods) walk(method.input);
    expect([...unbounded]).toEqual([]);
  });

  it('hold a Struct to sixteen levels, naming the field', () => {
    let deep: unknown = 'x';
    for (let level = 0; level < 17; level += 1) deep = { a: deep };
    const path = 'securityhub.v1.SecurityHub/CheckPermission';
    const request = (context: unknown) => ({ ...(decoders.get(`/${path}`)?.(Buffer.alloc(0)) as object), context });
    expect(validate(path, request({ a: { b: [1] } }))).toEqual([]);
    expect(validate(path, request(deep))).toEqual([{ field: 'context', description: 'must not be nested deeper than 16' }]);
  });

  const NONE = [
    ['a second after 9999', 253_402_300_800, 0],
    ['a second before year 1', -62_135_596_801, 0],
    ['the largest number of seconds', Number.MAX_SAFE_INTEGER, 0],
    ['negative nanos', 1_900_000_000, -1],
    ['a whole second of nanos', 1_900_000_000, 1_000_000_000],
  ] as const;
  it.each(NONE)('take a Timestamp with %s for none, naming the field', (_, seconds, nanos) => {
    const path = 'securityhub.v1.AuditService/SearchEvents';
    const request = (after: unknown) => ({ ...(decoders.get(`/${path}`)?.(Buffer.alloc(0)) as object), after });
    expect(validate(path, request({ seconds: 253_402_300_799, nanos: 999_999_999 }))).toEqual([]);
    expect(validate(path, request({ seconds, nanos })).map(({ field }) => field)).toEqual(['after']);
  });

  it.each([
    ['seconds and nanos of two signs', 5, -1],
    ['a whole second of nanos', 0, 1_000_000_000],
  ])('take a Duration with %s for none, naming the field', (_, seconds, nanos) => {
    const path = 'securityhub.v1.SecurityHub/ValidateToken';
    const request = (grace: unknown) => ({ ...(decoders.get(`/${path}`)?.(Buffer.alloc(0)) as object), grace });
    expect(validate(path, request({ seconds: 5, nanos: 1 }))).toEqual([]);
    expect(validate(path, request({ seconds, nanos })).map(({ field }) => field)).toEqual(['grace']);
  });
});
