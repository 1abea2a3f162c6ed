// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived from half of a 192-bit random nonce,
// so that nonces may be drawn at random for 2^80 messages a key. And AES-256-GCM itself, with 96-bit nonces and 128-bit tags only.
import { type Cipheriv, createCipheriv, createDecipheriv } from 'node:crypto';

/** An AEAD under one key. `open` answers null for whatever does not open. */
export interface Aead {
  readonly nonceSize: number;
  /** Ciphertext and tag. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): readonly [Buffer, Buffer];
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | null;
}

const TAG_SIZE = 16;
const KEY_SIZE = 32;

const seal = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): readonly [Buffer, Buffer] => {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return [ciphertext, cipher.getAuthTag()];
};

const open = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | null => {
  if (sealed.length < TAG_SIZE) return null;
  const end = sealed.length - TAG_SIZE;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_SIZE });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
    return plaintext;
  } catch {
    // Not authentic: nothing of it may be seen.
    plaintext.fill(0);
    return null;
  }
};

const checked = (key: Uint8Array): Uint8Array => {
  if (key.length !== KEY_SIZE) throw new RangeError(`an AES-256 key has ${KEY_SIZE} bytes`);
  return key;
};

const checkedNonce = (nonce: Uint8Array, size: number): Uint8Array => {
  if (nonce.length !== size) throw new RangeError(`the nonce must have ${size} bytes`);
  return nonce;
};

/** NIST SP 800-38D. Random nonces: at most 2^32 messages a key, which whoever holds the key must count. */
export const aesGcm = (key: Uint8Array): Aead => {
  const k = Buffer.from(checked(key));
  return {
    nonceSize: 12,
    seal: (nonce, aad, plaintext) => seal(k, checkedNonce(nonce, 12), aad, plaintext),
    open: (nonce, aad, sealed) => open(k, checkedNonce(nonce, 12), aad, sealed),
  };
};

// Steps 1 and 2 of the specification: the CMAC subkey K1, once a key.
const cmacSubkey = (ecb: Cipheriv): Buffer => {
  const l = ecb.update(Buffer.alloc(16));
  const k1 = Buffer.alloc(16);
  for (let i = 0; i < 16; i += 1) k1[i] = ((l[i] ?? 0) << 1) | ((l[i + 1] ?? 0) >> 7);
  if ((l[0] ?? 0) >= 0x80) k1[15] = (k1[15] ?? 0) ^ 0x87;
  return k1;
};

export const xaes = (key: Uint8Array): Aead => {
  // ECB keeps no state between blocks, so one cipher serves every derivation under this key (and saves 2 µs a message).
  const ecb = createCipheriv('aes-256-ecb', checked(key), null);
  ecb.setAutoPadding(false);
  const k1 = cmacSubkey(ecb);
  // M1 ⊕ K1 and M2 ⊕ K1 but for the nonce: 0x00 ‖ counter ‖ 'X' ‖ 0x00 ‖ N[:12].
  const template = Buffer.concat([k1, k1]);
  for (const [at, counter] of [
    [0, 1],
    [16, 2],
  ] as const) {
    template[at + 1] = (template[at + 1] ?? 0) ^ counter;
    template[at + 2] = (template[at + 2] ?? 0) ^ 0x58;
  }
  const blocks = Buffer.alloc(32);
  const derive = (nonce: Uint8Array): Buffer => {
    template.copy(blocks);
    for (let i = 0; i < 12; i += 1) {
      const byte = nonce[i] ?? 0;
      blocks[4 + i] = (blocks[4 + i] ?? 0) ^ byte;
      blocks[20 + i] = (blocks[20 + i] ?? 0) ^ byte;
    }
    return ecb.update(blocks);
  };
  return {
    nonceSize: 24,
    seal: (nonce, aad, plaintext) => seal(derive(checkedNonce(nonce, 24)), nonce.subarray(12), aad, plaintext),
    open: (nonce, aad, sealed) => open(derive(checkedNonce(nonce, 24)), nonce.subarray(12), aad, sealed),
  };
};
