// Port of the families' store: what refreshing and revoking need of it, all inside the caller's transaction.
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Access, Device, Family, Presented, Rotated, SessionContext } from './family.ts';

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

/** One use of a refresh token: what is presented, and what comes after it if that counts. */
export interface Use {
  readonly familyId: string;
  readonly presented: Presented;
  /** Its `rsq` is read by the statement that decides, before it looks at the family. */
  readonly access: Pick<Access, 'issuedAt' | 'expiresAt'>;
  readonly idle: Millis;
  /** Every change up to this number was asked about: a token claims to know no more. */
  readonly known: number;
}

export interface Rotation extends Use {
  readonly hash: Buffer;
  readonly salt: Buffer;
  /** What the family is bound to from now on, where it is not bound yet. */
  readonly confirmation: Confirmation | null;
}

export interface Families {
  /**
   * Until the transaction ends, nobody ends the sessions of this user or client: whoever does so later finds what was inserted, and whoever
   * did so before is below the head that is read from now on.
   */
  hold(tx: Tx, of: Pick<SessionContext, 'tenantId' | 'userId' | 'clientId'>): Promise<void>;
  /** The session and its first family, after `hold`. */
  insert(tx: Tx, family: NewFamily): Promise<void>;
  /**
   * One compare-and-set for each, all in one statement: the family after it, or null when the presented token is not the one that counts
   * now, on this device, in time, or not shown with the key it is bound to. One alone waits for whoever holds its row; several wait for
   * nobody, so that no two statements wait for each other: null then means only that it must be asked alone.
   */
  rotate(tx: Tx, tenantId: TenantId, rotations: readonly Rotation[]): Promise<readonly (Rotated | null)[]>;
  /** The same without a successor: a new access token, the same refresh token; null also where the family is bound to nothing. */
  keep(tx: Tx, tenantId: TenantId, use: Use): Promise<Rotated | null>;
  /** The row, locked to the end of the transaction, and the database's time after the wait. */
  lock(tx: Tx, key: FamilyKey): Promise<{ readonly family: Family; readonly now: Instant } | null>;
  endFamily(tx: Tx, key: FamilyKey, reason: string): Promise<void>;
  /** The session and all its families. */
  endSession(tx: Tx, tenantId: TenantId, sessionId: string, reason: string): Promise<void>;
  /** All sessions and families of the user; a login in flight is either ended too, or begins after the commit. */
  endUser(tx: Tx, tenantId: TenantId, userId: string, reason: string): Promise<void>;
  /** All sessions and families that the client has got, how many there were at least; a login in flight as for a user. */
  endClient(tx: Tx, tenantId: TenantId, clientId: string, reason: string): Promise<number>;
  /** Where they were too many for one transaction, they are over all the same; this writes it to at most `limit` rows. True: there are more. */
  followEnds(tx: Tx, limit: number): Promise<boolean>;
  session(tx: Tx, tenantId: TenantId, sessionId: string): Promise<{ readonly userId: string; readonly ended: boolean } | null>;
}
