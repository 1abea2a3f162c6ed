import type { KeyObject } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type Misuse, misuses, tokenMaker } from '../../test/misuse.ts';
import { type Claims, payloadOf } from './claims.ts';
import { ALGORITHMS } from './jws.ts';
import { createKeyring, type Keyring, type PublicJwk } from './keys/keyring.ts';
import { makePrivateKey, signingKey } from './keys/signer.jose.ts';
import { createVerifier, type Verifier } from './verify.ts';

const NOW = 1_800_000_000_000;
const ISSUER = 'https://hub.test';
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
  fingerprint: '',
  ipAddress: '',
  mfaVerified: false,
  riskLevel: 'low',
  riskScore: 0,
  riskIndicators: [],
  authMethod: 'password',
  authTime: NOW,
  acr: 'aal1',
  amr: ['pwd'],
  confirmation: null,
  delegation: null,
  restrictions: null,
  limitsSeq: 0,
  rsq: 7,
};

let ours: KeyObject;
let kid: string;
let keyring: Keyring;
let verifier: Verifier;
const verifierOf = (ring: Keyring, capacity = 1000): Verifier =>
  createVerifier({
    pay: () => {},
    count: uncounted,
    keyring: ring,
    issuer: ISSUER,
    longest: 3_600_000,
    capacity,
  });

beforeAll(async () => {
  ours = await makePrivateKey('ES256');
  const own = await signingKey(ours, 'ES256');
  kid = own.signer.kid;
  keyring = createKeyring();
  keyring.replace([own.verification], own.signer);
  verifier = verifierOf(keyring);
});

const make = (recipe: Partial<Misuse> = {}): string => tokenMaker({ ours, kid, now: NOW, good: payloadOf(good) })(recipe);

const reasonOf = (token: string, by = verifier): string => {
  const verified = by.verify(token, NOW);
  return verified.ok ? 'VALID' : verified.reason;
};

const nothing = { inc: () => {} };
const uncounted = { hit: nothing, refused: nothing, miss: nothing };

describe('verifying an access token', () => {
  it('accepts a good one, cold and warm, with the very same claims', () => {
    const token = make();
    const cold = verifier.verify(token, NOW);
    expect(cold).toMatchObject({ ok: true, inGrace: false, claims: good });
    expect(verifier.verify(token, NOW)).toBe(cold);
  });

  it.each(misuses)('refuses $name: $expect', (recipe) => {
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

  it('keeps a token in less than 550 bytes, however long it is', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const many = 5000;
    /** What others left behind goes first: some of it only after its finalizers have run. */
    const retained = async (): Promise<number> => {
      for (let last = Number.POSITIVE_INFINITY; ; ) {
        collect();
        await new Promise((resolve) => setImmediate(resolve));
        const now = process.memoryUsage().heapUsed;
        if (now > last - 4096) return now;
        last = now;
      }
    };
    const filled = (round: string): Verifier => {
      const kept = verifierOf(keyring, many);
      for (let n = 0; n < many; n++) {
        const id = String(n).padStart(22, round);
        kept.verify(make({ payload: { jti: `fam_${id}.1`, sid: `ses_${id}`, fam: `fam_${id}`, sub: `usr_${id}` } }), NOW);
      }
      return kept;
    };
    // What is compiled on the way counts in the first round alone.
    const kept: Verifier[] = [];
    const each: number[] = [];
    for (const round of ['1', '2', '3', '4', '5']) {
      const before = await retained();
      kept.push(filled(round));
      each.push(((await retained()) - before) / many);
    }
    expect(kept.map(({ size }) => size)).toEqual(kept.map(() => many));
    const median = each.toSorted((x, y) => x - y)[2];
    expect(median).toBeLessThan(550);
    // Less would mean that nothing was measured.
    expect(median).toBeGreaterThan(100);
  }, 90_000);

  it('says that a valid token was seen, once a minute, and never of one that is not valid', () => {
    const seen: number[] = [];
    const by = createVerifier({
      pay: () => {},
      count: uncounted,
      keyring,
      issuer: ISSUER,
      longest: 3_600_000,
      capacity: 10,
      onSeen: (_, now) => seen.push(now - NOW),
    });
    const token = make();
    for (const after of [0, 1, 59_999, 60_000, 119_999, 120_000]) by.verify(token, NOW + after);
    by.verify(token, good.expiresAt, 60_000);
    by.verify(make({ key: 'foreign' }), NOW);
    expect(seen).toEqual([0, 60_000, 120_000]);
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

  it('keeps what it has verified when a key joins the others', async () => {
    const ring = createKeyring();
    const old = await signingKey(ours, 'ES256');
    ring.replace([old.verification], old.signer);
    const by = verifierOf(ring);
    const token = make();
    const verified = by.verify(token, NOW);
    const next = await signingKey(await makePrivateKey('ES256'), 'ES256');
    ring.replace([old.verification, next.verification], next.signer);
    expect(by.verify(token, NOW)).toBe(verified);
  });

  it('counts what it knew as good, what it knew as bad, and what it had to look at', async () => {
    const ring = createKeyring();
    const own = await signingKey(ours, 'ES256');
    ring.replace([own.verification], own.signer);
    const counted = { hit: 0, refused: 0, miss: 0 };
    const counter = (name: keyof typeof counted) => ({ inc: () => void counted[name]++ });
    const by = createVerifier({
      pay: () => {},
      count: { hit: counter('hit'), refused: counter('refused'), miss: counter('miss') },
      keyring: ring,
      issuer: ISSUER,
      longest: 3_600_000,
      capacity: 10,
    });
    const [token, forged] = [make(), make({ key: 'foreign' })];
    for (const one of [token, forged]) reasonOf(one, by);
    const next = await signingKey(await makePrivateKey('ES256'), 'ES256');
    ring.replace([own.verification, next.verification], own.signer);
    for (const one of [token, token, forged, forged]) reasonOf(one, by);
    expect(counted).toEqual({ hit: 2, refused: 1, miss: 3 });
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
