// A ciphertext says which key opens it: header, nonce, sealed bytes. The header is authenticated with the rest.

export const ALGORITHMS = ['XAES-256-GCM', 'AES-256-GCM', 'FERNET'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export const isAlgorithm = (name: string): name is Algorithm => (ALGORITHMS as readonly string[]).includes(name);

export interface Header {
  readonly algorithm: Algorithm;
  readonly keyId: string;
  readonly version: number;
}

// "SH", format 1.
const MAGIC = Buffer.from([0x53, 0x48, 0x01]);
const FIXED = MAGIC.length + 1 + 1 + 4;
const KEY_ID = /^ek_[0-9A-Za-z]{1,61}$/;

/** `"SH"` ‖ 0x01 ‖ algorithm (1, 2, 3) ‖ length of the key id ‖ key id ‖ version (4 bytes, big-endian). */
export const writeHeader = (header: Header): Buffer => {
  const id = Buffer.from(header.keyId, 'latin1');
  const out = Buffer.alloc(FIXED + id.length);
  MAGIC.copy(out);
  out[3] = ALGORITHMS.indexOf(header.algorithm) + 1;
  out[4] = id.length;
  id.copy(out, 5);
  out.writeUInt32BE(header.version, 5 + id.length);
  return out;
};

/** The header, its bytes and what follows; null where there is no header of ours. */
export const readHeader = (ciphertext: Buffer): { readonly header: Header; readonly bytes: Buffer; readonly body: Buffer } | null => {
  const algorithm = ALGORITHMS[(ciphertext[3] ?? 0) - 1];
  const end = FIXED + (ciphertext[4] ?? 0);
  if (algorithm === undefined || ciphertext.length < end || !MAGIC.equals(ciphertext.subarray(0, 3))) return null;
  const keyId = ciphertext.toString('latin1', 5, end - 4);
  if (!KEY_ID.test(keyId)) return null;
  return {
    header: { algorithm, keyId, version: ciphertext.readUInt32BE(end - 4) },
    bytes: ciphertext.subarray(0, end),
    body: ciphertext.subarray(end),
  };
};
