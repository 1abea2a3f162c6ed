import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type Claims, payloadOf } from './claims.ts';
import { ALGORITHMS } from './jws.ts';
import { createKeyring, type Keyring, type PublicJwk } from './keyring.ts';
import { makePrivateKey, signingKey } from './signer.jose.ts';
import { createVerifier, type Verifier } from './verify.ts';

interface Case {
  readonly name: string;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly headerText?: string;
  readonly payloadText?: string;
  readonly key?: string;
  readonly shape?: string;
  readonly expect: string;
}

const NOW = 1_800_000_000_000;
const ISSUER = 'https://hub.test';
const cases = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../test/cases/tokens/misuse.json'), 'utf8')) as { cases: readonly Case[] }
).cases;

const good: Claims = {
  issuer: ISSUER,
  subject: 'usr_anna',
  audience: ['orders'],
  expiresAt: NOW + 300_000,
  notBefore: NOW,
  issuedAt: NOW,
  tokenId: 'fam_0123456789012345678901.1',
  clientId: 'first-party',
  tenantId: 'acme',
  role: 'user',
  permissions: ['users:read'],
  scopes: [],
  sessionId: 'ses_1',
  familyId: 'fam_0123456789012345678901',
  deviceId: '',
  ipAddress: '',
  mfaVerified: false,
  riskLevel: 'low',
  authMethod: 'password',
  authTime: NOW,
  acr: 'aal1',
  amr: ['pwd'],
  confirmation: null,
  delegation: null,
  rsq: 7,
};

let ours: KeyObject;
let kid: string;
let keyring: Keyring;
let verifier: Verifier;
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const retired = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const verifierOf = (ring: Keyring, capacity = 1000): Verifier =>
  createVerifier({ keyring: ring, issuer: ISSUER, longest: 3_600_000, capacity });

beforeAll(async () => {
  ours = await makePrivateKey('ES256');
  const own = await signingKey(ours, 'ES256');
  kid = own.signer.kid;
  keyring = createKeyring();
  keyring.replace([own.verification], own.signer);
  verifier = verifierOf(keyring);
});

const b64 = (value: string | Uint8Array): string => Buffer.from(value as string).toString('base64url');

const signature = (signed: string, by: string): string => {
  const p1363 = (key: KeyObject) => sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  const hmac = (secret: string) => createHmac('sha256', secret).update(signed).digest();
  const publicKey = createPublicKey(ours);
  const bytes: Readonly<Record<string, () => Uint8Array>> = {
    ours: () => p1363(ours),
    foreign: () => p1363(foreign.privateKey),
    retired: () => p1363(retired.privateKey),
    none: () => Buffer.alloc(0),
    zeros: () => Buffer.alloc(64),
    ours_der: () => sign('sha256', Buffer.from(signed), ours),
    ours_cut: () => p1363(ours).subarray(0, 63),
    ours_long: () => Buffer.concat([p1363(ours), Buffer.from([0])]),
    public_pem_as_secret: () => hmac(publicKey.export({ type: 'spki', format: 'pem' }) as string),
    public_jwk_as_secret: () => hmac(JSON.stringify(publicKey.export({ format: 'jwk' }))),
  };
  return b64(bytes[by]?.() ?? Buffer.alloc(0));
};

const fill = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  const at = /^@now([+-]\d+)$/.exec(value)?.[1];
  if (at !== undefined) return NOW / 1000 + Number(at);
  const names: Readonly<Record<string, unknown>> = {
    $kid: kid,
    $foreign_kid: 'foreign-key',
    $retired_kid: 'retired-key',
    $foreign_jwk: foreign.publicKey.export({ format: 'jwk' }),
    $8kib: 'x'.repeat(8192),
  };
  return Object.hasOwn(names, value) ? names[value] : value.replaceAll('$kid', kid);
};

const merge = (base: Readonly<Record<string, unknown>>, changes: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries({ ...base, ...changes })
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, fill(value)]),
    ),
  );

/** The last character of a segment with a bit set that encodes nothing. */
const strayBits = (segment: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1) ?? '') + 1];
};

const shapes: Readonly<Record<string, (header: string, payload: string, tag: string) => string>> = {
  padded: (h, p, s) => `${h}=.${p}.${s}`,
  stray_bits: (h, p, s) => `${h}.${p}.${strayBits(s)}`,
  plain_base64: (h, p, s) => `${h}.${p}.${s.slice(0, -2)}+/`,
  line_break: (h, p, s) => `${h}.${p.slice(0, 4)}\n${p.slice(4)}.${s}`,
  blank: (h, p, s) => ` ${h}.${p}.${s}`,
  two_segments: (h, p) => `${h}.${p}`,
  four_segments: (h, p, s) => `${h}.${p}.${s}.${s}`,
  jwe: (h, p, s) => `${h}.${p}.${s}.${p}.${s}`,
  json: (h, p, s) => JSON.stringify({ protected: h, payload: p, signature: s }),
  json_general: (h, p, s) => JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] }),
  no_header: (_, p, s) => `.${p}.${s}`,
  no_payload: (h, _, s) => `${h}..${s}`,
  garbage: () => 'not.a.token',
  cut: (h, p) => `${h}.${p.slice(0, 20)}`,
  dots: () => '.'.repeat(1000),
  payload_bit: (h, p, s) => `${h}.${b64(Buffer.from(p, 'base64url').toString().replace('usr_anna', 'usr_anne'))}.${s}`,
  other_header: (_, p, s) => `${b64(JSON.stringify({ kid, typ: 'at+jwt', alg: 'ES256' }))}.${p}.${s}`,
  header_not_utf8: (_, p, s) => `${b64(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]))}.${p}.${s}`,
};

const make = (recipe: Partial<Case> = {}): string => {
  const header = b64(
    recipe.headerText === undefined ? merge({ alg: 'ES256', typ: 'at+jwt', kid }, recipe.header) : String(fill(recipe.headerText)),
  );
  const payload = b64(recipe.payloadText ?? merge(payloadOf(good), recipe.payload));
  const tag = signature(`${header}.${payload}`, recipe.key ?? 'ours');
  return shapes[recipe.shape ?? '']?.(header, payload, tag) ?? `${header}.${payload}.${tag}`;
};

const reasonOf = (token: string, by = verifier): string => {
  const verified = by.verify(token, NOW);
  return verified.ok ? 'VALID' : verified.reason;
};

describe('verifying an access token', () => {
  it('accepts a good one, cold and warm, with the very same claims', () => {
    const token = make();
    const cold = verifier.verify(token, NOW);
    expect(cold).toMatchObject({ ok: true, inGrace: false, claims: good });
    expect(verifier.verify(token, NOW)).toBe(cold);
  });

  it.each(cases)('refuses $name: $expect', (recipe) => {
    const token = make(recipe);
    expect(reasonOf(token)).toBe(recipe.expect);
    // Again, for refusals are remembered.
    expect(reasonOf(token)).toBe(recipe.expect);
  });

  it('never lets a refusal push out what is valid', () => {
    const small = verifierOf(keyring, 10);
    const token = make();
    const entry = small.verify(token, NOW);
    for (let n = 0; n < 50; n++) small.verify(make({ payload: { sub: `usr_${n}` }, key: 'foreign' }), NOW);
    expect(small.verify(token, NOW)).toBe(entry);
    expect(small.size).toBe(1);
  });

  it('is bounded, whatever is shown to it', () => {
    const small = verifierOf(keyring, 10);
    for (let n = 0; n < 30; n++) expect(reasonOf(make({ payload: { sub: `usr_${n}` } }), small)).toBe('VALID');
    expect(small.size).toBe(10);
  });

  it('expires without tolerance, and lives on by grace for 60 s at most', () => {
    const token = make();
    const at = (after: number, grace: number) => {
      const verified = verifier.verify(token, good.expiresAt + after, grace);
      return verified.ok ? (verified.inGrace ? 'grace' : 'valid') : verified.reason;
    };
    expect([at(-1, 0), at(0, 0), at(0, 1), at(59_999, 60_000), at(60_000, 60_000), at(60_000, 3_600_000)]).toEqual([
      'valid',
      'TOKEN_EXPIRED',
      'grace',
      'grace',
      'TOKEN_EXPIRED',
      'TOKEN_EXPIRED',
    ]);
  });

  it('keeps the claims of an expired token, for its signature held', () => {
    expect(verifier.verify(make(), good.expiresAt)).toMatchObject({ ok: false, claims: { subject: 'usr_anna' } });
    expect(verifier.verify(make({ key: 'foreign' }), NOW)).toMatchObject({ ok: false, claims: null });
  });

  it('meets a clock that is behind by a little', () => {
    expect(verifier.verify(make({ payload: { iat: NOW / 1000 + 5, nbf: NOW / 1000 + 5 } }), NOW).ok).toBe(true);
  });

  it('forgets what a key has signed once the key is gone, and knows a new one at once', async () => {
    const ring = createKeyring();
    const old = await signingKey(ours, 'ES256');
    ring.replace([old.verification], old.signer);
    const by = verifierOf(ring);
    const token = make();
    expect(reasonOf(token, by)).toBe('VALID');
    const next = await signingKey(await makePrivateKey('ES256'), 'ES256');
    const signed = await next.signer.sign('at+jwt', payloadOf(good));
    expect(reasonOf(signed, by)).toBe('KEY_UNKNOWN');
    ring.replace([next.verification], next.signer);
    expect([reasonOf(token, by), reasonOf(signed, by)]).toEqual(['KEY_UNKNOWN', 'VALID']);
  });

  it.each(ALGORITHMS)('signs and verifies with %s, as jose does from the JWKS', async (algorithm) => {
    const own = await signingKey(await makePrivateKey(algorithm), algorithm);
    const ring = createKeyring();
    ring.replace([own.verification], own.signer);
    const token = await own.signer.sign('at+jwt', payloadOf(good));
    expect(reasonOf(token, verifierOf(ring))).toBe('VALID');
    const options = { issuer: ISSUER, audience: 'orders', typ: 'at+jwt', algorithms: [algorithm], currentDate: new Date(NOW) };
    const verified = await jwtVerify(token, createLocalJWKSet({ keys: [...ring.jwks().keys] }), options);
    expect(verified.payload.sub).toBe('usr_anna');
    expect(Object.keys(ring.jwks().keys[0] as PublicJwk)).not.toContain('d');
  });
});
