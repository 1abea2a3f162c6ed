// Which public keys are certified: P-256, P-384 and RSA of 2048 to 4096 bits. Pure.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { sha256 } from '../base/bytes.ts';
import { spanAt } from './der.ts';

export interface PublicKey {
  readonly spki: Buffer;
  readonly type: 'ec' | 'rsa';
  readonly key: KeyObject;
}

export type KeyVerdict =
  | { readonly ok: true; readonly key: PublicKey }
  | { readonly ok: false; readonly problem: 'malformed' | 'weak'; readonly why: string };

// AlgorithmIdentifier, BIT STRING header and the mark of an uncompressed point: all that may stand before the coordinates (RFC 5480 §2).
const P256 = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const P384 = Buffer.from('3076301006072a8648ce3d020106052b8104002203620004', 'hex');
// rsaEncryption with NULL parameters (RFC 3279 §2.3.1).
const RSA = Buffer.from('300d06092a864886f70d0101010500', 'hex');

const startsWith = (bytes: Buffer, prefix: Buffer): boolean => bytes.subarray(0, prefix.length).equals(prefix);

const weak = (why: string): KeyVerdict => ({ ok: false, problem: 'weak', why });
const malformed = (why: string): KeyVerdict => ({ ok: false, problem: 'malformed', why });

/** `spki` is DER; a point off its curve is malformed. */
export const publicKeyOf = (spki: Buffer): KeyVerdict => {
  const ec = (spki.length === 91 && startsWith(spki, P256)) || (spki.length === 120 && startsWith(spki, P384));
  const body = spanAt(spki, 0)?.content ?? 0;
  if (!ec && !startsWith(spki.subarray(body), RSA)) return weak('the key must be EC on P-256 or P-384, or RSA of 2048 to 4096 bits');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return malformed('the public key is not a key');
  }
  if (ec) return { ok: true, key: { spki, type: 'ec', key } };
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 4096) return weak(`RSA of ${modulusLength} bits: 2048 to 4096 are certified`);
  if (publicExponent < 65_537n || publicExponent % 2n === 0n) return weak('the public exponent must be odd and at least 65537');
  // A check costs as much as the exponent is long: 8 ms for one of 3072 bits, and strangers choose it.
  if (publicExponent > 0xffff_ffffn) return weak('the public exponent must be below 2^32');
  return { ok: true, key: { spki, type: 'rsa', key } };
};

/** First 20 octets of the SHA-256 of the subjectPublicKey bits (RFC 7093 §2, method 1). */
export const keyIdOf = (spki: Buffer): Buffer => {
  const outer = spanAt(spki, 0);
  const algorithm = spanAt(spki, outer?.content ?? 0);
  const key = spanAt(spki, algorithm?.end ?? 0);
  if (key === null) throw new TypeError('not a SubjectPublicKeyInfo');
  return sha256(spki.subarray(key.content + 1, key.end)).subarray(0, 20);
};
