// What the use cases of trusted issuers ask of their table. Whatever takes a transaction runs inside it and commits with it.
import type { TenantId } from '../base/caller.ts';
import type { Tx } from '../storage/storage.ts';
import type { NewIssuer, TrustedIssuer } from './issuer.ts';

export interface IssuerStore {
  /** The writers of a tenant take turns until their transactions end. */
  lock(tx: Tx, tenantId: TenantId): Promise<void>;
  /** Replaces the entry of that name; its issuer stays. */
  put(tx: Tx, issuer: NewIssuer): Promise<TrustedIssuer>;
  find(tx: Tx, tenantId: TenantId, name: string): Promise<TrustedIssuer | null>;
  remove(tx: Tx, tenantId: TenantId, name: string): Promise<boolean>;
  /** In the order of names, after that one. */
  page(tx: Tx, tenantId: TenantId, after: string, limit: number): Promise<readonly TrustedIssuer[]>;
}
