// Signing keys in use: made once at the first start, loaded by every replica, believed until retired, revoked for good.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { equalBytes } from '../../base/bytes.ts';
import type { AuditEntry } from '../../base/event.ts';
import { Fault } from '../../base/fault.ts';
import type { Sealer } from '../../base/sealer.ts';
import type { Clock, Instant } from '../../base/time.ts';
import type { Algorithm } from '../jws.ts';
import {
  activeOf,
  type FreshKey,
  freshKey,
  type KeyChange,
  type KeyPolicy,
  predecessorOf,
  readyAt,
  type Step,
  type StoredKey,
  seen,
} from './key-life.ts';
import { isAccepted, type Keyring, type PublicJwk, type Signer, type VerificationKey } from './keyring.ts';
import { deviceSigner, type SigningDevice, withBackup } from './signing-device.ts';

export interface Decision<T> {
  readonly result: T;
  /** null: everything stays. */
  readonly change: KeyChange | null;
  /** Tell everybody, also those who verify by themselves, to refuse it until then. */
  readonly revokes?: { readonly kid: string; readonly until: Instant };
  readonly events: readonly AuditEntry[];
}

/** Port: the keys of the installation. */
export interface SigningKeys {
  list(): Promise<readonly StoredKey[]>;
  /** Decides on all keys as they stand while nobody else does, and stores what was decided, in one transaction. */
  decide<T>(decide: (keys: readonly StoredKey[]) => Decision<T>): Promise<{ readonly result: T; readonly revision: number }>;
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
  readonly clock: Clock;
  readonly keys: SigningKeys;
  readonly jose: Jose;
  readonly sealer: Sealer;
  readonly keyring: Keyring;
  readonly algorithm: Algorithm;
  readonly policy: KeyPolicy;
  /** Read anew at every load; null where none are named. */
  readonly files: () => KeyFiles | null;
  /** Holds a key that we never see; the stored one stands in for it. */
  readonly device: SigningDevice | null;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly event: (step: Step, kid: string) => AuditEntry;
}

/** What a private key is sealed for: it opens under no other kid. */
const PURPOSE = 'signing-key';

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const assertPair = (files: KeyFiles): void => {
  if (files.publicKey !== null && !equalBytes(spki(createPublicKey(files.privateKey)), spki(files.publicKey)))
    throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_MISMATCH', 'JWT_PUBLIC_KEY_PATH is not the public half of JWT_PRIVATE_KEY_PATH');
};

/** A new key of ours, not stored yet. */
export const makeKey = async ({ jose, sealer, algorithm }: Pick<SigningKeysDeps, 'jose' | 'sealer' | 'algorithm'>): Promise<FreshKey> => {
  const key = await jose.makePrivateKey(algorithm);
  const { kid, jwk } = (await jose.signingKey(key, algorithm)).verification;
  return { kid, algorithm, source: 'stored', publicJwk: jwk, privateSealed: sealer.seal(PURPOSE, kid, jose.exportPrivate(key)) };
};

const makeFirst = async (deps: SigningKeysDeps): Promise<void> => {
  const made = await makeKey(deps);
  await deps.keys.decide((keys) =>
    activeOf(keys) === undefined
      ? {
          result: null,
          change: { step: 'activated', puts: [freshKey(made, 'active', deps.clock.now())] },
          events: [deps.event('activated', made.kid)],
        }
      : { result: null, change: null, events: [] },
  );
};

const openStored = async ({ jose, sealer }: SigningKeysDeps, key: StoredKey): Promise<Signer> => {
  const { signer } = await jose.signingKey(
    jose.importPrivate(sealer.open(PURPOSE, key.kid, key.privateSealed ?? Buffer.alloc(0))),
    key.algorithm,
  );
  if (signer.kid !== key.kid)
    throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_MISMATCH', 'a stored signing key is not what its id says');
  return signer;
};

/** A key whose private half is not ours to keep. */
interface Held {
  readonly verification: VerificationKey;
  readonly signer: Signer;
}

const holdFiles = async (deps: SigningKeysDeps): Promise<Held | null> => {
  const files = deps.files();
  if (files === null) return null;
  assertPair(files);
  return deps.jose.signingKey(files.privateKey, deps.algorithm);
};

const holdDevice = async ({ device, jose, warn }: SigningKeysDeps): Promise<Held | null> => {
  if (device === null) return null;
  try {
    const verification = await jose.verificationKey(await device.publicKey(), device.algorithm);
    return { verification, signer: deviceSigner(device, verification) };
  } catch (cause) {
    warn('the signing device does not answer: the stored key signs', { cause });
    return null;
  }
};

/** Says that we have it, and answers how it stands. Others must know its public half before anybody sees a token of it. */
const show = async (deps: SigningKeysDeps, { verification }: Held, signs: boolean): Promise<StoredKey | undefined> => {
  const { kid, algorithm, jwk } = verification;
  const key: FreshKey = { kid, algorithm, source: 'held', publicJwk: jwk, privateSealed: null };
  const { result } = await deps.keys.decide((keys) => {
    const change = seen(keys, key, deps.clock.now(), signs);
    const now = change?.puts[0] ?? keys.find((one) => one.kid === kid);
    return { result: now, change, events: change === null || change.step === 'seen' ? [] : [deps.event(change.step, kid)] };
  });
  return result;
};

/** Signs with the active key, but while that may be news to a replica with the one before it: what one replica signs, all verify. */
const openActive = async (deps: SigningKeysDeps, stored: readonly StoredKey[], active: StoredKey): Promise<Signer> => {
  const signer = await openStored(deps, active);
  const { clock, policy } = deps;
  const from = (active.publishedAt ?? clock.now()) + policy.told;
  const before = predecessorOf(stored, active);
  if (before === undefined || from <= clock.now()) return signer;
  const predecessor = await openStored(deps, before);
  return { ...signer, sign: (type, payload) => (clock.now() < from ? predecessor : signer).sign(type, payload) };
};

export interface KeyLoader {
  load(first: boolean): Promise<void>;
  /** Since when the key signs that signs now; null while none does. */
  signingSince(): Instant | null;
}

const beganToSign = ({ activatedAt, publishedAt, createdAt }: StoredKey): Instant => activatedAt ?? publishedAt ?? createdAt;

/** Loads the installation's keys into the ring, again and again; remembers what signs meanwhile. */
export const createKeyLoader = (deps: SigningKeysDeps): KeyLoader => {
  const { keys, jose, keyring, clock, policy, warn } = deps;
  let holding: Held | null = null;
  let complained = '';
  let listed: readonly StoredKey[] = [];

  const complain = (message: string, kid: string): void => {
    if (complained !== message + kid) warn(message, { kid });
    complained = message + kid;
  };

  /** A replaced file signs once verifiers have had the time to see its key; at a start there is nothing else to sign with. */
  const held = async (own: Held): Promise<Held | null> => {
    const before = holding === null || holding.signer.kid === own.signer.kid ? null : holding;
    const known = await show(deps, own, before === null);
    const last = before !== null && (await show(deps, before, true))?.revokedAt === null ? before : null;
    if (known === undefined || known.revokedAt !== null) {
      complain('the signing key that we were given was revoked: replace it', own.signer.kid);
      holding = last;
    } else if (last !== null && clock.now() < readyAt(known, policy)) holding = last;
    else {
      if (before !== null) await show(deps, own, true);
      holding = own;
    }
    return holding;
  };

  const accepted = (stored: readonly StoredKey[]): Promise<VerificationKey[]> =>
    Promise.all(
      stored.filter((key) => isAccepted(key.state)).map((key) => jose.verificationKey(jose.importPublic(key.publicJwk), key.algorithm)),
    );

  const loadOnce = async (first: boolean): Promise<void> => {
    const files = await holdFiles(deps);
    const device = files === null ? await holdDevice(deps) : null;
    const own = files ?? device;
    const signs = own === null ? null : await held(own);
    let stored = await keys.list();
    if (first && files === null && activeOf(stored) === undefined) {
      await makeFirst(deps);
      stored = await keys.list();
    }
    listed = stored;
    const believed = await accepted(stored);
    const active = activeOf(stored);
    if (files !== null) return keyring.replace(believed, signs?.signer ?? null);
    if (active === undefined) throw new Fault('UNAVAILABLE', 'SIGNING_KEY_MISSING', 'no signing key is active');
    const backup = await openActive(deps, stored, active);
    keyring.replace(
      believed,
      signs === null
        ? backup
        : withBackup({
            primary: signs.signer,
            backup,
            clock,
            onFailure: (cause) => warn('the signing device failed: the stored key signs', { cause }),
          }),
    );
  };

  // One at a time: what was read earlier must not replace what was read later.
  let last: Promise<void> = Promise.resolve();
  return {
    load(first) {
      const turn = (): Promise<void> => loadOnce(first);
      last = last.then(turn, turn);
      return last;
    },
    signingSince() {
      const kid = keyring.signer()?.kid;
      const key = listed.find((one) => one.kid === kid);
      return key === undefined ? null : beganToSign(key);
    },
  };
};
