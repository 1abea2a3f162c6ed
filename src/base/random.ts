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

const BLOCK = 8192;

/** The same random bytes, drawn for many small askers at once: asking the system for a few costs as much. None is given out twice. */
export const inBlocks = ({ bytes }: Pick<Random, 'bytes'>): Random['bytes'] => {
  let block: Buffer = Buffer.alloc(0);
  let used = 0;
  return (size) => {
    if (size > BLOCK / 8) return bytes(size);
    if (used + size > block.length) {
      block = bytes(BLOCK);
      used = 0;
    }
    used += size;
    return block.subarray(used - size, used);
  };
};
