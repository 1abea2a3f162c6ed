// Joins the signing keys: where they are kept, what signs with them, and when the next one takes over.
import { CLOCK_SKEW, minutes, type Millis } from '../../base/time.ts';
import type { Values } from '../../server/config/field.ts';
import type { Platform } from '../../server/platform.ts';
import type { tokensConfig } from '../tokens.config.ts';
import { MAX_GRACE } from '../verify.ts';
import { PROPAGATION } from '../watermark.ts';
import { keyEvent } from './key-event.ts';
import { readKeyFiles } from './key-files.fs.ts';
import type { Keyring } from './keyring.ts';
import { keepKeys, listKeys, revokeKey, type RotateDeps, rotateKey } from './rotate-keys.ts';
import * as jose from './signer.jose.ts';
import type { SigningDevice } from './signing-device.ts';
import { createSigningKeys } from './signing-keys.postgres.ts';
import { createKeyLoader, type SigningKeysDeps } from './signing-keys.ts';

export interface KeysWire {
  readonly rotateKey: ReturnType<typeof rotateKey>;
  readonly revokeKey: ReturnType<typeof revokeKey>;
  readonly listKeys: ReturnType<typeof listKeys>;
  /** Makes or loads the keys. */
  start(): Promise<void>;
}

/**
 * Before the feed starts.
 * @param longest the longest life of a token that they sign.
 * @param device signs in place of the stored key, which stands in for it.
 */
export const wireKeys = (
  { clock, feed, sealer, db, log, metrics, every, writeInstallation }: Platform,
  config: Values<typeof tokensConfig>,
  { keyring, longest, device }: { readonly keyring: Keyring; readonly longest: Millis; readonly device: SigningDevice | null },
): KeysWire => {
  const deps: SigningKeysDeps = {
    clock,
    keys: createSigningKeys(db, writeInstallation),
    jose,
    sealer,
    keyring,
    algorithm: config.algorithm,
    policy: {
      rotation: config.keyRotation,
      ahead: config.keyAhead,
      overlap: longest + MAX_GRACE + CLOCK_SKEW + PROPAGATION,
      told: PROPAGATION,
    },
    files: () => readKeyFiles(config.privateKeyPath, config.publicKeyPath),
    device,
    warn: (message, fields) => log.warn(fields, message),
    event: keyEvent,
  };
  const loader = createKeyLoader(deps);
  const reload = (): Promise<void> =>
    loader.load(false).catch((cause: unknown) => log.error({ cause }, 'signing keys could not be loaded again; the old ones stay'));
  const rotation: RotateDeps = { ...deps, feed, fromFiles: config.privateKeyPath !== '' };
  feed.on(['signing_key'], (change) => {
    if (change.until !== null) keyring.revoke({ ...change, until: change.until });
    void reload();
  });
  every('tokens.keys', minutes(1), reload);
  every('tokens.key_life', minutes(1), keepKeys(rotation), true);
  const age = (): Millis => clock.now() - (loader.signingSince() ?? clock.now());
  metrics.gauge('securityhub_signing_key_age_seconds', 'Since when the key signs that signs now.', {}, () => age() / 1000);
  return {
    rotateKey: rotateKey(rotation),
    revokeKey: revokeKey(rotation),
    listKeys: listKeys(rotation),
    start: () => loader.load(true),
  };
};
