// Fernet tokens (https://github.com/fernet/spec/blob/master/Spec.md): for callers that move here with readers of that format.
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { equalBytes, hmacSha256 } from '../base/bytes.ts';
import type { Instant } from '../base/time.ts';

const VERSION = 0x80;
// version ‖ timestamp ‖ iv ‖ at least one block ‖ mac
const SHORTEST = 1 + 8 + 16 + 16 + 32;

/** Token text (padded base64url). `key` is the signing half, then the encryption half, 16 bytes each; `iv` is 16 random bytes. */
export const fernetSeal = (key: Uint8Array, iv: Uint8Array, now: Instant, plaintext: Uint8Array): string => {
  const cipher = createCipheriv('aes-128-cbc', key.subarray(16, 32), iv);
  const head = Buffer.alloc(9);
  head[0] = VERSION;
  head.writeBigUInt64BE(BigInt(Math.floor(now / 1000)), 1);
  const signed = Buffer.concat([head, iv, cipher.update(plaintext), cipher.final()]);
  const token = Buffer.concat([signed, hmacSha256(key.subarray(0, 16), signed)]).toString('base64url');
  return token.padEnd(Math.ceil(token.length / 4) * 4, '=');
};

/** The plaintext, or null for whatever is not a token under this key. A token has no end here: keys have. */
export const fernetOpen = (key: Uint8Array, token: string): Buffer | null => {
  const bytes = Buffer.from(token, 'base64url');
  const canonical = bytes.toString('base64url');
  if (token !== canonical.padEnd(Math.ceil(canonical.length / 4) * 4, '=')) return null;
  if (bytes.length < SHORTEST || bytes[0] !== VERSION) return null;
  const end = bytes.length - 32;
  if (!equalBytes(hmacSha256(key.subarray(0, 16), bytes.subarray(0, end)), bytes.subarray(end))) return null;
  if ((end - 25) % 16 !== 0) return null;
  const decipher = createDecipheriv('aes-128-cbc', key.subarray(16, 32), bytes.subarray(9, 25));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(25, end)), decipher.final()]);
  } catch {
    return null;
  }
};
