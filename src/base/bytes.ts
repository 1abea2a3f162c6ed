// Bytes: base64url, hashes, comparison in constant time, sizes.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export const kib = (n: number): number => n * 1024;
export const mib = (n: number): number => n * 1024 * 1024;

export const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Canonical unpadded base64url only (RFC 4648 §5, §3.5): what would not encode back to the same text is refused. */
export const fromBase64url = (text: string): Buffer | null => {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
};

export const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();

export const hmacSha256 = (key: Uint8Array, bytes: Uint8Array | string): Buffer => createHmac('sha256', key).update(bytes).digest();

/** Equal in constant time; unequal lengths are unequal (the length is not a secret here). */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

/** The same for texts, as their UTF-8 bytes. */
export const equalText = (a: string, b: string): boolean => equalBytes(Buffer.from(a), Buffer.from(b));
