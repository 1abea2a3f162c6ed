// The header of a foreign token: only ever used to say no, and to name a key among its issuer's own (RFC 8725 §3.1). Pure.
import type { Refusal } from '../tokens/tokens.ts';
import type { Json } from './claims.ts';
import { isIssuerAlgorithm, type IssuerAlgorithm } from './issuer.ts';

/** Access tokens (RFC 9068), what most issuers call theirs, what SPIFFE calls its own; Kubernetes says nothing. */
const TYPES = ['jwt', 'at+jwt', 'jose'];
const KID = /^[\x21-\x7e]{1,256}$/;

export interface Header {
  readonly kid: string;
  readonly algorithm: IssuerAlgorithm;
}

const typeOf = (header: Json): string | null => {
  if (!Object.hasOwn(header, 'typ')) return 'jwt';
  const { typ } = header;
  // RFC 7515 §4.1.9: the prefix may be left out, and letters are letters.
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : null;
};

export const readHeader = (header: Json): Header | Refusal => {
  const { alg, kid } = header;
  if (!Object.hasOwn(header, 'alg') || !isIssuerAlgorithm(alg))
    return { reason: 'ALGORITHM_NOT_ALLOWED', message: 'the token names an algorithm that is never accepted' };
  if (!TYPES.includes(typeOf(header) ?? '')) return { reason: 'TOKEN_TYPE_WRONG', message: 'the header names another type of token' };
  if (Object.hasOwn(header, 'crit'))
    return { reason: 'TOKEN_MALFORMED', message: 'the header demands an extension that is not understood' };
  if (!Object.hasOwn(header, 'kid') || typeof kid !== 'string' || !KID.test(kid))
    return { reason: 'KEY_UNKNOWN', message: 'the token names no key of its issuer' };
  return { kid, algorithm: alg };
};
