// The quick reader against the generated decoder: on requests of every shape, on bytes that nobody's encoder writes, and on broken ones.
import { isDeepStrictEqual } from 'node:util';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Fault } from '../../base/fault.ts';
import { BatchCheckRequest, SecurityHubService } from '../../gen/securityhub/v1/security_hub.ts';
import { decode } from '../../server/rpc/decode.ts';
import type { Method } from '../../server/rpc/define.ts';
import { readBatchCheck } from './request.ts';

const GENERATED = SecurityHubService.batchCheck as Method;
const QUICK: Method = { ...GENERATED, read: readBatchCheck as NonNullable<Method['read']> };
/** What is left out is empty. */
const encode = (request: object): Buffer =>
  Buffer.from(BatchCheckRequest.encode(BatchCheckRequest.fromPartial(request as BatchCheckRequest)).finish());

/** What comes of the bytes: a message, or the fault. */
const outcome = (method: Method, bytes: Buffer): unknown => {
  try {
    return decode(method, bytes);
  } catch (thrown) {
    const { reason, message, violations } = thrown as Fault;
    return thrown instanceof Fault ? { reason, message, violations } : thrown;
  }
};
const readsAlike = (bytes: Buffer): boolean => isDeepStrictEqual(outcome(QUICK, bytes), outcome(GENERATED, bytes));
const isQuick = (bytes: Buffer): boolean =>
  readBatchCheck(bytes, () => {
    throw new Error('the generated decoder was asked');
  }) !== null;

const word = fc.oneof(
  fc.constantFrom('', 'read', 'invoices', 'GB', 'é', '__proto__', 'constructor'),
  fc.string({ unit: 'grapheme', maxLength: 45 }).map((text) => text.toWellFormed()),
);
const attributes = fc.option(
  fc.dictionary(
    word,
    fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
    { maxKeys: 5 },
  ),
  { nil: undefined },
);
const subject = fc.record({
  tenantId: word,
  type: word,
  id: word,
  attributes,
  scopes: fc.array(word, { maxLength: 2 }),
  mfaVerified: fc.boolean(),
});
const named = subject.map(({ tenantId, type, id }) => ({ tenantId, type, id }));
const principal = fc.option(
  fc.oneof(
    word.map((value) => ({ $case: 'token' as const, value })),
    fc.oneof(subject, named).map((value) => ({ $case: 'subject' as const, value })),
  ),
  { nil: undefined },
);
const tokenContext = fc.option(fc.record({ ipAddress: word, deviceId: word }), { nil: undefined });
const resource = fc.record({
  type: word,
  id: word,
  tenantId: word,
  ownerId: word,
  classification: word,
  attributes,
  parents: fc.array(fc.record({ type: word, id: word }), { maxLength: 3 }),
});
/** What a check may say for itself, and the request for all of them. */
const surroundings = {
  principal,
  tokenContext,
  context: attributes,
  workload: word,
  environment: word,
  minPolicyRevision: fc.oneof(fc.constant(0), fc.maxSafeNat()),
};
const check = (resources: fc.Arbitrary<object | undefined>) => fc.record({ ...surroundings, id: word, action: word, resource: resources });
// Few resources, so that neighbours often have the same.
const request = fc.array(resource, { minLength: 1, maxLength: 3 }).chain((resources) =>
  fc.record({
    ...surroundings,
    checks: fc.array(check(fc.constantFrom(undefined, ...resources)), { maxLength: 6 }),
  }),
);

/** One field of a message. */
const field = (number: number, body: Uint8Array): Buffer =>
  Buffer.from(
    new BinaryWriter()
      .uint32((number << 3) | 2)
      .bytes(body)
      .finish(),
  );
const text = (value: string): Buffer => Buffer.from(value);
const several = (parts: fc.Arbitrary<Buffer>, most: number) => fc.array(parts, { maxLength: most }).map((all) => Buffer.concat(all));

/** Values as bytes: of no kind, of several, with unknown fields, with names twice or without a value, nested as deep as one likes. */
const value = fc.letrec<{ value: Buffer; struct: Buffer; member: Buffer }>((tie) => ({
  value: several(
    fc.oneof(
      { depthSize: 'small' },
      fc
        .constantFrom('0800', '0801', '110000000000000840', '2000', '2001', '2002', '1a026162', '1a01ff', '3a00', '00', '0c')
        .map((hex) => Buffer.from(hex, 'hex')),
      tie('struct').map((body) => field(5, body)),
      several(
        tie('value').map((body) => field(1, body)),
        3,
      ).map((body) => field(6, body)),
    ),
    2,
  ),
  member: several(
    fc.oneof(
      fc.constantFrom('', 'a', 'b', '1', '__proto__').map((name) => field(1, text(name))),
      tie('value').map((body) => field(2, body)),
    ),
    3,
  ),
  struct: several(
    tie('member').map((body) => field(1, body)),
    4,
  ),
}));

const nested = (depth: number, by: 'list' | 'struct'): Buffer => {
  let bytes = field(3, text('x'));
  for (let at = 0; at < depth; at += 1)
    bytes = by === 'list' ? field(6, field(1, bytes)) : field(5, field(1, Buffer.concat([field(1, text('a')), field(2, bytes)])));
  return bytes;
};
const inCheck = (bytes: Buffer): Buffer => field(8, field(3, field(6, field(1, Buffer.concat([field(1, text('a')), field(2, bytes)])))));

describe('the quick reader of BatchCheck', () => {
  it('reads what the generated decoder reads', () => {
    fc.assert(fc.property(request, (given) => readsAlike(encode(given))));
  });

  it('reads by itself what most callers write', () => {
    const attributes = { text: 'a', number: 1.5, no: null, yes: true, list: ['a', 1], inner: { a: { b: [] } } };
    const asked = {
      id: '1',
      action: 'read',
      environment: 'production',
      resource: { type: 'invoices', id: 'ü', ownerId: 'usr_1', attributes },
    };
    const bytes = encode({
      principal: { $case: 'subject', value: { type: 'user', id: 'usr_1' } },
      context: attributes,
      checks: [asked, { ...asked, action: 'write' }, { ...asked, principal: { $case: 'subject', value: { id: 'usr_2' } } }],
    });
    expect(isQuick(bytes)).toBe(true);
    expect(readsAlike(bytes)).toBe(true);
  });

  it('reads values as the generated decoder does, however they are written', () => {
    fc.assert(fc.property(value.struct, (body) => readsAlike(Buffer.concat([field(4, body), field(8, field(3, field(6, body)))]))));
  });

  it.each(['list', 'struct'] as const)('says of a %s nested ever deeper what the generated decoder says', (by) => {
    for (const depth of [1, 14, 15, 16, 17, 30, 31, 32, 33, 34, 50, 1000])
      expect([depth, readsAlike(inCheck(nested(depth, by)))]).toEqual([depth, true]);
  });

  it('says of broken bytes what the generated decoder says', () => {
    const wound = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() });
    fc.assert(
      fc.property(request, fc.array(wound, { minLength: 1, maxLength: 3 }), (given, wounds) => {
        const bytes = encode(given);
        let end = bytes.length;
        for (const { at, byte, cut } of wounds) {
          if (end === 0) continue;
          if (cut) end = at % end;
          else bytes[at % end] = byte;
        }
        return readsAlike(bytes.subarray(0, end));
      }),
      { numRuns: 1000 },
    );
  });

  it('takes fields in any order, and of the same field the last', () => {
    const parts = [
      encode({ principal: { $case: 'token', value: 't' } }),
      encode({ principal: { $case: 'subject', value: { id: 'u' } } }),
      encode({ context: { a: 1 } }),
      encode({ context: { b: 2 } }),
      encode({ tokenContext: { deviceId: 'd' } }),
      encode({ checks: [{ id: '1', resource: { id: 'r' } }] }),
      encode({ checks: [{ id: '2', resource: { id: 'r' } }] }),
      field(8, Buffer.concat([field(3, field(2, text('a'))), field(3, field(2, text('b')))])),
      field(99, text('unknown')),
    ];
    fc.assert(fc.property(fc.shuffledSubarray(parts), (order) => readsAlike(Buffer.concat(order))));
  });
});
