// Join tokens: shj_<tenant>.<id>.<secret>, where the secret ends with a tag, so that what we did not make is refused without a look-up. Pure.
import type { TenantId } from '../base/caller.ts';
import { equalBytes, fromBase64url, hmacSha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';

export const SECRET_BYTES = 24;
const TAG_BYTES = 8;

export interface JoinTokenKey {
  readonly tenantId: TenantId;
  readonly tokenId: string;
  /** What the database keeps of the secret: a keyed hash. */
  readonly secretHash: Buffer;
}

const tagOf = (key: Uint8Array, tenantId: string, tokenId: string, secret: Uint8Array): Buffer =>
  hmacSha256(key, lengthPrefixed(['join-token tag', tenantId, tokenId, secret])).subarray(0, TAG_BYTES);

const hashOf = (key: Uint8Array, tenantId: string, tokenId: string, secret: Uint8Array): Buffer =>
  hmacSha256(key, lengthPrefixed(['join-token hash', tenantId, tokenId, secret]));

export const makeJoinToken = (
  key: Uint8Array,
  tenantId: TenantId,
  tokenId: string,
  secret: Uint8Array,
): JoinTokenKey & { readonly text: string } => {
  const shown = Buffer.concat([secret, tagOf(key, tenantId, tokenId, secret)]).toString('base64url');
  return { tenantId, tokenId, secretHash: hashOf(key, tenantId, tokenId, secret), text: `shj_${tenantId}.${tokenId}.${shown}` };
};

const SHAPE = /^shj_([a-z0-9-]{1,63})\.([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_-]{43})$/;

/** null for everything that this key did not make. */
export const openJoinToken = (key: Uint8Array, text: string): JoinTokenKey | null => {
  const [, tenantId = '', tokenId = '', shown = ''] = SHAPE.exec(text) ?? [];
  const bytes = fromBase64url(shown);
  if (bytes?.length !== SECRET_BYTES + TAG_BYTES) return null;
  const secret = bytes.subarray(0, SECRET_BYTES);
  if (!equalBytes(bytes.subarray(SECRET_BYTES), tagOf(key, tenantId, tokenId, secret))) return null;
  return { tenantId, tokenId, secretHash: hashOf(key, tenantId, tokenId, secret) };
};
