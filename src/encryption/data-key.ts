// One version of a key, unwrapped: seals and opens under each algorithm with a subkey of its own.
import { hmacSha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { Random } from '../base/random.ts';
import type { Instant } from '../base/time.ts';
import { aadV1, type Binding } from './aad.ts';
import { type Algorithm, writeHeader } from './envelope.ts';
import { fernetOpen, fernetSeal } from './fernet.ts';
import { type Aead, aesGcm, xaes } from './xaes.ts';

export interface DataKey {
  readonly version: number;
  /** The whole ciphertext: header, nonce, sealed bytes. */
  seal(algorithm: Algorithm, binding: Binding, plaintext: Uint8Array, random: Pick<Random, 'bytes'>, now: Instant): Buffer;
  /** null for whatever does not open. */
  open(algorithm: Algorithm, header: Buffer, body: Buffer, binding: Binding): Buffer | null;
}

export interface Unwrapped {
  readonly keyId: string;
  readonly version: number;
  /** 32 bytes; never used itself, so that no algorithm ever shares key bytes with another. */
  readonly secret: Uint8Array;
}

export const createDataKey = ({ keyId, version, secret }: Unwrapped): DataKey => {
  const subkey = (algorithm: Algorithm): Buffer => hmacSha256(secret, lengthPrefixed(['data-key', algorithm]));
  const aeads: Record<'XAES-256-GCM' | 'AES-256-GCM', Aead> = {
    'XAES-256-GCM': xaes(subkey('XAES-256-GCM')),
    'AES-256-GCM': aesGcm(subkey('AES-256-GCM')),
  };
  const fernet = subkey('FERNET');
  // Fernet has no room for associated data: a key derived from it binds just as well, and the token stays a plain Fernet token.
  const fernetKey = (aad: Buffer): Buffer => hmacSha256(fernet, aad);
  const headers: Record<Algorithm, Buffer> = {
    'XAES-256-GCM': writeHeader({ algorithm: 'XAES-256-GCM', keyId, version }),
    'AES-256-GCM': writeHeader({ algorithm: 'AES-256-GCM', keyId, version }),
    FERNET: writeHeader({ algorithm: 'FERNET', keyId, version }),
  };
  return {
    version,
    seal(algorithm, binding, plaintext, random, now) {
      const header = headers[algorithm];
      const aad = aadV1(header, binding);
      if (algorithm === 'FERNET') return Buffer.concat([header, Buffer.from(fernetSeal(fernetKey(aad), random.bytes(16), now, plaintext))]);
      const aead = aeads[algorithm];
      const nonce = random.bytes(aead.nonceSize);
      const [ciphertext, tag] = aead.seal(nonce, aad, plaintext);
      return Buffer.concat([header, nonce, ciphertext, tag]);
    },
    open(algorithm, header, body, binding) {
      const aad = aadV1(header, binding);
      if (algorithm === 'FERNET') return fernetOpen(fernetKey(aad), body.toString('latin1'));
      const aead = aeads[algorithm];
      if (body.length < aead.nonceSize) return null;
      return aead.open(body.subarray(0, aead.nonceSize), aad, body.subarray(aead.nonceSize));
    },
  };
};
