// An encryption key: what is known of it, how its versions are wrapped, and what opens and seals with it.
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import type { Instant, Millis } from '../base/time.ts';
import { createDataKey, type DataKey } from './data-key.ts';
import type { Algorithm } from './envelope.ts';
import { xaes } from './xaes.ts';

export type KeyStatus = 'enabled' | 'disabled' | 'destroyed';

export interface EncryptionKey {
  readonly tenantId: TenantId;
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
  /** Used where a request names none. */
  readonly algorithm: Algorithm;
  readonly status: KeyStatus;
  readonly primaryVersion: number;
  readonly rotationPeriod: Millis | null;
  readonly nextRotationAt: Instant | null;
  readonly createdAt: Instant;
}

export interface KeyVersion {
  readonly version: number;
  readonly createdAt: Instant;
}

export interface KeyWithVersions extends EncryptionKey {
  /** Oldest first. */
  readonly versions: readonly KeyVersion[];
}

export interface SealedVersion extends KeyVersion {
  readonly sealed: Buffer;
}

/** A key as the store keeps it, with the tenant key that its versions are sealed under. */
export interface StoredKey {
  readonly key: EncryptionKey;
  readonly versions: readonly SealedVersion[];
  readonly tenantKey: Buffer;
}

/** A key ready for use. Versions are unwrapped when they are first asked for. */
export interface UsableKey {
  readonly key: EncryptionKey;
  of(version: number): DataKey | null;
}

export const SECRET_SIZE = 32;

const binding = (tenantId: TenantId, keyId: string, version: number): Buffer =>
  lengthPrefixed(['data-key', tenantId, keyId, String(version)]);

/** A data key under its tenant's key: nonce (24) ‖ XAES-256-GCM, bound to tenant, key and version. `nonce` is 24 random bytes. */
export const wrapDataKey = (
  tenantKey: Uint8Array,
  { tenantId, keyId, version }: { readonly tenantId: TenantId; readonly keyId: string; readonly version: number },
  secret: Uint8Array,
  nonce: Buffer,
): Buffer => Buffer.concat([nonce, ...xaes(tenantKey).seal(nonce, binding(tenantId, keyId, version), secret)]);

/** `tenantKey` is the open tenant key of the key's tenant. */
export const usableKey = ({ key, versions }: StoredKey, tenantKey: Uint8Array): UsableKey => {
  const wrapping = xaes(tenantKey);
  const sealed = new Map(versions.map((one) => [one.version, one.sealed]));
  const open = new Map<number, DataKey>();
  return {
    key,
    of(version) {
      const there = open.get(version);
      if (there !== undefined) return there;
      const bytes = sealed.get(version);
      if (bytes === undefined) return null;
      const secret = wrapping.open(
        bytes.subarray(0, wrapping.nonceSize),
        binding(key.tenantId, key.id, version),
        bytes.subarray(wrapping.nonceSize),
      );
      if (secret === null) throw new Error(`version ${version} of key ${key.id} does not open: the database was changed past us`);
      const made = createDataKey({ keyId: key.id, version, secret });
      secret.fill(0);
      open.set(version, made);
      return made;
    },
  };
};
