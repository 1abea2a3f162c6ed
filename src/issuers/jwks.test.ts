import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keepingKnown, MAX_KEYS, readJwks } from './jwks.ts';

type Json = Readonly<Record<string, unknown>>;

const ec = (curve: string): Json => generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' }) as Json;
const rsa = (bits: number): Json => generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' }) as Json;
const P256 = ec('P-256');
const RSA = rsa(2048);
const ED = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as Json;
const RSA_ALGORITHMS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'];

const one = (jwk: Json) => readJwks(JSON.stringify({ keys: [{ kid: 'k', ...jwk }] }))?.get('k');

describe('a key of a JWK Set', () => {
  it.each<[string, Json, string[] | undefined]>([
    ['P-256', P256, ['ES256']],
    ['P-384', ec('P-384'), ['ES384']],
    ['P-521', ec('P-521'), ['ES512']],
    ['Ed25519', ED, ['EdDSA']],
    ['Ed25519 under its newer name', { ...ED, alg: 'Ed25519' }, ['EdDSA']],
    ['RSA without alg', RSA, RSA_ALGORITHMS],
    ['RSA with alg', { ...RSA, alg: 'RS256' }, ['RS256']],
    ['for signatures', { ...P256, use: 'sig' }, ['ES256']],
    ['of SPIFFE tokens', { ...P256, use: 'jwt-svid' }, ['ES256']],
    ['of SPIFFE certificates', { ...P256, use: 'x509-svid' }, undefined],
    ['for encryption', { ...P256, use: 'enc' }, undefined],
    ['that may only sign', { ...P256, key_ops: ['sign'] }, undefined],
    ['that may verify', { ...P256, key_ops: ['verify'] }, ['ES256']],
    ['with an alg of another type', { ...P256, alg: 'RS256' }, undefined],
    ['with an alg of another curve', { ...P256, alg: 'ES384' }, undefined],
    ['with alg none', { ...P256, alg: 'none' }, undefined],
    ['with alg as a number', { ...P256, alg: 1 }, undefined],
    ['that is a secret', { kty: 'oct', k: 'AAAA', alg: 'HS256' }, undefined],
    ['of an unknown type', { kty: 'AKP' }, undefined],
    ['of secp256k1', { ...P256, crv: 'secp256k1' }, undefined],
    ['without kid', { ...P256, kid: undefined }, undefined],
    ['with a kid among blanks', { ...P256, kid: 'a b' }, undefined],
  ])('%s is for %j', (_, jwk, algorithms) => expect(one(jwk)?.algorithms).toEqual(algorithms));

  it.each<[string, Json]>([
    ['a point off the curve', { ...P256, y: P256['x'] }],
    ['an RSA key of 1024 bits', rsa(1024)],
    ['an exponent of 1', { ...RSA, e: 'AQ' }],
    ['an endless exponent', { ...RSA, e: Buffer.alloc(64, 0xff).toString('base64url') }],
    ['numbers in place of text', { ...P256, x: 1 }],
  ])('with %s is never used', (_, jwk) => expect(one(jwk)?.key()).toBeNull());

  it('carries nothing private, even where its issuer shows it', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = one(pair.privateKey.export({ format: 'jwk' }) as Json);
    expect([key?.key()?.type, key?.print.includes('"d"')]).toEqual(['public', false]);
  });
});

describe('a JWK Set', () => {
  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['no keys', '{}'],
    ['keys that are no list', '{"keys":{}}'],
    ['null', 'null'],
    ['more keys than anybody has', JSON.stringify({ keys: Array.from({ length: MAX_KEYS + 1 }, () => ({})) })],
  ])('%s is none', (_, text) => expect(readJwks(text)).toBeNull());

  it('counts the first of two keys with one id', () => {
    const keys = readJwks(
      JSON.stringify({
        keys: [
          { ...P256, kid: 'k' },
          { ...RSA, kid: 'k' },
        ],
      }),
    );
    expect(keys?.get('k')?.algorithms).toEqual(['ES256']);
  });

  it('keeps the very objects of keys that stayed, and no others', () => {
    const text = (...keys: Json[]) => JSON.stringify({ keys });
    const before = readJwks(text({ ...P256, kid: 'stays' }, { ...RSA, kid: 'changes' }, { ...ED, kid: 'goes' }));
    const fresh = readJwks(text({ ...P256, kid: 'stays' }, { ...P256, kid: 'changes' }));
    const kept = keepingKnown(fresh ?? new Map(), before);
    expect([...kept.keys()]).toEqual(['stays', 'changes']);
    expect(kept.get('stays')).toBe(before?.get('stays'));
    expect(kept.get('changes')).not.toBe(before?.get('changes'));
  });

  it('of any shape is read without throwing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.constantFrom('kty', 'kid', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use'), fc.jsonValue())),
        (keys) => {
          for (const key of readJwks(JSON.stringify({ keys }))?.values() ?? []) key.key();
        },
      ),
    );
  });
});
