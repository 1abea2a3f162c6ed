// The refresh token: opaque to clients, readable to us without I/O, and derived so that the database alone can make none.
import { base64url, equalBytes, fromBase64url, hmacSha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';

export const REFRESH_PREFIX = 'shr_';
const VERSION = 1;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;
const MAX_TEXT = 1024;

export interface RefreshToken {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly familyId: string;
  /** 1 at the login, one more at each rotation: a counter, because two rotations fit into one second. */
  readonly generation: number;
  readonly secret: Buffer;
}

/** Three keys that only holders of the master key can derive. */
export interface RefreshKeys {
  readonly tag: Uint8Array;
  readonly hash: Uint8Array;
  readonly successor: Uint8Array;
}

const tagOf = (keys: RefreshKeys, body: Uint8Array): Buffer => hmacSha256(keys.tag, body).subarray(0, TAG_BYTES);

const part = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
};

/** `shr_` and base64url of: version, tenant, user, family (each with its length), generation, secret, keyed tag. */
export const printRefreshToken = (keys: RefreshKeys, token: RefreshToken): string => {
  const generation = Buffer.alloc(4);
  generation.writeUInt32BE(token.generation);
  const body = Buffer.concat([
    Buffer.from([VERSION]),
    part(token.tenantId),
    part(token.userId),
    part(token.familyId),
    generation,
    token.secret,
  ]);
  return REFRESH_PREFIX + base64url(Buffer.concat([body, tagOf(keys, body)]));
};

const takeParts = (body: Buffer, from: number, count: number): { readonly parts: readonly string[]; readonly end: number } | null => {
  const parts: string[] = [];
  let at = from;
  for (let n = 0; n < count; n++) {
    const length = body[at];
    if (length === undefined || at + 1 + length > body.length) return null;
    parts.push(body.toString('utf8', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { parts, end: at };
};

/** What a token says, or null where we did not make it: a forged, cut or changed one costs no I/O and changes nothing. */
export const readRefreshToken = (keys: RefreshKeys, text: string): RefreshToken | null => {
  if (text.length > MAX_TEXT || !text.startsWith(REFRESH_PREFIX)) return null;
  const bytes = fromBase64url(text.slice(REFRESH_PREFIX.length));
  if (bytes === null || bytes.length <= TAG_BYTES) return null;
  const body = bytes.subarray(0, -TAG_BYTES);
  if (!equalBytes(tagOf(keys, body), bytes.subarray(-TAG_BYTES)) || body[0] !== VERSION) return null;
  const taken = takeParts(body, 1, 3);
  if (taken === null || body.length !== taken.end + 4 + SECRET_BYTES) return null;
  const [tenantId = '', userId = '', familyId = ''] = taken.parts;
  return { tenantId, userId, familyId, generation: body.readUInt32BE(taken.end), secret: body.subarray(taken.end + 4) };
};

/** How a token is stored: keyed, so that a stolen table proves nothing. */
export const hashOf = (keys: RefreshKeys, token: RefreshToken): Buffer =>
  hmacSha256(keys.hash, lengthPrefixed([token.tenantId, token.familyId, String(token.generation), token.secret]));

/**
 * The one successor of a token under a salt: whoever presents the same token gets the same successor, and neither the
 * database (it has no secret) nor the presented token alone (it has no key and no salt) can make it.
 */
export const successorOf = (keys: RefreshKeys, presented: RefreshToken, salt: Uint8Array): RefreshToken => ({
  ...presented,
  generation: presented.generation + 1,
  secret: hmacSha256(
    keys.successor,
    lengthPrefixed([presented.tenantId, presented.familyId, String(presented.generation + 1), salt, presented.secret]),
  ),
});
