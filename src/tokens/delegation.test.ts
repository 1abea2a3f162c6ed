import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { scopeAllows } from '../base/scope.ts';
import { MAX_ACTORS, narrowLife, narrowScopes, printActors, readActors } from './delegation.ts';

const scope = fc.constantFrom('*', 'users:*', 'users:read', 'users:write', 'orders:*', 'orders:read', 'profile');
const scopes = fc.array(scope, { maxLength: 4 });

describe('a chain of actors', () => {
  it('nests the present actor outside, and is read back', () => {
    const actors = [
      { subject: 'spiffe://a/orders', issuer: '' },
      { subject: 'spiffe://a/web', issuer: 'https://elsewhere.test' },
    ];
    expect(printActors(actors)).toEqual({ sub: 'spiffe://a/orders', act: { sub: 'spiffe://a/web', iss: 'https://elsewhere.test' } });
    expect(readActors(printActors(actors))).toEqual(actors);
  });

  it.each<[string, unknown]>([
    ['a text', 'spiffe://a/web'],
    ['a list', [{ sub: 'a' }]],
    ['null', null],
    ['an actor without a name', {}],
    ['an actor with an empty name', { sub: '' }],
    ['an inner actor that is none', { sub: 'a', act: 1 }],
    ['an issuer that is no text', { sub: 'a', iss: 1 }],
    ['one more than anybody accepts', printActors(Array.from({ length: MAX_ACTORS + 1 }, (_, n) => ({ subject: `a${n}`, issuer: '' })))],
  ])('is not %s', (_, act) => expect(readActors(act)).toBeNull());
});

describe('what is left of a token', () => {
  it('never covers what the token did not cover', () => {
    fc.assert(
      fc.property(
        scopes,
        scopes,
        fc.constantFrom('users:read', 'users:write', 'orders:read', 'billing:read'),
        (held, asked, permission) => {
          const left = narrowScopes(held, asked);
          if ('uncovered' in left) return;
          expect(scopeAllows(left, permission) && !scopeAllows(held, permission)).toBe(false);
          expect(held.length > 0 && left.length === 0).toBe(false);
        },
      ),
    );
  });

  it('names the first scope that is too much', () => {
    expect(narrowScopes(['users:*'], ['users:read', 'orders:read'])).toEqual({ uncovered: 'orders:read' });
    expect(narrowScopes(['users:read'], ['users:*'])).toEqual({ uncovered: 'users:*' });
  });

  it('never outlives the token, nor what was asked, nor an access token', () => {
    const time = fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 });
    fc.assert(
      fc.property(time, fc.integer({ min: -10_000, max: 43_200_000 }), fc.integer({ min: 0, max: 86_400_000 }), (now, left, asked) => {
        const life = narrowLife(now, now + left, 300_000, asked);
        if (life === null) return;
        expect(life.expiresAt).toBeLessThanOrEqual(now + left);
        expect(life.expiresAt - life.issuedAt).toBeLessThanOrEqual(asked === 0 ? 300_000 : Math.min(asked, 300_000));
        expect(life.expiresAt).toBeGreaterThan(life.issuedAt);
      }),
    );
  });
});
