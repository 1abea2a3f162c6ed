// Page tokens: a position in a list, MACed and bound to the query, so that nobody can forge or reuse one elsewhere.
import { equalBytes, hmacSha256 } from './bytes.ts';
import { canonicalJson, lengthPrefixed } from './canonical.ts';
import { badField } from './fault.ts';

export interface Pager {
  /** `query` is everything that shaped the list; `after` is the last row's position. */
  seal(query: unknown, after: string): string;
  /** The position, '' for the first page. A token of another query or another hub is refused. */
  open(query: unknown, token: string): string;
}

export const createPager = (key: Uint8Array): Pager => {
  const mac = (query: unknown, after: string): Buffer =>
    hmacSha256(key, lengthPrefixed(['page', canonicalJson(query), after])).subarray(0, 16);
  return {
    seal: (query, after) => Buffer.concat([mac(query, after), Buffer.from(after)]).toString('base64url'),
    open(query, token) {
      if (token === '') return '';
      const bytes = Buffer.from(token, 'base64url');
      const after = bytes.subarray(16).toString();
      if (bytes.length < 16 || !equalBytes(bytes.subarray(0, 16), mac(query, after)))
        throw badField('page_token', 'is not a token of this list: start again without it', 'PAGE_TOKEN_INVALID');
      return after;
    },
  };
};

/** 0 means the default; the proto bounds the rest. */
export const pageSize = (requested: number): number => (requested === 0 ? 50 : Math.min(requested, 1000));
