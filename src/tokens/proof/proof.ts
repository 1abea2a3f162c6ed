// A DPoP proof (RFC 9449 §4): what it says, and the rules that make it count. Time, keys and memory are others' affairs.
import { base64url, equalText, sha256 } from '../../base/bytes.ts';
import { CLOCK_SKEW, type Instant, type Millis, seconds } from '../../base/time.ts';
import { type Algorithm, isAlgorithm, parseSegments, type Refusal } from '../jws.ts';
import { readProofKey } from './proof-key.ts';
import { type JsonObject, member, strictJsonObject } from '../strict-json.ts';

/** RFC 9449 §4.2. */
const PROOF_TYPE = 'dpop+jwt';

/** How long a proof counts from its `iat`. A proof is made for one request: a minute is for slow networks, not for keeping. */
export const PROOF_LIFE: Millis = seconds(60);

export interface Proof {
  /** RFC 7638 thumbprint of its key. */
  readonly jkt: string;
  readonly jwk: JsonObject;
  readonly algorithm: Algorithm;
  readonly signed: string;
  readonly signature: Buffer;
  readonly id: string;
  readonly method: string;
  readonly uri: string;
  readonly issuedAt: Instant;
  /** '' where there is none. */
  readonly tokenHash: string;
  /** RFC 9449 §8; '' where there is none. */
  readonly nonce: string;
}

/** The request that a proof must have been made for. */
export interface ProvenRequest {
  readonly method: string;
  readonly uri: string;
  /** The access token that is shown with it; null where there is none yet (login, refresh, exchange). */
  readonly token: string | null;
  /** It was made to the hub itself, which may ask for a nonce. */
  readonly ours?: true;
}

const refuse = (reason: string, message: string): Refusal => ({ reason, message });
const invalid = (message: string): Refusal => refuse('DPOP_PROOF_INVALID', message);

const readHeader = (header: JsonObject): { readonly algorithm: Algorithm; readonly jkt: string; readonly jwk: JsonObject } | Refusal => {
  if (member(header, 'typ') !== PROOF_TYPE) return invalid(`the header must say typ "${PROOF_TYPE}"`);
  const algorithm = member(header, 'alg');
  if (!isAlgorithm(algorithm))
    return invalid('the proof names an algorithm that is never accepted; symmetric ones and "none" prove nothing');
  if (Object.hasOwn(header, 'crit')) return invalid('the header demands an extension that is not understood');
  const key = readProofKey(member(header, 'jwk'), algorithm);
  return typeof key === 'string' ? invalid(key) : { algorithm, ...key };
};

/** Shape, header and types; the signature is not looked at yet. */
export const readProof = (text: string): Proof | Refusal => {
  const segments = parseSegments(text);
  if ('reason' in segments) return invalid(`the proof is no JWS, or there are several: ${segments.message}`);
  const header = readHeader(segments.header);
  if ('reason' in header) return header;
  const payload = strictJsonObject(segments.payload);
  if (payload === null) return invalid('the payload is not a JSON object with unique members');
  const textOf = (name: string): string | null => {
    const value = member(payload, name);
    return typeof value === 'string' && value !== '' && value.length <= 4096 ? value : null;
  };
  const [id, method, uri] = [textOf('jti'), textOf('htm'), textOf('htu')];
  const iat = member(payload, 'iat');
  const ath = member(payload, 'ath');
  if (id === null || id.length > 256 || method === null || uri === null) return invalid('"jti", "htm" and "htu" must be texts');
  if (!Number.isSafeInteger(iat) || (iat as number) <= 0 || (iat as number) > 253_402_300_799)
    return invalid('"iat" must be a number of seconds');
  if (ath !== undefined && typeof ath !== 'string') return invalid('"ath" must be a text');
  const nonce = member(payload, 'nonce');
  if (nonce !== undefined && typeof nonce !== 'string') return invalid('"nonce" must be a text');
  const { signed, signature } = segments;
  return { ...header, signed, signature, id, method, uri, issuedAt: (iat as number) * 1000, tokenHash: ath ?? '', nonce: nonce ?? '' };
};

/** Scheme, authority and path as RFC 3986 §6 makes them equal, without query and fragment (RFC 9449 §4.3); null for anything but http(s). */
export const plainUri = (text: string): string | null => {
  try {
    const url = new URL(text);
    if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '') return null;
    return `${url.origin}${url.pathname}`;
  } catch {
    return null;
  }
};

/** A mesh may have taken TLS away before the request reached us: only name and path tell one address from another. */
const withoutScheme = (uri: string): string => uri.replace(/^https?:/, '');

/** `ath`: SHA-256 of the access token's text (RFC 9449 §4.2). */
const tokenHashOf = (token: string): string => base64url(sha256(token));

/** Why the proof was not made for this request, now; null when it was. */
export const proofProblem = (proof: Proof, request: ProvenRequest, now: Instant): Refusal | null => {
  if (proof.method !== request.method) return refuse('DPOP_METHOD_MISMATCH', `the proof was made for ${proof.method.slice(0, 32)}`);
  const [made, asked] = [plainUri(proof.uri), plainUri(request.uri)];
  if (made === null || asked === null || withoutScheme(made) !== withoutScheme(asked))
    return refuse('DPOP_URI_MISMATCH', 'the proof was made for another address ("htu")');
  if (request.token !== null && !equalText(proof.tokenHash, tokenHashOf(request.token)))
    return refuse(
      'DPOP_TOKEN_MISMATCH',
      proof.tokenHash === '' ? 'the proof names no token ("ath")' : 'the proof was made for another token ("ath")',
    );
  if (proof.issuedAt > now + CLOCK_SKEW) return refuse('DPOP_PROOF_NOT_YET_VALID', 'the proof comes from the future ("iat")');
  if (proof.issuedAt + PROOF_LIFE < now)
    return refuse('DPOP_PROOF_EXPIRED', 'the proof is too old ("iat"): make a new one for each request');
  return null;
};
