// The text of an API key: `shk_<tenant>_<id>_<secret>_<check>`. A mistyped or made-up one is refused without any I/O.
import { crc32 } from 'node:zlib';
import { base62, type Random } from '../base/random.ts';
import { equalBytes, hmacSha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';

export interface Secret {
  readonly tenantId: TenantId;
  readonly keyId: string;
}

/** Two keys that only this installation can derive: one proves that we made a secret, the other is how it is stored. */
export interface SecretKeys {
  readonly tag: Uint8Array;
  readonly hash: Uint8Array;
}

export const PREFIX = 'shk_';
export const MAX_SECRET = 160;

const ID_LENGTH = 22;
// 28 base62 characters: 166 random bits.
const SECRET_LENGTH = 28;
const TAG_BYTES = 8;
const SHAPE = /^shk_([a-z0-9-]{1,63})_([0-9A-Za-z]{22})_([0-9A-Za-z]{28})_([0-9a-f]{8})([0-9a-f]{16})$/;

const checksum = (body: string): string => crc32(body).toString(16).padStart(8, '0');
const tagOf = (keys: SecretKeys, body: string): Buffer => hmacSha256(keys.tag, lengthPrefixed(['api-key', body])).subarray(0, TAG_BYTES);

/** A new key's id and its text. The check is a public CRC-32 (so that scanners and typing errors need no key) and then a keyed tag. */
export const makeSecret = (keys: SecretKeys, tenantId: TenantId, random: Random): { readonly keyId: string; readonly text: string } => {
  const bytes = (size: number): Buffer => random.bytes(size);
  const id = base62(ID_LENGTH, bytes);
  const body = `${PREFIX}${tenantId}_${id}_${base62(SECRET_LENGTH, bytes)}`;
  return { keyId: `key_${id}`, text: `${body}_${checksum(body)}${tagOf(keys, body).toString('hex')}` };
};

/** Where the secret says it belongs; null when prefix, shape, checksum or tag are wrong. */
export const readSecret = (keys: SecretKeys, text: string): Secret | null => {
  if (text.length > MAX_SECRET || !text.startsWith(PREFIX)) return null;
  const match = SHAPE.exec(text);
  if (match === null) return null;
  const [, tenantId = '', id = '', , sum = '', tag = ''] = match;
  const body = text.slice(0, text.lastIndexOf('_'));
  if (checksum(body) !== sum || !equalBytes(tagOf(keys, body), Buffer.from(tag, 'hex'))) return null;
  return { tenantId, keyId: `key_${id}` };
};

/** How a secret is stored: keyed, so that a stolen table proves nothing. */
export const hashSecret = (keys: SecretKeys, text: string): Buffer => hmacSha256(keys.hash, lengthPrefixed(['api-key', text]));

/** What is shown of a secret in lists: enough to tell keys apart, too little to use. */
export const displayPrefix = (tenantId: TenantId, keyId: string): string =>
  `${PREFIX}${tenantId}_${keyId.slice('key_'.length, 'key_'.length + 6)}`;
