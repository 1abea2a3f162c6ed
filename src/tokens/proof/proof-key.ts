// The public key inside a DPoP proof (RFC 9449 §4.2): strictly public, strictly asymmetric, known by its thumbprint.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { base64url, sha256 } from '../../base/bytes.ts';
import { canonicalJson } from '../../base/canonical.ts';
import type { Algorithm } from '../jws.ts';
import { type JsonObject, member } from '../strict-json.ts';

/** The members that make a key (RFC 7638 §3.2), by key type. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const FITTING: Readonly<Record<Algorithm, (jwk: JsonObject) => boolean>> = {
  ES256: (jwk) => jwk['kty'] === 'EC' && jwk['crv'] === 'P-256',
  EdDSA: (jwk) => jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519',
  PS256: (jwk) => jwk['kty'] === 'RSA',
  RS256: (jwk) => jwk['kty'] === 'RSA',
};

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;
/** An exponent of six bytes: a longer one makes checking slow, and nobody uses it. */
const MAX_EXPONENT = 8;

/** The thumbprint of a JWK, or why it is no key of a proof. Nothing is computed with the key yet. */
export const readProofKey = (jwk: unknown, algorithm: Algorithm): { readonly jkt: string; readonly jwk: JsonObject } | string => {
  if (jwk === null || typeof jwk !== 'object' || Array.isArray(jwk)) return 'the header carries no public key ("jwk")';
  const given = jwk as JsonObject;
  if (PRIVATE.some((name) => Object.hasOwn(given, name))) return 'the "jwk" holds a private or secret key: that key is spent';
  const kty = member(given, 'kty');
  const names = typeof kty === 'string' && Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty] : undefined;
  if (names === undefined || !FITTING[algorithm](given)) return 'the "jwk" does not fit the algorithm';
  const values = names.map((name) => member(given, name));
  if (!values.every((value): value is string => typeof value === 'string' && value !== '' && value.length <= 1024))
    return 'the "jwk" lacks a member';
  if (kty === 'RSA' && (given['e'] as string).length > MAX_EXPONENT) return 'the exponent of the "jwk" is too long';
  const only = Object.fromEntries(names.map((name, at) => [name, values[at] as string]));
  return { jkt: base64url(sha256(canonicalJson(only))), jwk: only };
};

/** null when it is no point, no modulus, or an RSA key of another size than 2048 to 4096 bits. */
export const importProofKey = (jwk: JsonObject): KeyObject | null => {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    return bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) ? null : key;
  } catch {
    return null;
  }
};
