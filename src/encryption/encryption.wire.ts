// Joins the encryption capability with its store and its schedule. The master key is opened before: master-key.wire.ts.
import { minutes } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { createClaimIdempotency } from '../storage/idempotency.postgres.ts';
import { createEncryption, type Encryption, type EncryptionDeps } from './encryption.ts';
import type { encryptionConfig } from './encryption.config.ts';
import { encryptionServices } from './encryption.rpc.ts';
import { postgresKeys } from './keys.postgres.ts';

type Config = Values<typeof encryptionConfig>;

export type EncryptionPlatform = Pick<
  Platform,
  'clock' | 'random' | 'log' | 'metrics' | 'sealer' | 'pager' | 'db' | 'tracked' | 'write' | 'every'
>;

export const wireEncryption = (
  platform: EncryptionPlatform,
  config: Pick<Config, 'rotation'>,
  ports: Pick<EncryptionDeps, 'holds' | 'defaultKeyName'>,
): { readonly door: Encryption; readonly services: readonly Service[] } => {
  const door = createEncryption({
    ...platform,
    ...ports,
    claim: createClaimIdempotency(platform.sealer.derive('idempotency')),
    store: postgresKeys(platform.db),
    defaultRotation: config.rotation === 0 ? null : config.rotation,
  });
  platform.every(
    'encryption.rotate',
    minutes(1),
    async () => {
      await door.rotateDue();
    },
    true,
  );
  return { door, services: encryptionServices(door) };
};
