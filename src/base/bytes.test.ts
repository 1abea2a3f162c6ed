import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { equalBytes, equalText } from './bytes.ts';

describe('equality', () => {
  it('is that of the bytes, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
        expect(equalBytes(a, b)).toBe(Buffer.from(a).equals(b));
        expect(equalBytes(a, Uint8Array.from(a))).toBe(true);
      }),
    );
  });

  it('is that of the texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect([equalText(a, b), equalText(a, a)]).toEqual([a === b, true]);
      }),
    );
  });

  it('takes as long for a difference in the first byte as for one in the last', () => {
    const secret = randomBytes(1 << 20);
    const other = (at: number): Buffer => {
      const bytes = Buffer.from(secret);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    const [first, last] = [other(0), other(secret.length - 1)];
    const timed = (given: Buffer): number => {
      const began = process.hrtime.bigint();
      if (equalBytes(secret, given)) throw new Error('these differ');
      return Number(process.hrtime.bigint() - began);
    };
    // In turns; whatever else the machine does only adds, so the least of many is what it costs.
    const costs = [first, last].map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < 300; round += 1)
      for (const [at, given] of [first, last].entries()) costs[at] = Math.min(costs[at] as number, timed(given));
    // Where it stops at the first difference this is a thousand.
    const ratio = (costs[1] as number) / (costs[0] as number);
    expect(ratio).toBeGreaterThan(0.67);
    expect(ratio).toBeLessThan(1.5);
  });
});
