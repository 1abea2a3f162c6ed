// The signing key from files: readable by nobody but its owner, or not used at all.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Fault } from '../../base/fault.ts';
import { openToOthers } from '../../base/private-file.ts';
import type { KeyFiles } from './signing-keys.ts';

const unusable = (name: string, path: string, what: string, cause?: unknown): Fault =>
  new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_FILE', `${name}: ${path} ${what}`, cause === undefined ? {} : { cause });

const read = (name: string, path: string, parse: (pem: Buffer) => KeyObject): KeyObject => {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (cause) {
    throw unusable(name, path, 'cannot be read', cause);
  }
  try {
    return parse(pem);
  } catch (cause) {
    throw unusable(name, path, 'holds no key in PEM', cause);
  }
};

/** null where no private key file is named. Symbolic links are followed (Kubernetes mounts secrets as links); the file's own mode counts. */
export const readKeyFiles = (privatePath: string, publicPath: string): KeyFiles | null => {
  if (privatePath === '') {
    if (publicPath !== '') throw unusable('JWT_PUBLIC_KEY_PATH', publicPath, 'is of no use without JWT_PRIVATE_KEY_PATH');
    return null;
  }
  const privateKey = read('JWT_PRIVATE_KEY_PATH', privatePath, createPrivateKey);
  if (openToOthers(statSync(privatePath), process.getuid?.()))
    throw unusable('JWT_PRIVATE_KEY_PATH', privatePath, `is open to others. Run: chmod 600 ${privatePath}`);
  return { privateKey, publicKey: publicPath === '' ? null : read('JWT_PUBLIC_KEY_PATH', publicPath, createPublicKey) };
};
