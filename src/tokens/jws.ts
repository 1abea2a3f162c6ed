// The shape of a token before any key is asked: JWS compact serialisation only (RFC 7515 §7.1), strictly read (RFC 8725 §3).
import { fromBase64url, kib } from '../base/bytes.ts';
import { type JsonObject, member, strictJsonObject } from './strict-json.ts';

export const ALGORITHMS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What a token would have to be larger than to be nonsense: ours are below 4 KiB. */
export const MAX_TOKEN = kib(8);

/** Why a token is refused: stable codes of the contract, and a sentence for people. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export interface Jws {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** The bytes that were signed: `header.payload`. */
  readonly signed: string;
}

const refuse = (reason: string, message: string): Refusal => ({ reason, message });
const malformed = (message: string): Refusal => refuse('TOKEN_MALFORMED', message);

/** RFC 7638 thumbprints are 43 characters; other issuers' ids are short words. Never a path, never a query. */
const KID = /^[A-Za-z0-9._~-]{1,128}$/;

export const isAlgorithm = (value: unknown): value is Algorithm => (ALGORITHMS as readonly unknown[]).includes(value);

/**
 * The header's word is only ever used to say no: the key's own record decides what is checked (RFC 8725 §3.1). `jwk`, `jku`, `x5u` and
 * `x5c` are never read, `crit` is always refused because we understand no extension (RFC 7515 §4.1.11).
 */
const readHeader = (header: JsonObject, type: string): { readonly kid: string; readonly algorithm: Algorithm } | Refusal => {
  const algorithm = member(header, 'alg');
  if (!isAlgorithm(algorithm)) return refuse('ALGORITHM_NOT_ALLOWED', 'the token names an algorithm that is never accepted');
  if (member(header, 'typ') !== type) return refuse('TOKEN_TYPE_WRONG', `the header must say typ "${type}"`);
  if (Object.hasOwn(header, 'crit')) return malformed('the header demands an extension that is not understood');
  const kid = member(header, 'kid');
  if (typeof kid !== 'string' || !KID.test(kid)) return refuse('KEY_UNKNOWN', 'the token names no key that we know');
  return { kid, algorithm };
};

/** A JWS whose header is read by whoever asked for it. */
export interface Segments extends Pick<Jws, 'payload' | 'signature' | 'signed'> {
  readonly header: JsonObject;
}

/** Size, three canonical base64url segments, a header that is a JSON object without repeated members. The signature may be empty. */
export const parseSegments = (token: string): Segments | Refusal => {
  if (token.length > MAX_TOKEN) return refuse('TOKEN_TOO_LARGE', `a token has at most ${MAX_TOKEN} bytes`);
  const segments = token.split('.', 4);
  const [first, second, third] = segments;
  if (segments.length !== 3 || !first || !second || third === undefined)
    return malformed('not three dot-separated segments (JWS compact serialisation)');
  const headerBytes = fromBase64url(first);
  const header = headerBytes && strictJsonObject(headerBytes);
  if (header === null) return malformed('the header is not canonical base64url of a JSON object with unique members');
  const payload = fromBase64url(second);
  const signature = fromBase64url(third);
  if (payload === null || signature === null) return malformed('the payload or the signature is not canonical base64url');
  return { header, payload, signature, signed: token.slice(0, first.length + 1 + second.length) };
};

/** And header rules. No key and no signature yet. */
export const parseJws = (token: string, type: string): Jws | Refusal => {
  const segments = parseSegments(token);
  if ('reason' in segments) return segments;
  const { header, ...rest } = segments;
  const read = readHeader(header, type);
  if ('reason' in read) return read;
  return rest.signature.length === 0 ? malformed('the signature is missing') : { ...read, ...rest };
};
