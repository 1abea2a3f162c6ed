// Answers of Encrypt and Decrypt as bytes: their content is copied once, and what they say of the key is encoded once a key.
import { sizeOfVarint, tagOf, varint } from '../base/wire-bytes.ts';
import { DecryptResponse, EncryptResponse } from '../gen/securityhub/v1/security_hub.ts';
import type { Decrypted, Encrypted } from './encryption.ts';
import type { EncryptionKey } from './key.ts';

/** Field 1 of both. */
const CONTENT = tagOf(1, 2);
const NOTHING = Buffer.alloc(0);

/** Content first, then the other fields: as they would be encoded together. */
const withContent = (content: Buffer, others: Uint8Array): Buffer => {
  const { length } = content;
  // An empty field is left out (proto3).
  if (length === 0) return Buffer.from(others);
  const out = Buffer.allocUnsafe(1 + sizeOfVarint(length) + length + others.length);
  out[0] = CONTENT;
  const at = varint(out, length, 1);
  out.set(content, at);
  out.set(others, at + length);
  return out;
};

/** By key as it was loaded, so that a change to it is said at once. */
const encoded = new WeakMap<EncryptionKey, Map<string, Uint8Array>>();

const once = (key: EncryptionKey, what: string, encode: () => Uint8Array): Uint8Array => {
  let known = encoded.get(key);
  if (known === undefined) encoded.set(key, (known = new Map<string, Uint8Array>()));
  let bytes = known.get(what);
  if (bytes === undefined) known.set(what, (bytes = encode()));
  return bytes;
};

export const encryptAnswer = ({ ciphertext, key, version, algorithm }: Encrypted): Buffer =>
  withContent(
    ciphertext,
    once(key, `${algorithm} ${version}`, () =>
      EncryptResponse.encode({ ciphertext: NOTHING, keyName: key.name, keyId: key.id, keyVersion: version, algorithm }).finish(),
    ),
  );

export const decryptAnswer = ({ plaintext, key, version, needsRewrap }: Decrypted): Buffer =>
  withContent(
    plaintext,
    once(key, `opened ${version} ${needsRewrap}`, () =>
      DecryptResponse.encode({ plaintext: NOTHING, keyName: key.name, keyId: key.id, keyVersion: version, needsRewrap }).finish(),
    ),
  );
