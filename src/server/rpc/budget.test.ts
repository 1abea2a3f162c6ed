import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createBudget } from './budget.ts';

const RATE = { perSecond: 10, burst: 5 };

describe('a budget', () => {
  it('gives its burst at once, then says when there is more', () => {
    const budget = createBudget(RATE, 10);
    expect([1, 2, 3, 4, 5, 6].map(() => budget.take('one', 1000))).toEqual([0, 0, 0, 0, 0, 100]);
    expect(budget.take('one', 1099)).toBe(1);
    expect(budget.take('one', 1100)).toBe(0);
  });

  it('of one caller is not the budget of another', () => {
    const budget = createBudget(RATE, 10);
    for (let at = 0; at < 9; at += 1) budget.take('one', 0);
    expect([budget.take('one', 0) > 0, budget.take('two', 0)]).toEqual([true, 0]);
  });

  it('is not paid into by tries that were refused', () => {
    const budget = createBudget(RATE, 10);
    for (let at = 0; at < 1000; at += 1) budget.take('one', 0);
    expect(budget.take('one', 100)).toBe(0);
  });

  it('remembers no more callers than it may', () => {
    const budget = createBudget(RATE, 100);
    for (let at = 0; at < 10_000; at += 1) budget.take(`caller ${at}`, 0);
    expect(budget.size).toBe(100);
  });

  it('without a rate is without limit, and remembers nobody', () => {
    const budget = createBudget({ perSecond: 0, burst: 0 }, 10);
    expect(Array.from({ length: 1000 }, () => budget.take('one', 0)).every((wait) => wait === 0)).toBe(true);
    expect(budget.size).toBe(0);
  });

  it('never gives more than its burst and its rate, and always what it promised', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }),
        (perSecond, burst, pauses) => {
          const budget = createBudget({ perSecond, burst }, 10);
          let now = 0;
          let given = 0;
          for (const pause of pauses) {
            now += pause;
            const wait = budget.take('one', now);
            if (wait === 0) given += 1;
            else expect(givesAt(budget, now + wait)).toBe(true);
            if (wait > 0) {
              given += 1;
              now += wait;
            }
            expect(given).toBeLessThanOrEqual(burst + (now * perSecond) / 1000 + 1e-3);
          }
        },
      ),
    );
  });
});

const givesAt = (budget: { take(name: string, now: number): number }, now: number): boolean => budget.take('one', now) === 0;
