import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMirror, type Marked, type Watermark, WATERMARK_KINDS } from './mirror.ts';

const MINUTE = 60_000;
const names = fc.constantFrom('a', 'b', 'c', '');
const marks: fc.Arbitrary<readonly Omit<Watermark, 'seq'>[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...WATERMARK_KINDS),
    tenantId: fc.constantFrom('acme', 'rival'),
    key: names,
    until: fc.integer({ min: 1, max: 20 }).map((minutes) => minutes * MINUTE),
    detail: fc.constantFrom('revoked', 'suspended'),
  }),
  { maxLength: 60 },
);
const tokens: readonly Marked[] = ['acme', 'rival'].flatMap((tenantId) =>
  ['a', 'b', 'c'].flatMap((name) =>
    [0, 3, 17, 40].map((rsq) => ({ tenantId, clientId: name, subject: name, sessionId: name, familyId: name, tokenId: name, rsq })),
  ),
);

describe('what a mirror tells of itself', () => {
  it('makes a copy that judges alike, now and later, wherever the telling was interrupted by changes', () => {
    fc.assert(
      fc.property(marks, fc.nat(60), fc.nat(10), fc.nat(10), (given, before, swept, later) => {
        const changes = given.map((mark, at): Watermark => ({ ...mark, seq: at + 1 }));
        const upTo = Math.min(before, changes.length);
        const [original, copy] = [createMirror(1000), createMirror(1000)];
        for (const change of changes.slice(0, upTo)) original.apply(change);
        original.sweep(swept * MINUTE, 1000);
        // The rest comes while it is told, one change after each mark, and is told afterwards.
        const rest = changes.slice(upTo);
        let next = 0;
        for (const mark of original.live(swept * MINUTE, upTo)) {
          copy.apply(mark);
          const change = rest[next++];
          if (change !== undefined) original.apply(change);
        }
        for (const change of rest.slice(next)) original.apply(change);
        for (const change of rest) copy.apply(change);
        const now = (swept + later) * MINUTE;
        for (const mirror of [original, copy]) mirror.sweep(now, 1000);
        for (const token of tokens) expect([token, copy.refusal(token)?.reason]).toEqual([token, original.refusal(token)?.reason]);
      }),
      { numRuns: 500 },
    );
  });
});
