import { describe, expect, it } from '@jest/globals';
import { inBlocks, systemRandom } from './random.ts';

describe('random bytes in blocks', () => {
  it('are never given out twice, whatever their sizes', () => {
    let drawn = 0;
    const source: Buffer[] = [];
    const bytes = inBlocks({
      bytes: (size) => {
        drawn += 1;
        source.push(systemRandom.bytes(size));
        return source.at(-1) as Buffer;
      },
    });
    const given = new Map<ArrayBufferLike, [number, number][]>();
    for (let count = 0; count < 5000; count += 1) {
      const size = [24, 12, 16, 2, 5000][count % 5] ?? 0;
      const part = bytes(size);
      expect(part).toHaveLength(size);
      given.set(part.buffer, [...(given.get(part.buffer) ?? []), [part.byteOffset, part.byteOffset + size]]);
    }
    for (const ranges of given.values()) {
      const sorted = ranges.toSorted(([a], [b]) => a - b);
      for (const [at, [from]] of sorted.entries()) expect(from).toBeGreaterThanOrEqual(sorted[at - 1]?.[1] ?? 0);
    }
    // The large ones by themselves, the small ones in blocks.
    expect(drawn).toBeLessThan(1000 + 20);
  });
});
