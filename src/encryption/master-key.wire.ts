// Opens the master key: found, checked for strength and mode, and closed again inside the sealer that everybody is wired with.
import type { Random } from '../base/random.ts';
import type { Sealer } from '../base/sealer.ts';
import type { Values } from '../server/config/field.ts';
import type { Database } from '../storage/storage.ts';
import type { encryptionConfig } from './encryption.config.ts';
import { loadMasterKey } from './master-key.file.ts';
import { checkMasterKey, knowsMasterKey } from './master-key.postgres.ts';
import { createSealer } from './sealer.ts';

export interface OpenedMasterKey extends Sealer {
  /** Made by us for an embedded database. */
  readonly dev: boolean;
  /** Before anything is sealed or opened: FAILED_PRECONDITION / MASTER_KEY_MISMATCH for a database made with another master key. */
  check(db: Database): Promise<void>;
  /** False for a database made with another master key; true where none was used yet. Changes nothing. */
  fits(db: Database): Promise<boolean>;
}

/** The parts of the configuration that decide where the key comes from. */
export interface MasterKeyConfig {
  readonly encryption: Pick<Values<typeof encryptionConfig>, 'keyPath' | 'key'>;
  readonly server: { readonly dataDir: string; readonly environment: string };
  readonly storage: { readonly postgresUri: string };
}

/** FAILED_PRECONDITION with the next step where there is no good master key. */
export const openMasterKey = ({ encryption, server, storage }: MasterKeyConfig, random: Pick<Random, 'bytes'>): OpenedMasterKey => {
  const { bytes, dev } = loadMasterKey(
    {
      path: encryption.keyPath,
      value: encryption.key,
      dataDir: server.dataDir,
      embedded: storage.postgresUri === '',
      production: server.environment === 'production',
    },
    random,
  );
  const sealer = createSealer(bytes, random);
  return { ...sealer, dev, check: (db) => checkMasterKey(db, sealer), fits: (db) => knowsMasterKey(db, sealer) };
};
