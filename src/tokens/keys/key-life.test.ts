import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  activated,
  activeOf,
  type FreshKey,
  freshKey,
  type KeyChange,
  nextOf,
  nextStep,
  predecessorOf,
  readyAt,
  revoked,
  type StoredKey,
} from './key-life.ts';

const policy = { rotation: 1000, ahead: 100, overlap: 300, told: 20 };
const fresh = (kid: string): FreshKey => ({
  kid,
  algorithm: 'ES256',
  source: 'stored',
  publicJwk: { kid, alg: 'ES256' },
  privateSealed: Buffer.alloc(0),
});

const stored = (keys: readonly StoredKey[], change: KeyChange): readonly StoredKey[] => {
  const gone = new Set([...change.puts.map((key) => key.kid), ...(change.removes ?? [])]);
  return [...keys.filter((key) => !gone.has(key.kid)), ...change.puts];
};

type Act = { readonly act: 'pass'; readonly by: number } | { readonly act: 'step' } | { readonly act: 'revoke'; readonly which: number };
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ act: fc.constant('pass' as const), by: fc.integer({ min: 1, max: 400 }) }) },
    { weight: 8, arbitrary: fc.constant({ act: 'step' as const }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('revoke' as const), which: fc.nat(10) }) },
  ),
  { maxLength: 200 },
);

describe('the life of signing keys', () => {
  it('has one key that signs, at any time, whatever is revoked; by schedule none that verifiers have not seen, and none gone before its tokens', () => {
    fc.assert(
      fc.property(acts, (given) => {
        let now = 0;
        let made = 0;
        let keys: readonly StoredKey[] = [freshKey(fresh('first'), 'active', now)];
        for (const one of given) {
          const before = keys;
          if (one.act === 'pass') now += one.by;
          else if (one.act === 'step') {
            const change = nextStep(keys, now, policy, fresh(`key-${made++}`));
            if (change === null) continue;
            keys = stored(keys, change);
            const began = activeOf(keys);
            const was = before.find((key) => key.kid === began?.kid);
            if (began !== undefined && was?.state === 'published') expect(now).toBeGreaterThanOrEqual(readyAt(was, policy));
            for (const key of keys)
              if (key.state === 'retired' && before.find((old) => old.kid === key.kid)?.state === 'retiring')
                expect(now - (key.retiringAt ?? now)).toBeGreaterThanOrEqual(policy.overlap);
          } else {
            const key = keys[one.which % keys.length];
            if (key === undefined || key.revokedAt !== null) continue;
            keys = stored(keys, revoked(keys, key, 'test', now, fresh(`key-${made++}`)));
          }
          expect(keys.filter((key) => key.state === 'active')).toHaveLength(1);
          expect(keys.filter((key) => key.state === 'pending' || key.state === 'published').length).toBeLessThanOrEqual(1);
          expect(keys.filter((key) => key.revokedAt !== null && key.state !== 'retired')).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes every step by itself, until nothing is due', () => {
    let keys: readonly StoredKey[] = [freshKey(fresh('a'), 'active', 0)];
    const steps: string[] = [];
    for (const now of [0, 0, 0, 99, 1000, 1000, 1000, 1299, 1300, 1300]) {
      const change = nextStep(keys, now, policy, fresh(`b${now}`));
      steps.push(change?.step ?? '');
      if (change !== null) keys = stored(keys, change);
    }
    expect(steps).toEqual(['created', 'published', '', '', 'activated', 'created', 'published', '', 'retired', '']);
  });

  it('stores the leaving of the last key before the coming of the next', () => {
    const keys = [freshKey(fresh('a'), 'active', 0), freshKey(fresh('b'), 'published', 0)];
    const next = nextOf(keys);
    expect(next === undefined ? [] : activated(keys, next, 5).map(({ kid, state }) => [kid, state])).toEqual([
      ['a', 'retiring'],
      ['b', 'active'],
    ]);
  });
});

describe('the predecessor of the active key', () => {
  const first = freshKey(fresh('first'), 'active', 0);
  const second = freshKey(fresh('second'), 'published', 50);
  const active = (keys: readonly StoredKey[]): StoredKey => activeOf(keys) ?? first;

  it('is the key whose place it took', () => {
    const keys = activated([first, second], second, 60);
    expect(predecessorOf(keys, active(keys))?.kid).toBe('first');
    expect(predecessorOf([first], first)).toBeUndefined();
  });

  it('is never a key that was revoked, nor an older one in its stead', () => {
    const third = freshKey(fresh('third'), 'published', 70);
    const twice = [...activated([first, second], second, 60), third];
    const keys = stored(twice, revoked(twice, active(twice), 'lost', 80, fresh('fourth')));
    expect(active(keys).kid).toBe('third');
    expect(predecessorOf(keys, active(keys))).toBeUndefined();
  });
});
