import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { unavailable } from '../base/fault.ts';
import { hours, type Millis, minutes, seconds } from '../base/time.ts';
import type { IssuerKey, IssuerKeySet } from './jwks.ts';
import { COOL_DOWN, createKeySource, type Fetched } from './key-source.ts';

const KEEP = hours(24);

/** An issuer under the test's thumb, and a clock that stands still. */
const setUp = () => {
  const state = { now: 1000, asked: 0, kids: ['a'], maxAge: 0, away: false, answers: [] as (() => void)[], held: false };
  const keys = new Map<string, IssuerKey>();
  const keySet = (): IssuerKeySet =>
    new Map(
      state.kids.map((kid) => {
        const key = keys.get(kid) ?? { kid, algorithms: ['ES256'], key: () => null, print: kid };
        keys.set(kid, key);
        return [kid, key];
      }),
    );
  const fetch = async (): Promise<Fetched> => {
    state.asked += 1;
    if (state.held) await new Promise<void>((answer) => state.answers.push(answer));
    if (state.away) throw unavailable('ISSUER_KEYS_UNAVAILABLE', 'it cannot be reached');
    return { keys: keySet(), maxAge: state.maxAge };
  };
  const source = createKeySource({ clock: { now: () => state.now, monotonic: () => state.now }, fetch, keep: KEEP });
  const ask = async (kid: string): Promise<string> => {
    try {
      return (await source.key(kid)) === null ? 'unknown' : 'known';
    } catch {
      return 'unavailable';
    }
  };
  return { state, source, ask, advance: (by: Millis) => void (state.now += by) };
};

describe('the keys of an issuer', () => {
  it('are answered at once while they are young', async () => {
    const { source, ask } = setUp();
    expect(await ask('a')).toBe('known');
    expect(source.key('a')).not.toBeInstanceOf(Promise);
    expect(source.key('b')).toBeNull();
  });

  it('are fetched once for everybody who waits, whatever they wait for', async () => {
    const { state, ask } = setUp();
    state.held = true;
    const answers = Promise.all(['a', 'b', 'a', 'c'].map(ask));
    state.held = false;
    for (const answer of state.answers) answer();
    expect([await answers, state.asked]).toEqual([['known', 'unknown', 'known', 'unknown'], 1]);
  });

  it('are asked for again sooner after a failure, and ever more seldom', async () => {
    const { state, ask, advance } = setUp();
    state.away = true;
    const moments: number[] = [];
    for (let second = 0; second <= 120; second += 1) {
      const before = state.asked;
      await ask('a');
      if (state.asked > before) moments.push(second);
      advance(seconds(1));
    }
    expect(moments).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    state.away = false;
    expect(await ask('a')).toBe('known');
  });

  it('an unknown id has no verdict while the issuer is away, and one once it has answered', async () => {
    const { state, ask, advance } = setUp();
    await ask('a');
    state.away = true;
    advance(COOL_DOWN);
    expect([await ask('b'), await ask('a')]).toEqual(['unavailable', 'known']);
    state.away = false;
    advance(COOL_DOWN);
    expect(await ask('b')).toBe('unknown');
  });

  it('a negative answer ends with the next fetch that finds the key', async () => {
    const { state, ask, advance } = setUp();
    await ask('a');
    advance(COOL_DOWN);
    expect(await ask('b')).toBe('unknown');
    state.kids = ['a', 'b', 'c'];
    advance(COOL_DOWN);
    expect(await ask('b')).toBe('unknown');
    expect([await ask('c'), await ask('b')]).toEqual(['known', 'known']);
  });

  it.each<[Millis, Millis]>([
    [0, minutes(10)],
    [seconds(1), minutes(1)],
    [minutes(12), minutes(12)],
    [hours(24), minutes(15)],
  ])('that say they live %i ms are asked for again after %i', async (maxAge, after) => {
    const { state, source, ask, advance } = setUp();
    state.maxAge = maxAge;
    await ask('a');
    advance(after - 1);
    void source.key('a');
    expect(state.asked).toBe(1);
    advance(1);
    void source.key('a');
    expect(state.asked).toBe(2);
  });
});

describe('whatever happens', () => {
  it('fetches stay rare, a withdrawn key ends, and none is believed that its issuer never had', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), kid: fc.constantFrom('a', 'b', 'x1', 'x2', 'x3') }),
      fc.record({ kind: fc.constant('advance' as const), by: fc.integer({ min: 1, max: minutes(20) }) }),
      fc.record({ kind: fc.constant('away' as const), away: fc.boolean() }),
      fc.record({ kind: fc.constant('keys' as const), kids: fc.subarray(['a', 'b']) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { state, ask, advance } = setUp();
        const start = state.now;
        const ever = new Set(state.kids);
        for (const one of steps) {
          if (one.kind === 'advance') advance(one.by);
          else if (one.kind === 'away') state.away = one.away;
          else if (one.kind === 'keys') {
            state.kids = one.kids;
            for (const kid of one.kids) ever.add(kid);
          } else {
            const said = await ask(one.kid);
            if (said === 'known') expect(ever.has(one.kid)).toBe(true);
          }
        }
        // Six quick tries after each failure at most; never more than one in a cool-down otherwise.
        expect(state.asked).toBeLessThanOrEqual(1 + steps.length);
        expect(state.asked).toBeLessThanOrEqual(7 + Math.ceil((state.now - start) / seconds(1)));
        state.away = false;
        state.kids = ['b'];
        advance(minutes(17));
        expect([await ask('b'), await ask('a')]).toEqual(['known', 'unknown']);
      }),
      { numRuns: 200 },
    );
  });
});
