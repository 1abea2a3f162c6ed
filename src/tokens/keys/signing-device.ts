// A device that signs with a key it never shows: a hardware module, a process of its own. When it fails, another key signs instead.
import type { KeyObject } from 'node:crypto';
import { type Fault, unavailable } from '../../base/fault.ts';
import type { Clock, Millis } from '../../base/time.ts';
import type { Algorithm } from '../jws.ts';
import type { Signer, VerificationKey } from './keyring.ts';
import { signatureHolds } from '../signature.ts';

/** Port: one private key. It may answer slowly, wrongly or never. */
export interface SigningDevice {
  readonly algorithm: Algorithm;
  publicKey(): Promise<KeyObject>;
  /** The signature as JWS wants it (RFC 7518 §3; for ES256 the 64 bytes of R and S). */
  sign(input: Uint8Array): Promise<Uint8Array>;
}

const PATIENCE: Millis = 1000;
/** After a failure the device is left alone for so long. */
const PAUSE: Millis = 10_000;

const base64url = (bytes: Uint8Array | string): string =>
  (typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('base64url');

const failed = (what: string): Fault => unavailable('SIGNING_KEY_MISSING', `the signing device ${what}`);

const within = <T>(work: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failed(`did not answer within ${PATIENCE} ms`)), PATIENCE);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });

/** JWS compact serialisation (RFC 7515 §7.1) with a signature from elsewhere, which is looked at: nobody gets a token that verifies nowhere. */
export const deviceSigner = (device: SigningDevice, { kid, algorithm, key }: VerificationKey): Signer => ({
  kid,
  algorithm,
  async sign(typ, payload) {
    const input = `${base64url(JSON.stringify({ alg: algorithm, typ, kid }))}.${base64url(JSON.stringify(payload))}`;
    const signature = await within(device.sign(Buffer.from(input, 'latin1')));
    if (!signatureHolds(algorithm, key, input, signature)) throw failed('gave a signature that does not hold');
    return `${input}.${base64url(signature)}`;
  },
});

export interface BackupOptions {
  readonly primary: Signer;
  /** Another key, known to verifiers as well. */
  readonly backup: Signer;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onFailure: (cause: unknown) => void;
}

/** Signs with the primary; where that fails, and for a while afterwards, with the backup. Each token names the key it was signed with. */
export const withBackup = ({ primary, backup, clock, onFailure }: BackupOptions): Signer => {
  let pausedUntil = Number.NEGATIVE_INFINITY;
  return {
    kid: primary.kid,
    algorithm: primary.algorithm,
    async sign(type, payload) {
      if (clock.monotonic() < pausedUntil) return backup.sign(type, payload);
      try {
        return await primary.sign(type, payload);
      } catch (cause) {
        pausedUntil = clock.monotonic() + PAUSE;
        onFailure(cause);
        return backup.sign(type, payload);
      }
    },
  };
};
