import { describe, expect, it } from '@jest/globals';
import { unavailable } from '../base/fault.ts';
import type { AppliedChange, FeedState, TrackedRules } from './storage.ts';
import { createTracked } from './tracked.ts';

const counted: string[] = [];
const count = (cache: string, result: string) => ({ inc: () => void counted.push(`${cache} ${result}`) });

const newly = { age: () => 0, cursor: () => 0, state: (): FeedState => ({ kind: 'fresh', age: 0 }) };

type Over = Partial<Pick<TrackedRules, 'capacity' | 'touches' | 'whileUnseen'>>;

const setUp = (over: Over = {}) => {
  let apply: (change: AppliedChange) => void = () => {};
  let reset: () => void = () => {};
  let now = 0;
  let cursor = 0;
  let read = 0;
  let reading = true;
  let kind: 'fresh' | 'stale' = 'fresh';
  const age = (): number => now - read;
  const waiting: { readonly resolve: (value: string | null) => void; readonly reject: (error: unknown) => void }[] = [];
  let loads = 0;
  const cache = createTracked({
    count,
    feed: {
      on: (_kinds, listener, onReset) => {
        apply = listener;
        reset = onReset ?? reset;
      },
      age,
      cursor: () => cursor,
      state: () => ({ kind, age: age() }),
    },
    clock: { now: () => now, monotonic: () => now },
  })<string | null>({
    kinds: ['role'],
    capacity: 10,
    ttl: 1000,
    load: () => {
      loads += 1;
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    ...over,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    cache,
    change: (key: string, tenantId = 'acme', seq = 1) => apply({ seq, kind: 'role', tenantId, key, until: null, detail: '' }),
    reset: () => reset(),
    answer: async (value: string | null) => {
      waiting.shift()?.resolve(value);
      await turn();
    },
    fail: async (error: unknown) => {
      waiting.shift()?.reject(error);
      await turn();
    },
    pass: (ms: number) => {
      now += ms;
      if (reading) read = now;
    },
    feed: (state: 'read' | 'silent' | 'stale') => {
      reading = state === 'read';
      kind = state === 'stale' ? 'stale' : 'fresh';
    },
    see: (seq: number) => {
      cursor = seq;
    },
    loads: () => loads,
  };
};

const loaded = async (over: Parameters<typeof setUp>[0] = {}) => {
  const it = setUp(over);
  const first = it.cache.get('acme', 'a');
  await it.answer('one');
  await first;
  return it;
};

describe('a tracked cache', () => {
  it('answers at once on a hit', async () => {
    const { cache } = await loaded();
    expect(cache.get('acme', 'a')).toBe('one');
  });

  it('keeps that something is absent', async () => {
    const { cache, answer } = setUp();
    const first = cache.get('acme', 'a');
    await answer(null);
    expect(await first).toBeNull();
    expect(cache.get('acme', 'a')).toBeNull();
  });

  it('loads once for many who ask at once', async () => {
    const { cache, answer, loads } = setUp();
    const both = [cache.get('acme', 'a'), cache.get('acme', 'a')].map(async (one) => one);
    await answer('one');
    expect(await Promise.all(both)).toEqual(['one', 'one']);
    expect(loads()).toBe(1);
  });

  it('keeps tenants apart', async () => {
    const { cache } = await loaded();
    expect(cache.peek('other', 'a')).toBeUndefined();
  });

  it.each([
    ['its key', 'a', 'acme'],
    ['all of its tenant', '', 'acme'],
    ['all of the installation', '', ''],
  ])('forgets at a change of %s', async (_what, key, tenantId) => {
    const { cache, change } = await loaded();
    change(key, tenantId);
    expect(cache.peek('acme', 'a')).toBeUndefined();
  });

  it.each([
    ['another key', 'b', 'acme'],
    ['another tenant', '', 'other'],
  ])('keeps at a change of %s', async (_what, key, tenantId) => {
    const { cache, change } = await loaded();
    change(key, tenantId);
    expect(cache.peek('acme', 'a')).toBe('one');
  });

  it('forgets everything when the feed begins anew', async () => {
    const { cache, reset } = await loaded();
    reset();
    expect(cache.peek('acme', 'a')).toBeUndefined();
  });

  it('forgets when its time is over', async () => {
    const { cache, pass } = await loaded();
    pass(1000);
    expect(cache.peek('acme', 'a')).toBeUndefined();
  });

  describe('while the feed cannot be read', () => {
    it('keeps what counted when it was last read, and asks nobody', async () => {
      const { cache, pass, feed, loads } = await loaded();
      pass(999);
      feed('silent');
      pass(60_000);
      expect([cache.peek('acme', 'a'), cache.get('acme', 'a'), loads()]).toEqual(['one', 'one', 1]);
    });

    it('keeps it from the outage’s first moment: a load that finds the store away answers what was known', async () => {
      const { cache, pass, feed, fail } = await loaded();
      pass(999);
      feed('silent');
      pass(1);
      const asked = cache.get('acme', 'a');
      await fail(unavailable('STORE_UNAVAILABLE', 'away'));
      expect(await asked).toBe('one');
    });

    it('says what is the matter where the store answers', async () => {
      const { cache, pass, feed, fail } = await loaded();
      pass(999);
      feed('silent');
      pass(1);
      const refused = expect(cache.get('acme', 'a')).rejects.toThrow('broken');
      await fail(new Error('broken'));
      await refused;
    });

    it('brings nothing back that had ended before', async () => {
      const { cache, pass, feed, fail } = await loaded();
      pass(1000);
      feed('silent');
      pass(60_000);
      expect(cache.peek('acme', 'a')).toBeUndefined();
      const refused = expect(cache.get('acme', 'a')).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
      await fail(unavailable('STORE_UNAVAILABLE', 'away'));
      await refused;
    });

    it('keeps nothing beyond the ceiling', async () => {
      const { cache, pass, feed } = await loaded();
      feed('stale');
      pass(1000);
      pass(60_000);
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });

    it('still forgets at a change that came by another way', async () => {
      const { cache, pass, feed, change } = await loaded();
      feed('silent');
      pass(60_000);
      change('a');
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });

    it('loads again once it is read', async () => {
      const { cache, pass, feed, answer } = await loaded();
      feed('silent');
      pass(60_000);
      feed('read');
      pass(1);
      const asked = cache.get('acme', 'a');
      await answer('two');
      expect(await asked).toBe('two');
    });
  });

  it.each([
    ['its key', 'a'],
    ['its tenant', ''],
  ])('loads again when a change of %s overtook the load', async (_what, key) => {
    const { cache, change, answer } = setUp();
    const first = cache.get('acme', 'a');
    change(key);
    await answer('old');
    expect(cache.peek('acme', 'a')).toBeUndefined();
    await answer('new');
    expect(await first).toBe('new');
    expect(cache.get('acme', 'a')).toBe('new');
  });

  it('does not keep what changes kept overtaking, nor lets later callers wait for it', async () => {
    const { cache, change, answer, loads } = setUp();
    const first = cache.get('acme', 'a');
    for (const value of ['one', 'two']) {
      change('a');
      await answer(value);
    }
    change('a');
    const late = cache.get('acme', 'a');
    await answer('three');
    expect(await first).toBe('three');
    expect(cache.peek('acme', 'a')).toBeUndefined();
    await answer('four');
    expect(await late).toBe('four');
    expect(cache.get('acme', 'a')).toBe('four');
    expect(loads()).toBe(4);
  });

  it('forgets nothing that a change does not touch by its own rule', async () => {
    const { cache, change } = await loaded({ touches: (c) => (c.key === 'x' ? 'a' : null) });
    change('a');
    expect(cache.peek('acme', 'a')).toBe('one');
    change('x');
    expect(cache.peek('acme', 'a')).toBeUndefined();
  });

  it('counts what it knew and what it had to ask for', async () => {
    counted.length = 0;
    const { cache } = await loaded();
    await cache.get('acme', 'a');
    expect(counted).toEqual(['role miss', 'role hit']);
  });

  it('asks again after a load that failed', async () => {
    let fail = true;
    const cache = createTracked({ count, feed: { on: () => {}, ...newly }, clock: { now: () => 0, monotonic: () => 0 } })({
      kinds: ['role'],
      capacity: 2,
      ttl: 1000,
      load: async () => {
        if (fail) throw new Error('away');
        return 'one';
      },
    });
    await expect(cache.get('acme', 'a')).rejects.toThrow('away');
    fail = false;
    expect(await cache.get('acme', 'a')).toBe('one');
  });

  describe('that serves what a change overtook while the feed has not come to the change', () => {
    const overtaken = async () => {
      const it = await loaded({ whileUnseen: () => true });
      it.change('a');
      return it;
    };

    it('goes on serving it, and loads its successor at once', async () => {
      const { cache, loads } = await overtaken();
      expect(cache.get('acme', 'a')).toBe('one');
      expect(loads()).toBe(2);
    });

    it('serves the successor once it is there', async () => {
      const { cache, answer } = await overtaken();
      await answer('two');
      expect(cache.get('acme', 'a')).toBe('two');
    });

    it('lets everybody wait for the successor from the moment the cursor has reached the change', async () => {
      const { cache, answer, see, loads } = await overtaken();
      see(1);
      expect(cache.peek('acme', 'a')).toBeUndefined();
      const late = cache.get('acme', 'a');
      await answer('two');
      expect(await late).toBe('two');
      expect(loads()).toBe(2);
    });

    it('goes by the first change that the value lacks', async () => {
      const { cache, change, see } = await overtaken();
      change('a', 'acme', 2);
      see(1);
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });

    it('serves it for half a second at most', async () => {
      const { cache, pass } = await overtaken();
      pass(499);
      expect(cache.peek('acme', 'a')).toBe('one');
      pass(1);
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });

    it('gives whoever made the change its effect', async () => {
      const { cache, answer } = await overtaken();
      const latest = cache.latest('acme', 'a');
      await answer('two');
      expect(await latest).toBe('two');
      expect(cache.latest('acme', 'a')).toBe('two');
    });

    it('does not take it for what counts when its successor cannot be loaded', async () => {
      const { cache, fail, see } = await overtaken();
      see(1);
      const late = cache.get('acme', 'a');
      const refused = expect(late).rejects.toThrow('away');
      await fail(unavailable('STORE_UNAVAILABLE', 'away'));
      await refused;
    });

    it('forgets at a change of all of its tenant', async () => {
      const { cache, change } = await overtaken();
      change('');
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });

    it('forgets at a change that is none of those', async () => {
      const { cache, change } = await loaded({ whileUnseen: ({ seq }) => seq !== 1 });
      change('a');
      expect(cache.peek('acme', 'a')).toBeUndefined();
    });
  });
});
