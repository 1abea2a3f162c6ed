// The life of signing keys: made once at the first start, loaded by every replica, believed until retired.
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Sealer } from '../base/sealer.ts';
import { equalBytes } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Algorithm } from './jws.ts';
import type { Keyring, KeyState, PublicJwk, Signer, VerificationKey } from './keyring.ts';
import { isAccepted } from './keyring.ts';

export interface StoredKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly state: KeyState;
  readonly publicJwk: PublicJwk;
  readonly privateSealed: Buffer;
}

/** Port: the keys of the installation. */
export interface SigningKeys {
  /** Those that are accepted, with their states. */
  load(): Promise<readonly StoredKey[]>;
  /** Stores the first active key unless there is one: the database decides between replicas that start together. */
  offerFirst(key: Omit<StoredKey, 'state'>): Promise<void>;
}

/** Port: keys and signatures as JOSE knows them. */
export interface Jose {
  makePrivateKey(algorithm: Algorithm): Promise<KeyObject>;
  exportPrivate(key: KeyObject): Buffer;
  importPrivate(der: Buffer): KeyObject;
  importPublic(jwk: PublicJwk): KeyObject;
  verificationKey(key: KeyObject, algorithm: Algorithm): Promise<VerificationKey>;
  signingKey(key: KeyObject, algorithm: Algorithm): Promise<{ readonly signer: Signer; readonly verification: VerificationKey }>;
}

/** A key pair from files: it signs instead of the stored one. */
export interface KeyFiles {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject | null;
}

export interface SigningKeysDeps {
  readonly keys: SigningKeys;
  readonly jose: Jose;
  readonly sealer: Sealer;
  readonly keyring: Keyring;
  readonly algorithm: Algorithm;
  readonly files: KeyFiles | null;
}

/** What a private key is sealed for: it opens under no other kid. */
const PURPOSE = 'signing-key';

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const assertPair = (files: KeyFiles): void => {
  if (files.publicKey !== null && !equalBytes(spki(createPublicKey(files.privateKey)), spki(files.publicKey)))
    throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_MISMATCH', 'JWT_PUBLIC_KEY_PATH is not the public half of JWT_PRIVATE_KEY_PATH');
};

const makeFirst = async ({ keys, jose, sealer, algorithm }: SigningKeysDeps): Promise<void> => {
  const key = await jose.makePrivateKey(algorithm);
  const { kid, jwk } = (await jose.signingKey(key, algorithm)).verification;
  await keys.offerFirst({ kid, algorithm, publicJwk: jwk, privateSealed: sealer.seal(PURPOSE, kid, jose.exportPrivate(key)) });
};

/** Puts into the ring what the installation accepts now. Makes the first key where `first` is asked for and none signs. */
export const loadSigningKeys = async (deps: SigningKeysDeps, first: boolean): Promise<void> => {
  const { keys, jose, sealer, keyring, files } = deps;
  let stored = await keys.load();
  const active = () => stored.find((key) => key.state === 'active');
  if (active() === undefined && files === null && first) {
    await makeFirst(deps);
    stored = await keys.load();
  }
  const accepted = await Promise.all(
    stored.filter((key) => isAccepted(key.state)).map((key) => jose.verificationKey(jose.importPublic(key.publicJwk), key.algorithm)),
  );
  if (files !== null) {
    assertPair(files);
    const own = await jose.signingKey(files.privateKey, deps.algorithm);
    keyring.replace([own.verification, ...accepted.filter((key) => key.kid !== own.signer.kid)], own.signer);
    return;
  }
  const signs = active();
  if (signs === undefined) throw new Fault('UNAVAILABLE', 'SIGNING_KEY_MISSING', 'no signing key is active');
  const own = await jose.signingKey(jose.importPrivate(sealer.open(PURPOSE, signs.kid, signs.privateSealed)), signs.algorithm);
  if (own.signer.kid !== signs.kid)
    throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_MISMATCH', 'a stored signing key is not what its id says');
  keyring.replace(accepted, own.signer);
};
