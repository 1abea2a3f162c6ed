// Door of the encryption capability: seal and open callers' data under keys of their tenant, and manage those keys.
import type { Call, MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import type { Sealer } from '../base/sealer.ts';
import type { Clock, Instant, Millis } from '../base/time.ts';
import type { Log, Metrics } from '../server/platform.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { CreateTracked, Tx, Write } from '../storage/storage.ts';
import { createKey } from './create-key.ts';
import { createDecrypt } from './decrypt.ts';
import { createEncrypt } from './encrypt.ts';
import type { EncryptionKey, KeyStatus, KeyWithVersions, StoredKey } from './key.ts';
import { createKeyring } from './keyring.ts';
import { changeStatus } from './change-status.ts';
import { createLeases } from './leases.ts';
import { findKey, listKeys } from './read-keys.ts';
import { rotateDue, rotateKey } from './rotate-key.ts';

/** A key by name, by id, or by both; both '' where that means the default. */
export interface KeyName {
  readonly name: string;
  readonly id: string;
}

/** What the data is and whose; the same must be given to open it. '' for the tenant means the caller's. */
export interface DataContext {
  readonly tenantId: TenantId;
  readonly classification: string;
  readonly purpose: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface EncryptInput {
  readonly plaintext: Uint8Array;
  readonly key: KeyName;
  /** '' means the key's own. */
  readonly algorithm: string;
  readonly context: DataContext;
  readonly associatedData: Uint8Array;
}

export interface DecryptInput {
  readonly ciphertext: Buffer;
  readonly context: DataContext;
  readonly associatedData: Uint8Array;
}

export interface Encrypted {
  readonly ciphertext: Buffer;
  readonly key: EncryptionKey;
  readonly version: number;
  readonly algorithm: string;
}

export interface Decrypted {
  readonly plaintext: Buffer;
  readonly key: EncryptionKey;
  readonly version: number;
  readonly needsRewrap: boolean;
}

/** A key after a change, and the number of that change. */
export interface Changed {
  readonly key: KeyWithVersions;
  readonly revision: number;
}

export interface NewKey {
  readonly name: string;
  readonly purpose: string;
  /** '' means XAES-256-GCM. */
  readonly algorithm: string;
  readonly rotationPeriod: Millis | null;
  readonly idempotencyKey: string;
}

/** The port to the keys at rest. Members with `tx` run inside a change's transaction. */
export interface KeyStore {
  /** Names and ids of all keys of a tenant. */
  names(tenantId: TenantId): Promise<readonly KeyName[]>;
  load(tenantId: TenantId, keyId: string): Promise<StoredKey | null>;
  find(tenantId: TenantId, key: KeyName): Promise<KeyWithVersions | null>;
  /** By name, after the name `after`. */
  list(tenantId: TenantId, status: string, after: string, limit: number): Promise<readonly KeyWithVersions[]>;
  /** `uses` more for a version's AES-256-GCM; false when that would go beyond `limit`. */
  leaseUses(tenantId: TenantId, keyId: string, version: number, uses: number, limit: number): Promise<boolean>;
  /** Enabled keys whose time has come, of every tenant. */
  due(now: Instant, limit: number): Promise<readonly { readonly tenantId: TenantId; readonly keyId: string }[]>;

  /** The tenant's sealed key: the given one where none stood. */
  keepTenantKey(tx: Tx, tenantId: TenantId, sealed: Buffer, now: Instant): Promise<Buffer>;
  count(tx: Tx, tenantId: TenantId): Promise<number>;
  /** False when the name is taken. */
  insert(tx: Tx, key: EncryptionKey): Promise<boolean>;
  insertVersion(tx: Tx, key: Pick<EncryptionKey, 'tenantId' | 'id'>, version: number, sealed: Buffer, now: Instant): Promise<void>;
  /** The row is locked until the transaction ends. */
  lock(tx: Tx, tenantId: TenantId, key: KeyName): Promise<EncryptionKey | null>;
  update(tx: Tx, key: EncryptionKey): Promise<void>;
}

export interface EncryptionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sealer: Sealer;
  readonly pager: Pager;
  readonly tracked: CreateTracked;
  readonly write: Write;
  readonly claim: ClaimIdempotency;
  readonly store: KeyStore;
  /** Does the caller hold the permission now? */
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
  /** Name of the tenant's default key; '' where the tenant names none. */
  readonly defaultKeyName: (tenantId: TenantId) => MaybePromise<string>;
  /** How often keys made on first use are rotated; null = never. */
  readonly defaultRotation: Millis | null;
}

/**
 * Faults of every member: PERMISSION_DENIED (PERMISSION_MISSING, TENANT_FORBIDDEN, KEY_FORBIDDEN), UNAVAILABLE. `tenantId` of the managing
 * members is already checked against the caller.
 */
export interface Encryption {
  /** At once when the key is warm. NOT_FOUND / KEY_NOT_FOUND, FAILED_PRECONDITION / KEY_NOT_USABLE, INVALID_ARGUMENT / ALGORITHM_UNKNOWN. */
  encrypt(input: EncryptInput, call: Call): MaybePromise<Encrypted>;
  /** At once when the key is warm. INVALID_ARGUMENT / DECRYPTION_FAILED for whatever does not open; FAILED_PRECONDITION / KEY_NOT_USABLE. */
  decrypt(input: DecryptInput, call: Call): MaybePromise<Decrypted>;
  /** ALREADY_EXISTS / KEY_EXISTS, INVALID_ARGUMENT / ALGORITHM_UNKNOWN, RESOURCE_EXHAUSTED / QUOTA_EXCEEDED. */
  createKey(tenantId: TenantId, key: NewKey, call: Call): Promise<Changed>;
  /** NOT_FOUND / KEY_NOT_FOUND. */
  getKey(tenantId: TenantId, key: KeyName): Promise<KeyWithVersions>;
  listKeys(
    tenantId: TenantId,
    status: string,
    pageSize: number,
    pageToken: string,
  ): Promise<{ readonly keys: readonly KeyWithVersions[]; readonly nextPageToken: string }>;
  /** NOT_FOUND / KEY_NOT_FOUND, FAILED_PRECONDITION / KEY_NOT_USABLE unless the key is enabled. */
  rotateKey(tenantId: TenantId, key: KeyName, idempotencyKey: string, call: Call): Promise<Changed>;
  /** NOT_FOUND / KEY_NOT_FOUND, FAILED_PRECONDITION / KEY_NOT_USABLE when it is destroyed. */
  changeStatus(tenantId: TenantId, key: KeyName, status: Exclude<KeyStatus, 'destroyed'>, reason: string, call: Call): Promise<Changed>;
  /** Rotates what is due, of every tenant; how many. Under a lease. */
  rotateDue(): Promise<number>;
}

export const createEncryption = (deps: EncryptionDeps): Encryption => {
  const keyring = createKeyring(deps);
  const leases = createLeases(deps);
  return {
    encrypt: createEncrypt(deps, keyring, leases),
    decrypt: createDecrypt(deps, keyring),
    createKey: createKey(deps),
    getKey: findKey(deps),
    listKeys: listKeys(deps),
    rotateKey: rotateKey(deps),
    changeStatus: changeStatus(deps),
    rotateDue: rotateDue(deps),
  };
};
