import { describe, expect, it } from '@jest/globals';
import { next, rest } from './pace.ts';

const PACE = { least: 100, most: 5000 };

describe('how many rows come next', () => {
  it.each([
    ['more, where they were quick', 1000, 10, 2000],
    ['never more than the most', 4000, 10, 5000],
    ['as many, where they took their time', 1000, 20, 1000],
    ['fewer, where they were slow', 1000, 26, 500],
    ['never fewer than the least', 150, 900, 100],
    ['far fewer, where the database gave up', 1000, null, 250],
    ['the least, before it is given up', 101, null, 100],
    ['none, where even those are too many', 100, null, null],
  ])('%s', (_, size, took, wanted) => {
    expect(next(PACE, size, took)).toBe(wanted);
  });
});

describe('the rest after a piece', () => {
  it.each([
    ["is a disk's time at least", 3, 50],
    ['is twice as long as the piece', 400, 800],
  ])('%s', (_, took, wanted) => {
    expect(rest(took)).toBe(wanted);
  });
});
