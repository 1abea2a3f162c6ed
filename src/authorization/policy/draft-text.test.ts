// A draft is read as it was given, in short steps however long it is.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { printDraft, readDraft } from './draft-text.ts';
import { atOnce } from '../../base/slices.ts';

const draft = fc.record({
  sources: fc.array(fc.record({ name: fc.string(), content: fc.string({ unit: 'binary' }) }), { maxLength: 5 }),
  deleted: fc.array(fc.string(), { maxLength: 20 }),
  prune: fc.boolean(),
});

describe('a stored draft', () => {
  it('is the one that was given', () => {
    fc.assert(
      fc.property(draft, (given) => expect(atOnce(readDraft(atOnce(printDraft(given))))).toEqual(given)),
      { numRuns: 200 },
    );
  });

  it('of a form before is read too', () => {
    const given = { sources: [{ name: 'a', content: 'b' }], deleted: ['c'], prune: true };
    expect(atOnce(readDraft(JSON.stringify(given)))).toEqual(given);
  });

  it('of four megabytes takes more than a hundred steps each way', () => {
    const content = 'kind: ResourcePolicy # 🙂\n'.repeat(160_000);
    const given = { sources: [{ name: 'a', content }], deleted: Array.from({ length: 10_000 }, (_, at) => `p${at}`), prune: false };
    const steps = <T>(work: Generator<void, T>): { readonly count: number; readonly result: T } => {
      for (let count = 0; ; count += 1) {
        const step = work.next();
        if (step.done === true) return { count, result: step.value };
      }
    };
    const printed = steps(printDraft(given));
    const read = steps(readDraft(printed.result));
    expect(read.result).toEqual(given);
    expect(Math.min(printed.count, read.count)).toBeGreaterThan(100);
  });
});
