// Random bytes and ids. A port, so that pure code takes them as an argument.
import { randomBytes } from 'node:crypto';

export interface Random {
  bytes(size: number): Buffer;
  /** `prefix_` + 22 base62 characters: 131 random bits, no separators inside. */
  id(prefix: string): string;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Base62 of random bytes by rejection, so that every character is equally likely. */
export const base62 = (length: number, bytes: (size: number) => Buffer): string => {
  let out = '';
  while (out.length < length) {
    for (const byte of bytes(length + 8)) {
      if (byte < 248 && out.length < length) out += ALPHABET[byte % 62];
    }
  }
  return out;
};

export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  id: (prefix) => `${prefix}_${base62(22, randomBytes)}`,
};
