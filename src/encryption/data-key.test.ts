import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { systemRandom } from '../base/random.ts';
import type { Binding } from './aad.ts';
import { createDataKey } from './data-key.ts';
import { ALGORITHMS, type Algorithm, readHeader, writeHeader } from './envelope.ts';
import { fernetOpen } from './fernet.ts';

const key = createDataKey({ keyId: 'ek_1', version: 1, secret: randomBytes(32) });
const binding: Binding = {
  tenantId: 'acme',
  classification: 'internal',
  purpose: 'mail',
  attributes: { a: '1' },
  associatedData: Buffer.from('ad'),
};
const plaintext = Buffer.from('four score and seven');
const seal = (algorithm: Algorithm, what = binding): Buffer => key.seal(algorithm, what, plaintext, systemRandom, Date.now());
const open = (ciphertext: Buffer, what = binding, by = key): Buffer | null => {
  const read = readHeader(ciphertext);
  return read === null ? null : by.open(read.header.algorithm, read.bytes, read.body, what);
};

describe.each(ALGORITHMS)('a data key under %s', (algorithm) => {
  it('opens what it sealed', () => expect(open(seal(algorithm))).toEqual(plaintext));
  it('never seals alike', () => expect(seal(algorithm)).not.toEqual(seal(algorithm)));
  it('seals nothing at all, too', () => {
    const empty = key.seal(algorithm, binding, Buffer.alloc(0), systemRandom, Date.now());
    expect(open(empty)).toEqual(Buffer.alloc(0));
  });
  it('takes an empty classification for internal', () =>
    expect(open(seal(algorithm), { ...binding, classification: '' })).toEqual(plaintext));
  it.each<[string, Partial<Binding>]>([
    ['tenant', { tenantId: 'other' }],
    ['classification', { classification: 'public' }],
    ['purpose', { purpose: 'sms' }],
    ['attribute', { attributes: { a: '2' } }],
    ['missing attribute', { attributes: {} }],
    ['further attribute', { attributes: { a: '1', b: '' } }],
    ['associated data', { associatedData: Buffer.from('da') }],
    ['associated data left out', { associatedData: Buffer.alloc(0) }],
  ])('opens nothing with another %s', (_, over) => expect(open(seal(algorithm), { ...binding, ...over })).toBeNull());
  it('opens nothing with one bit changed, wherever it stands', () => {
    const sealed = seal(algorithm);
    for (let i = 0; i < sealed.length; i += 1) {
      const changed = Buffer.from(sealed);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      expect(open(changed)).toBeNull();
    }
  });
  it('opens nothing cut short, at whatever byte', () => {
    const sealed = seal(algorithm);
    for (let i = 0; i < sealed.length; i += 1) expect(open(sealed.subarray(0, i))).toBeNull();
  });
  it('opens nothing of another version or another key', () => {
    expect(open(seal(algorithm), binding, createDataKey({ keyId: 'ek_1', version: 2, secret: randomBytes(32) }))).toBeNull();
    expect(open(seal(algorithm), binding, createDataKey({ keyId: 'ek_1', version: 1, secret: randomBytes(32) }))).toBeNull();
  });
});

describe('a ciphertext', () => {
  it.each(ALGORITHMS)('says its algorithm %s, key and version', (algorithm) =>
    expect(readHeader(seal(algorithm))?.header).toEqual({ algorithm, keyId: 'ek_1', version: 1 }),
  );
  it('of FERNET is a Fernet token behind the header, under a key that its context derives', () => {
    const body = readHeader(seal('FERNET'))?.body.toString() ?? '';
    expect(body).toMatch(/^gAAAAA[\w-]+=*$/);
    expect(fernetOpen(randomBytes(32), body)).toBeNull();
  });
  it.each([
    ['nothing', ''],
    ['noise', 'ffffffffffffffffffffffff'],
    ['another format', '534802010465 6b5f3100000001'.replace(' ', '')],
    ['an unknown algorithm', '5348010904656b5f3100000001'],
    ['algorithm 0', '5348010004656b5f3100000001'],
    ['a key id that is none', '53480101042e2e2f2f00000001'],
    ['a key id beyond the end', '53480101ff656b5f3100000001'],
  ])('is none when it is %s', (_, bytes) => expect(readHeader(Buffer.from(bytes, 'hex'))).toBeNull());
  it('writes the header that it reads', () => {
    const header = { algorithm: 'AES-256-GCM', keyId: 'ek_0123456789abcdefABCDEF', version: 4_294_967_295 } as const;
    expect(readHeader(writeHeader(header))?.header).toEqual(header);
  });
});
