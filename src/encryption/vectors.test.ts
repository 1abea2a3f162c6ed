// The ciphers against vectors that others made.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { aadV1 } from './aad.ts';
import { fernetOpen, fernetSeal } from './fernet.ts';
import { aesGcm, xaes } from './xaes.ts';

const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const cases = <T>(name: string): T => read(join(import.meta.dirname, '../../test/cases/encryption', name));
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

interface Xaes {
  readonly cases: readonly { key: string; nonce: string; plaintext: string; aad: string; sealed: string }[];
  readonly accumulated: { iterations: number; stream: string; hash: string };
}

describe('XAES-256-GCM', () => {
  const vectors = cases<Xaes>('xaes-256-gcm.json');
  it.each(vectors.cases)('seals and opens the vector of key $key', ({ key, nonce, plaintext, aad, sealed }) => {
    const aead = xaes(hex(key));
    expect(Buffer.concat(aead.seal(Buffer.from(nonce), Buffer.from(aad), Buffer.from(plaintext))).toString('hex')).toBe(sealed);
    expect(aead.open(Buffer.from(nonce), Buffer.from(aad), hex(sealed))?.toString()).toBe(plaintext);
  });

  it('gives the hash of ten thousand random messages', () => {
    const { iterations, stream, hash } = vectors.accumulated;
    const random = createHash('shake128', { outputLength: iterations * (32 + 24 + 2 * 256) }).digest();
    expect(random.toString('hex', 0, 16)).toBe(stream);
    let at = 0;
    const take = (size: number): Buffer => random.subarray(at, (at += size));
    const sum = createHash('shake128', { outputLength: 32 });
    for (let i = 0; i < iterations; i += 1) {
      const [key, nonce] = [take(32), take(24)];
      const plaintext = take(take(1)[0] ?? 0);
      const aad = take(take(1)[0] ?? 0);
      for (const part of xaes(key).seal(nonce, aad, plaintext)) sum.update(part);
    }
    expect(sum.digest('hex')).toBe(hash);
  });
});

interface Gcm {
  readonly cases: readonly { key: string; iv: string; aad: string; msg: string; ct: string; tag: string }[];
}

interface Wycheproof {
  readonly testGroups: readonly {
    readonly keySize: number;
    readonly ivSize: number;
    readonly tagSize: number;
    readonly tests: readonly (Gcm['cases'][number] & { tcId: number; result: string })[];
  }[];
}

describe('AES-256-GCM', () => {
  it.each(cases<Gcm>('aes-256-gcm.json').cases)('seals and opens the vector with tag $tag', ({ key, iv, aad, msg, ct, tag }) => {
    const aead = aesGcm(hex(key));
    expect(Buffer.concat(aead.seal(hex(iv), hex(aad), hex(msg))).toString('hex')).toBe(ct + tag);
    expect(aead.open(hex(iv), hex(aad), hex(ct + tag))?.toString('hex')).toBe(msg);
  });

  const folder = process.env['WYCHEPROOF_DIR'] ?? '';
  if (folder === '') it('is checked against the committed vectors alone: WYCHEPROOF_DIR is not set', () => expect(folder).toBe(''));
  else
    it('agrees with Wycheproof on every vector of its sizes', () => {
      const path = join(folder, 'aes_gcm_test.json');
      expect(existsSync(path)).toBe(true);
      const wrong: number[] = [];
      let count = 0;
      for (const group of read<Wycheproof>(path).testGroups) {
        if (group.keySize !== 256 || group.ivSize !== 96 || group.tagSize !== 128) continue;
        for (const { tcId, key, iv, aad, msg, ct, tag, result } of group.tests) {
          count += 1;
          const opened = aesGcm(hex(key)).open(hex(iv), hex(aad), hex(ct + tag));
          const sealed = Buffer.concat(aesGcm(hex(key)).seal(hex(iv), hex(aad), hex(msg))).toString('hex');
          const good = result === 'valid' ? opened?.toString('hex') === msg && sealed === ct + tag : opened === null;
          if (!good) wrong.push(tcId);
        }
      }
      expect(wrong).toEqual([]);
      expect(count).toBeGreaterThan(50);
    });

  it('takes no nonce but one of its size', () => {
    expect(() => aesGcm(Buffer.alloc(32)).seal(Buffer.alloc(16), Buffer.alloc(0), Buffer.alloc(0))).toThrow(RangeError);
    expect(() => xaes(Buffer.alloc(32)).open(Buffer.alloc(12), Buffer.alloc(0), Buffer.alloc(16))).toThrow(RangeError);
  });
});

interface Fernet {
  readonly generate: readonly { token: string; now: string; iv: number[]; src: string; secret: string }[];
  readonly verify: readonly { token: string; src: string; secret: string }[];
  readonly invalid: readonly { desc: string; token: string; secret: string }[];
}

describe('Fernet', () => {
  const vectors = cases<Fernet>('fernet.json');
  it.each(vectors.generate)('makes the token of $src', ({ token, now, iv, src, secret }) =>
    expect(fernetSeal(Buffer.from(secret, 'base64url'), Buffer.from(iv), Date.parse(now), Buffer.from(src))).toBe(token),
  );
  it.each(vectors.verify)('opens the token of $src', ({ token, src, secret }) =>
    expect(fernetOpen(Buffer.from(secret, 'base64url'), token)?.toString()).toBe(src),
  );
  // A ciphertext of ours has no end of life, so the two vectors about time are not about us.
  it.each(vectors.invalid.filter(({ desc }) => !/TTL|clock skew/.test(desc)))('refuses a token with $desc', ({ token, secret }) =>
    expect(fernetOpen(Buffer.from(secret, 'base64url'), token)).toBeNull(),
  );
});

interface Aad {
  readonly cases: readonly {
    name: string;
    header: string;
    tenant: string;
    classification: string;
    purpose: string;
    attributes: Record<string, string>;
    associated_data: string;
    aad: string;
  }[];
}

describe('AAD v1', () => {
  it.each(cases<Aad>('aad-v1.json').cases)('has the bytes of: $name', ({ header, tenant, associated_data, aad, ...rest }) =>
    expect(aadV1(hex(header), { tenantId: tenant, associatedData: hex(associated_data), ...rest }).toString('hex')).toBe(aad),
  );
});
