import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashOf, printRefreshToken, type RefreshToken, readRefreshToken, successorOf } from './refresh-token.ts';

const keys = { tag: Buffer.alloc(32, 1), hash: Buffer.alloc(32, 2), successor: Buffer.alloc(32, 3) };
const otherKeys = { ...keys, tag: Buffer.alloc(32, 9) };
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const tokens: fc.Arbitrary<RefreshToken> = fc.record({
  tenantId: text,
  userId: text,
  familyId: text,
  generation: fc.integer({ min: 1, max: 0xffffffff }),
  secret: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
});

describe('a refresh token', () => {
  it('reads back what it was printed from', () => {
    fc.assert(fc.property(tokens, (token) => expect(readRefreshToken(keys, printRefreshToken(keys, token))).toEqual(token)));
  });

  it('is refused when a single character differs, or under other keys', () => {
    fc.assert(
      fc.property(tokens, fc.nat(), fc.constantFrom('A', 'b', '-', '='), (token, at, char) => {
        const printed = printRefreshToken(keys, token);
        const place = 4 + (at % (printed.length - 4));
        const changed = printed.slice(0, place) + char + printed.slice(place + 1);
        expect(readRefreshToken(keys, changed) === null).toBe(changed !== printed);
        expect(readRefreshToken(otherKeys, printed)).toBeNull();
      }),
    );
  });

  it.each(['', 'shr_', 'shr_=', 'shr_AAAA', 'shk_acme', `shr_${'A'.repeat(2000)}`])('is not %j', (printed) => {
    expect(readRefreshToken(keys, printed)).toBeNull();
  });

  it('has one successor under a salt, and it takes the key, the salt and the secret to make it', () => {
    const token: RefreshToken = { tenantId: 'acme', userId: 'usr_1', familyId: 'fam_1', generation: 3, secret: Buffer.alloc(32, 5) };
    const salt = Buffer.alloc(16, 6);
    const next = successorOf(keys, token, salt);
    expect(successorOf(keys, token, salt)).toEqual(next);
    expect(next).toMatchObject({ generation: 4, familyId: 'fam_1' });
    const others = [
      successorOf({ ...keys, successor: Buffer.alloc(32) }, token, salt),
      successorOf(keys, token, Buffer.alloc(16)),
      successorOf(keys, { ...token, secret: Buffer.alloc(32) }, salt),
      successorOf(keys, { ...token, familyId: 'fam_2' }, salt),
      successorOf(keys, { ...token, generation: 4 }, salt),
    ];
    for (const other of others) expect(other.secret.equals(next.secret)).toBe(false);
  });

  it('is stored as a hash that differs by family and generation', () => {
    const token: RefreshToken = { tenantId: 'acme', userId: 'usr_1', familyId: 'fam_1', generation: 3, secret: Buffer.alloc(32, 5) };
    const hashes = [token, { ...token, familyId: 'fam_2' }, { ...token, generation: 4 }, { ...token, tenantId: 'other' }].map((one) =>
      hashOf(keys, one).toString('hex'),
    );
    expect(new Set(hashes).size).toBe(4);
  });
});
