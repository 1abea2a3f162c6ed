import { describe, expect, it } from '@jest/globals';
import { continueTrace, parseTraceParent, printTraceParent } from './trace.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a trace parent', () => {
  it.each([
    ['the example of the specification', `00-${ID}-${SPAN}-01`, true],
    ['a later version with a tail', `01-${ID}-${SPAN}-01-what-else`, true],
    ['version 00 with a tail', `00-${ID}-${SPAN}-01-x`, false],
    ['version ff', `ff-${ID}-${SPAN}-01`, false],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
    ['a span id of zeros', `00-${ID}-${'0'.repeat(16)}-01`, false],
    ['upper-case digits', `00-${ID.toUpperCase()}-${SPAN}-01`, false],
    ['nothing', '', false],
    ['a very long line', `01-${ID}-${SPAN}-01-${'x'.repeat(300)}`, false],
  ])('that is %s', (_, header, good) => {
    expect(parseTraceParent(header) !== null).toBe(good);
  });

  it('goes on with our span in the trace of the caller', () => {
    const trace = continueTrace(`00-${ID}-${SPAN}-01`, Buffer.alloc(24, 7));
    expect(printTraceParent(trace)).toBe(`00-${ID}-${'07'.repeat(8)}-01`);
  });

  it('begins anew where the caller has none', () => {
    expect(printTraceParent(continueTrace('', Buffer.alloc(24, 7)))).toBe(`00-${'07'.repeat(16)}-${'07'.repeat(8)}-00`);
  });
});
