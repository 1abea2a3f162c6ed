import { describe, expect, it } from '@jest/globals';
import { createFreshness } from './freshness.ts';

const at = { wall: 100_000, monotonic: 500 };
const setUp = () => {
  const clock = { ...at };
  const fresh = createFreshness({ now: () => clock.wall, monotonic: () => clock.monotonic }, 300_000, 'loading');
  fresh.clear();
  fresh.asOf(at);
  return { clock, fresh };
};

describe('freshness', () => {
  it.each([
    ['at once', 0, 0, { kind: 'fresh', age: 0 }],
    ['just before 10 s', 9999, 9999, { kind: 'fresh', age: 9999 }],
    ['at 10 s', 10_000, 10_000, { kind: 'degraded', age: 10_000 }],
    ['when the wall clock jumped forward', 20_000, 1, { kind: 'degraded', age: 20_000 }],
    ['when the wall clock jumped back', -60_000, 20_000, { kind: 'degraded', age: 20_000 }],
    ['just before the ceiling', 299_999, 0, { kind: 'degraded', age: 299_999 }],
    ['at the ceiling', 300_000, 0, { kind: 'stale', age: 300_000 }],
  ])('%s', (_when, wall, monotonic, state) => {
    const { clock, fresh } = setUp();
    clock.wall += wall;
    clock.monotonic += monotonic;
    expect(fresh.state()).toEqual(state);
  });

  it('lets an answer pass up to the asked staleness and no further', () => {
    const { clock, fresh } = setUp();
    clock.monotonic += 2000;
    expect(() => fresh.assert()).not.toThrow();
    expect(() => fresh.assert(2000)).not.toThrow();
    expect(() => fresh.assert(1999)).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE', reason: 'FEED_STALE', meta: { staleness_ms: '2000' } }),
    );
  });

  it('takes a wish for nothing older than now at its word', () => {
    const { clock, fresh } = setUp();
    expect(() => fresh.assert(0)).not.toThrow();
    clock.monotonic += 1;
    expect(() => fresh.assert(0)).toThrow(expect.objectContaining({ reason: 'FEED_STALE' }));
  });

  it('cannot be stretched beyond the ceiling by asking for more', () => {
    const { clock, fresh } = setUp();
    clock.wall += 300_000;
    expect(() => fresh.assert(900_000)).toThrow(expect.objectContaining({ reason: 'FEED_STALE' }));
  });

  it('is not ready with a reason, however young', () => {
    const { fresh } = setUp();
    expect([fresh.block('why'), fresh.block('why')]).toEqual([true, false]);
    expect(fresh.state()).toEqual({ kind: 'not_ready', reason: 'why' });
    expect(() => fresh.assert()).toThrow('why');
  });
});
