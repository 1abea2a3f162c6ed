// A JWK Set as an issuer publishes it (RFC 7517 §5): the keys we can use, each bound to the algorithms that fit it. Pure.
import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { isIssuerAlgorithm, type IssuerAlgorithm } from './issuer.ts';

export interface IssuerKey {
  readonly kid: string;
  /** What it may have signed with: its own `alg`, else what fits its type. The header of a token adds nothing. */
  readonly algorithms: readonly IssuerAlgorithm[];
  /** Imported on first use; null where it is no good key. */
  readonly key: () => KeyObject | null;
  /** Equal for equal keys. */
  readonly print: string;
}

export type IssuerKeySet = ReadonlyMap<string, IssuerKey>;

export const MAX_KEYS = 100;
const KID = /^[\x21-\x7e]{1,256}$/;
const RSA: readonly IssuerAlgorithm[] = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'];
/** RFC 7518 §3.3 asks for 2048; more than 8192 only costs time. */
const RSA_BITS = { least: 2048, most: 8192 };
const MAX_EXPONENT = 0xffff_ffffn;

type Json = Readonly<Record<string, unknown>>;
type JsonWebKey = webcrypto.JsonWebKey;

const text = (jwk: Json, name: string): string => {
  const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined;
  return typeof value === 'string' ? value : '';
};

/** By key type and curve (RFC 7518 §3.1, RFC 8037 §3.1); none for secrets and what we do not know. */
const fitting = (jwk: Json): readonly IssuerAlgorithm[] => {
  const curve = text(jwk, 'crv');
  switch (text(jwk, 'kty')) {
    case 'RSA':
      return RSA;
    case 'EC':
      return curve === 'P-256' ? ['ES256'] : curve === 'P-384' ? ['ES384'] : curve === 'P-521' ? ['ES512'] : [];
    case 'OKP':
      return curve === 'Ed25519' ? ['EdDSA'] : [];
    default:
      return [];
  }
};

const algorithmsOf = (jwk: Json): readonly IssuerAlgorithm[] => {
  const fits = fitting(jwk);
  if (!Object.hasOwn(jwk, 'alg')) return fits;
  // RFC 9864 names the curve where RFC 8037 did not.
  const alg = text(jwk, 'alg') === 'Ed25519' ? 'EdDSA' : text(jwk, 'alg');
  return isIssuerAlgorithm(alg) && fits.includes(alg) ? [alg] : [];
};

const PUBLIC = ['kty', 'crv', 'x', 'y', 'n', 'e'];

const publicPart = (jwk: Json): JsonWebKey =>
  Object.fromEntries(PUBLIC.filter((name) => Object.hasOwn(jwk, name)).map((name) => [name, jwk[name]])) as JsonWebKey;

const importKey = (jwk: JsonWebKey): KeyObject | null => {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
    if (modulusLength !== undefined && (modulusLength < RSA_BITS.least || modulusLength > RSA_BITS.most)) return null;
    return publicExponent !== undefined && (publicExponent < 3n || publicExponent > MAX_EXPONENT) ? null : key;
  } catch {
    return null;
  }
};

/** `jwt-svid` as SPIFFE bundles say (SPIFFE Trust Domain and Bundle §4.2); X.509 keys of the same bundle are none for tokens. */
const forSignatures = (jwk: Json): boolean => {
  const operations = Object.hasOwn(jwk, 'key_ops') ? jwk['key_ops'] : undefined;
  return (
    ['', 'sig', 'jwt-svid'].includes(text(jwk, 'use')) &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify')))
  );
};

/** null where the text is no JWK Set. Keys that cannot be used are left out; of two with one id the first counts. */
export const readJwks = (json: string): IssuerKeySet | null => {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    return null;
  }
  const list =
    typeof document === 'object' && document !== null && Object.hasOwn(document, 'keys') ? (document as Json)['keys'] : undefined;
  if (!Array.isArray(list) || list.length > MAX_KEYS) return null;
  const keys = new Map<string, IssuerKey>();
  for (const one of list as unknown[]) {
    if (typeof one !== 'object' || one === null || Array.isArray(one)) continue;
    const jwk = one as Json;
    const kid = text(jwk, 'kid');
    const algorithms = algorithmsOf(jwk);
    if (!KID.test(kid) || keys.has(kid) || algorithms.length === 0 || !forSignatures(jwk)) continue;
    const part = publicPart(jwk);
    let imported: KeyObject | null | undefined;
    const key = (): KeyObject | null => (imported === undefined ? (imported = importKey(part)) : imported);
    keys.set(kid, { kid, algorithms, key, print: JSON.stringify([algorithms, part]) });
  }
  return keys;
};

/** The fresh set, with the very objects that were there before where a key is still the same: what was verified under it stays verified. */
export const keepingKnown = (fresh: IssuerKeySet, before: IssuerKeySet | null): IssuerKeySet =>
  new Map(
    [...fresh].map(([kid, key]) => {
      const known = before?.get(kid);
      return [kid, known?.print === key.print ? known : key];
    }),
  );
