// Port of the families' store: what refreshing and revoking need of it, all inside the caller's transaction.
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Access, Device, Family, Presented, SessionContext } from './family.ts';

export interface FamilyKey {
  readonly tenantId: TenantId;
  readonly familyId: string;
}

export interface NewFamily {
  readonly context: SessionContext;
  readonly access: Access;
  readonly hash: Buffer;
  readonly fingerprint: string;
  readonly device: Omit<Device, 'fingerprint'> | null;
  readonly ipAddress: string;
  readonly userAgent: string;
  readonly idle: Millis;
  readonly life: Millis;
}

export interface Successor {
  readonly hash: Buffer;
  readonly salt: Buffer;
  readonly access: Omit<Access, 'generation'>;
  /** What the family is bound to from now on, where it is not bound yet. */
  readonly confirmation: Confirmation | null;
}

export interface Families {
  /** The session and its first family. */
  insert(tx: Tx, family: NewFamily): Promise<void>;
  /**
   * One compare-and-set: the family after it, or null when the presented token is not the one that counts now, on this device, in time, or
   * not shown with the key it is bound to.
   */
  rotate(tx: Tx, key: FamilyKey, presented: Presented, successor: Successor, idle: Millis): Promise<Family | null>;
  /** The same without a successor: a new access token, the same refresh token; null also where the family is bound to nothing. */
  keep(tx: Tx, key: FamilyKey, presented: Presented, access: Omit<Access, 'generation'>, idle: Millis): Promise<Family | null>;
  /** The row, locked to the end of the transaction, and the database's time after the wait. */
  lock(tx: Tx, key: FamilyKey): Promise<{ readonly family: Family; readonly now: Instant } | null>;
  endFamily(tx: Tx, key: FamilyKey, reason: string): Promise<void>;
  /** The session and all its families. */
  endSession(tx: Tx, tenantId: TenantId, sessionId: string, reason: string): Promise<void>;
  /** All sessions and families of the user; a login in flight is either ended too, or begins after the commit. */
  endUser(tx: Tx, tenantId: TenantId, userId: string, reason: string): Promise<void>;
  session(tx: Tx, tenantId: TenantId, sessionId: string): Promise<{ readonly userId: string; readonly ended: boolean } | null>;
  /** Deletes what ended before, at most `limit` rows a table; how many went. */
  sweep(tx: Tx, before: Instant, limit: number): Promise<number>;
}
