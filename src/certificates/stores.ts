// Ports to what is remembered: issued certificates and join tokens.
import type { TenantId } from '../base/caller.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { CertificateFilter, Position, StoredCertificate } from './certificate.ts';
import type { JoinTokenKey } from './join-token.ts';
import type { ServiceName } from './spiffe-id.ts';

export interface CertificateStore {
  /** Rows of any tenants where the transaction is a job's. */
  insert(tx: Tx, certificates: readonly StoredCertificate[]): Promise<void>;
  find(tx: Tx, tenantId: TenantId, serialNumber: string): Promise<StoredCertificate | null>;
  /** Newest first. */
  list(
    tenantId: TenantId,
    filter: CertificateFilter,
    now: Instant,
    after: Position | null,
    limit: number,
  ): Promise<readonly StoredCertificate[]>;
  /** Those that this call revoked: none where it was revoked before. */
  revoke(tx: Tx, tenantId: TenantId, serialNumber: string, now: Instant, reason: string): Promise<readonly StoredCertificate[]>;
  /** All that were issued for a key. */
  revokeKey(tx: Tx, tenantId: TenantId, spkiSha256: string, now: Instant, reason: string): Promise<readonly StoredCertificate[]>;
  /** All that a service has, living or not. */
  revokeService(tx: Tx, tenantId: TenantId, name: ServiceName, now: Instant, reason: string): Promise<readonly StoredCertificate[]>;
  /** Forgets some that ended before. */
  sweep(before: Instant, limit: number): Promise<void>;
}

export interface NewJoinToken extends JoinTokenKey {
  readonly name: ServiceName;
  readonly createdBy: string;
}

export interface JoinTokenStore {
  /** When it ends. */
  insert(tx: Tx, token: NewJoinToken, ttl: Millis): Promise<Instant>;
  /** Whom it is for, used or not; null for a wrong secret as well. `spent`: it was used, or its time is over. */
  find(tx: Tx, key: JoinTokenKey): Promise<{ readonly name: ServiceName; readonly spent: boolean } | null>;
  expiry(tx: Tx, tenantId: TenantId, tokenId: string): Promise<Instant | null>;
  /** True for one caller, once, before its end. */
  use(tx: Tx, key: JoinTokenKey, serialNumber: string): Promise<boolean>;
  /** Spends all that were made for a service. */
  spendAll(tx: Tx, tenantId: TenantId, name: ServiceName): Promise<void>;
  sweep(before: Instant, limit: number): Promise<void>;
}
