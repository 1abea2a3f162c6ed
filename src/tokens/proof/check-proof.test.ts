import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign, constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { filler, merged, type Recipe } from '../../../test/recipe.ts';
import { type Fault, unavailable } from '../../base/fault.ts';
import { createMemoryCache } from '../../storage/cache.memory.ts';
import { createCheckProof, type ProofUse } from './check-proof.ts';
import { createProofNonces, NONCE_TURN } from './proof-nonce.ts';
import { plainUri } from './proof.ts';

interface Case extends Recipe {
  readonly expect?: string;
}

const { cases, good } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../test/cases/tokens/dpop.json'), 'utf8')) as {
  readonly cases: readonly Case[];
  readonly good: readonly Case[];
};

const NOW = 1_800_000_000_000;
const TOKEN = 'eyJ.header.and-so-on';
const REQUEST = { method: 'POST', uri: 'https://orders.test/shop.Orders/Place', token: TOKEN };

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const ours = ec();
const foreign = ec();
const ed25519 = generateKeyPairSync('ed25519');
const rsa2048 = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 });
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, string>;
const own = jwkOf(ours.publicKey);

const fill = filler(NOW, {
  $ath: createHash('sha256').update(TOKEN).digest('base64url'),
  $ath_hex: createHash('sha256').update(TOKEN).digest('hex'),
  $token: TOKEN,
  $kilobyte: 'x'.repeat(1024),
  $10kib: 'x'.repeat(10_240),
  $private_jwk: jwkOf(ours.privateKey),
  $jwk_without_y: { kty: 'EC', crv: 'P-256', x: own['x'] },
  $jwk_off_curve: { ...own, y: own['x'] },
  $p384_jwk: jwkOf(ec('P-384').publicKey),
  $rsa1024_jwk: jwkOf(rsa1024.publicKey),
  $rsa_long_e_jwk: { ...jwkOf(rsa2048.publicKey), e: jwkOf(rsa2048.publicKey)['n'] },
  $decorated_jwk: { ...own, kid: 'k', use: 'sig', alg: 'ES256', x5c: [] },
  $ed25519_jwk: jwkOf(ed25519.publicKey),
  $rsa2048_jwk: jwkOf(rsa2048.publicKey),
});

const pss = (key: KeyObject) => ({ key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
const signatures: Readonly<Record<string, (signed: Buffer) => Uint8Array>> = {
  ours: (signed) => sign('sha256', signed, { key: ours.privateKey, dsaEncoding: 'ieee-p1363' }),
  ours_der: (signed) => sign('sha256', signed, ours.privateKey),
  foreign: (signed) => sign('sha256', signed, { key: foreign.privateKey, dsaEncoding: 'ieee-p1363' }),
  none: () => Buffer.alloc(0),
  zeros: () => Buffer.alloc(64),
  symmetric: (signed) => createHmac('sha256', 'secret').update(signed).digest(),
  ed25519: (signed) => sign(null, signed, ed25519.privateKey),
  rsa2048_pss: (signed) => sign('sha256', signed, pss(rsa2048.privateKey)),
  rsa1024: (signed) => sign('sha256', signed, pss(rsa1024.privateKey)),
};
const b64 = (value: string | Uint8Array): string => Buffer.from(value as string).toString('base64url');
const shapes: Readonly<Record<string, (h: string, p: string, s: string) => string>> = {
  payload_bit: (h, p, s) => `${h}.${b64(Buffer.from(p, 'base64url').toString().replace('"jti":"', '"jti":"x'))}.${s}`,
  two: (h, p, s) => `${h}.${p}.${s}, ${make()}`,
  two_tight: (h, p, s) => `${h}.${p}.${s},${make()}`,
  twice: (h, p, s) => `${h}.${p}.${s}, ${h}.${p}.${s}`,
  padded: (h, p, s) => `${h}=.${p}.${s}`,
  json: (h, p, s) => JSON.stringify({ protected: h, payload: p, signature: s }),
  jwe: (h, p, s) => `${h}.${p}.${s}.${p}.${s}`,
  token: () => TOKEN,
  garbage: () => 'not.a.proof',
};
function make(recipe: Partial<Case> = {}): string {
  const header = b64(recipe.headerText ?? merged(fill, { alg: 'ES256', typ: 'dpop+jwt', jwk: own }, recipe.header));
  const payload = b64(
    recipe.payloadText ?? merged(fill, { jti: randomUUID(), htm: 'POST', htu: REQUEST.uri, iat: NOW / 1000, ath: '$ath' }, recipe.payload),
  );
  const tag = b64(signatures[recipe.key ?? 'ours']?.(Buffer.from(`${header}.${payload}`)) ?? Buffer.alloc(0));
  return shapes[recipe.shape ?? '']?.(header, payload, tag) ?? `${header}.${payload}.${tag}`;
}

const NOBODY_COUNTS = { pay: () => {}, nonces: null };
/** With a memory that is minutes old. */
const fresh = () => {
  let now = NOW - 600_000;
  const cache = createMemoryCache({ now: () => now, monotonic: () => 0 });
  now = NOW;
  return createCheckProof({ cache, ...NOBODY_COUNTS });
};
const PAYER = { peer: { transport: 'local', address: '', loopback: true, certificate: null } } as const;
const check = fresh();
const outcome = async (proof: string, by = check, use: ProofUse = 'verdict', now = NOW): Promise<string> => {
  const checked = await by(proof, REQUEST, use, now, PAYER);
  return checked.ok ? 'GOOD' : checked.reason;
};

describe('checking a DPoP proof', () => {
  it('accepts a good one and names its key as jose does', async () => {
    const checked = await check(make(), REQUEST, 'verdict', NOW, PAYER);
    expect(checked).toEqual({ ok: true, jkt: await calculateJwkThumbprint(await exportJWK(ours.publicKey), 'sha256') });
  });

  it.each(cases)('refuses $name: $expect', async (recipe) => {
    expect(await outcome(make(recipe))).toBe(recipe.expect);
  });

  it.each(good)('accepts $name', async (recipe) => {
    expect(await outcome(make(recipe))).toBe('GOOD');
  });

  it('accepts a proof once a use, and refuses it ever after', async () => {
    const proof = make();
    expect([await outcome(proof), await outcome(proof), await outcome(proof, check, 'decision')]).toEqual([
      'GOOD',
      'DPOP_PROOF_REPLAYED',
      'GOOD',
    ]);
    expect(await outcome(proof, check, 'verdict', NOW + 60_000)).toBe('DPOP_PROOF_REPLAYED');
    expect(await outcome(proof, check, 'verdict', NOW + 60_001)).toBe('DPOP_PROOF_EXPIRED');
  });

  it('lets one of many win who show the same proof at once', async () => {
    const proof = make();
    const answers = await Promise.all(Array.from({ length: 20 }, () => outcome(proof)));
    expect(answers.filter((answer) => answer === 'GOOD')).toHaveLength(1);
  });

  it('takes the same id under another key for another proof', async () => {
    const payload = { jti: 'the same' };
    expect(await outcome(make({ payload }))).toBe('GOOD');
    expect(await outcome(make({ payload, key: 'ed25519', header: { alg: 'EdDSA', jwk: '$ed25519_jwk' } }))).toBe('GOOD');
    expect(await outcome(make({ payload }))).toBe('DPOP_PROOF_REPLAYED');
  });

  it('needs no token where none is shown, and refuses none that names one', async () => {
    const request = { ...REQUEST, token: null };
    expect((await check(make({ payload: { ath: null } }), request, 'call', NOW, PAYER)).ok).toBe(true);
    expect((await check(make(), request, 'call', NOW, PAYER)).ok).toBe(true);
  });

  it('remembers nothing of a proof that is refused', async () => {
    const by = fresh();
    const jti = randomUUID();
    expect(await outcome(make({ payload: { jti, htm: 'GET' } }), by)).toBe('DPOP_METHOD_MISMATCH');
    expect(await outcome(make({ payload: { jti }, key: 'foreign' }), by)).toBe('DPOP_PROOF_INVALID');
    expect(await outcome(make({ payload: { jti } }), by)).toBe('GOOD');
  });

  it('gives no verdict while nobody knows what was used before', async () => {
    const away = createCheckProof({
      cache: { remember: () => Promise.reject(unavailable('CACHE_UNAVAILABLE', 'away')) },
      ...NOBODY_COUNTS,
    });
    await expect(outcome(make(), away)).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'DPOP_UNAVAILABLE' });
  });

  it('refuses a proof that is older than the memory of used ones', async () => {
    const young = createCheckProof({ cache: { remember: async () => 'forgotten' }, ...NOBODY_COUNTS });
    expect(await outcome(make(), young)).toBe('DPOP_PROOF_EXPIRED');
  });

  it('survives any text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(fc.base64String(), { minLength: 3, maxLength: 3 }).map((parts) => parts.join('.')),
        ),
        async (text) => {
          expect(await outcome(text)).toBe('DPOP_PROOF_INVALID');
        },
      ),
    );
  });
});

describe('what a proof costs', () => {
  const counting = () => {
    const paid: unknown[] = [];
    const cache = { remember: async () => 'first' as const };
    return { paid, by: createCheckProof({ cache, pay: (payer) => void paid.push(payer), nonces: null }) };
  };

  it('is paid by whoever causes it, good or bad, before anything is computed', async () => {
    const { paid, by } = counting();
    expect([await outcome(make(), by), await outcome(make({ key: 'foreign' }), by)]).toEqual(['GOOD', 'DPOP_PROOF_INVALID']);
    expect(paid).toEqual([PAYER, PAYER]);
    const spent = createCheckProof({
      cache: { remember: () => Promise.reject(new Error('asked')) },
      pay: () => {
        throw unavailable('BUDGET_EXHAUSTED', 'spent');
      },
      nonces: null,
    });
    await expect(outcome(make({ key: 'foreign' }), spent)).rejects.toMatchObject({ reason: 'BUDGET_EXHAUSTED' });
  });

  it('is nothing where no signature is looked at', async () => {
    const { paid, by } = counting();
    expect(await outcome(make({ payload: { htm: 'GET' } }), by)).toBe('DPOP_METHOD_MISMATCH');
    expect(paid).toEqual([]);
  });
});

describe('a nonce', () => {
  const nonces = createProofNonces(Buffer.alloc(32, 7));
  const by = createCheckProof({ cache: { remember: async () => 'first' }, pay: () => {}, nonces });
  const asked = (nonce: unknown, now = NOW) =>
    by(make({ payload: { nonce, iat: now / 1000 } }), { ...REQUEST, ours: true }, 'call', now, PAYER).then(
      (checked) => (checked.ok ? 'GOOD' : checked.reason),
      (fault: Fault) => [fault.code, fault.reason, fault.meta['dpop_nonce']],
    );
  const needed = (now = NOW) => ['UNAUTHENTICATED', 'USE_DPOP_NONCE', nonces.at(now)];

  it('is asked for, and the refusal brings it', async () => {
    expect(await asked(null)).toEqual(needed());
    expect(await asked(nonces.at(NOW))).toBe('GOOD');
  });

  it('counts for this turn and the next one, on clocks that differ a little', async () => {
    const nonce = nonces.at(NOW);
    const turn = NOW - (NOW % NONCE_TURN);
    expect(await asked(nonce, turn + 2 * NONCE_TURN - 1000)).toBe('GOOD');
    expect(await asked(nonce, turn + 2 * NONCE_TURN)).toEqual(needed(turn + 2 * NONCE_TURN));
    expect(await asked(nonce, turn - 5000)).toBe('GOOD');
    expect(await asked(nonce, turn - 6000)).toEqual(needed(turn - 6000));
  });

  it.each([
    ['of another key', createProofNonces(Buffer.alloc(32, 8)).at(NOW)],
    ['made up', 'x'],
    ['empty', ''],
    ['long', '$kilobyte'],
  ])('that is %s is none', async (_what, nonce) => {
    expect(await asked(nonce)).toEqual(needed());
  });

  it('is asked of no proof that was made to somebody else', async () => {
    expect(await outcome(make(), by)).toBe('GOOD');
  });
});

describe('the address a proof is made for', () => {
  it('is the same however often it is made plain', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
        const plain = plainUri(url);
        expect(plain === null || plainUri(plain)).toBe(plain === null ? true : plain);
        expect(plain ?? '').not.toMatch(/[?#]/);
      }),
    );
  });
});
