// What the use cases of identity ask of their stores. Whatever takes a transaction runs inside it and commits with it.
import type { TenantId, WorkloadEntry } from '../base/caller.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Tenant, TenantStatus } from './tenant.ts';
import type { User, UserStatus } from './user.ts';
import type { Workload } from './workload.ts';

export interface TenantStore {
  /** False where the id is taken. */
  insert(tx: Tx, tenant: Pick<Tenant, 'tenantId' | 'displayName' | 'defaultKeyName'>): Promise<boolean>;
  /** Those that belong to another tenant already. `namespaces` sorted. */
  claimNamespaces(tx: Tx, tenantId: TenantId, namespaces: readonly string[]): Promise<readonly string[]>;
  find(tx: Tx, tenantId: TenantId): Promise<Tenant | null>;
  /** The row, held until the transaction ends. */
  lock(tx: Tx, tenantId: TenantId): Promise<Tenant | null>;
  setStatus(tx: Tx, tenantId: TenantId, status: TenantStatus, watermark: number): Promise<void>;
  update(tx: Tx, tenantId: TenantId, tenant: Pick<Tenant, 'displayName' | 'defaultKeyName' | 'constraints' | 'policy'>): Promise<void>;
  /** Read with a share lock: a suspension waits for this transaction or is seen by it. */
  isActive(tx: Tx, tenantId: TenantId): Promise<boolean>;
}

export interface TenantLists {
  page(status: string, after: TenantId, limit: number): Promise<readonly Tenant[]>;
  ownerOf(namespace: string): Promise<TenantId | null>;
  /** The only active tenant, null where there are none or several. */
  sole(): Promise<TenantId | null>;
}

export type NewUser = Pick<User, 'tenantId' | 'userId' | 'username' | 'email' | 'firstName' | 'lastName' | 'metadata'> & {
  readonly passwordHash: string | null;
};

export type UserDetails = Pick<User, 'tenantId' | 'userId' | 'username' | 'email' | 'firstName' | 'lastName' | 'metadata' | 'constraints'>;

export interface UserStore {
  /** Which of its names is taken by another account, null when the user was stored. */
  insert(tx: Tx, user: NewUser): Promise<'username' | 'email' | null>;
  find(tx: Tx, tenantId: TenantId, userId: string): Promise<User | null>;
  /** In the order of the ids; null where there is none. */
  findAll(tx: Tx, tenantId: TenantId, userIds: readonly string[]): Promise<readonly (User | null)[]>;
  /** The row, held until the transaction ends. */
  lock(tx: Tx, tenantId: TenantId, userId: string): Promise<User | null>;
  /** Those of the ids that are active, their rows held until the transaction ends. */
  lockActive(tx: Tx, tenantId: TenantId, userIds: readonly string[]): Promise<readonly string[]>;
  setStatus(tx: Tx, tenantId: TenantId, userId: string, status: UserStatus, watermark: number): Promise<void>;
  /** What people say about themselves, and limits. False where the e-mail address, unless it is `emailBefore`, is another account's. */
  update(tx: Tx, user: UserDetails, emailBefore: string): Promise<boolean>;
  setPassword(tx: Tx, tenantId: TenantId, userId: string, hash: string, watermark: number): Promise<void>;
  passwordOf(tx: Tx, tenantId: TenantId, userId: string): Promise<string | null>;
  page(tx: Tx, tenantId: TenantId, status: string, after: string, limit: number): Promise<readonly User[]>;
  /** The account behind a name key. */
  byName(tx: Tx, tenantId: TenantId, nameKey: string): Promise<LoginAccount | null>;
  /** Marks the login where the account is still active with that very hash; false otherwise. The row is held. */
  loggedIn(tx: Tx, tenantId: TenantId, userId: string, hash: string, replacement: string | null): Promise<boolean>;
}

export interface LoginAccount {
  readonly userId: string;
  readonly status: UserStatus;
  readonly passwordHash: string | null;
}

export interface AttemptLimits {
  readonly perSource: number;
  /** From all addresses together: once for the networks the account is known to log in from, once for all others. */
  readonly perAccount: number;
  readonly duration: Millis;
}

/** At the password of one account. */
export interface Guess {
  readonly tenantId: TenantId;
  /** The user's id, or a keyed hash of a name nobody has. */
  readonly account: string;
  /** One line of a provider. */
  readonly source: string;
  /** From a network that the account logged in from before: strangers' failures do not lock it out there. */
  readonly atHome: boolean;
}

/** `last` = this failure has used the limit up; `locked` = it had been used up before. */
export type Counted = 'open' | 'last' | 'locked';

export interface Attempts {
  /**
   * Says whether the guess may be answered, and counts it where it was wrong, on the database's clock and under the account's rows:
   * of guesses made at the same time no more than the limit come out as anything but `locked`.
   */
  judge(tx: Tx, guess: Guess, right: boolean, limits: AttemptLimits): Promise<Counted>;
  /** The login was right: its source starts anew. */
  clear(tx: Tx, guess: Guess): Promise<void>;
  /** How many are counted against the account now, from anywhere. */
  failures(tx: Tx, tenantId: TenantId, account: string): Promise<number>;
  /** An administrator lifts every lock of the account. */
  unlock(tx: Tx, tenantId: TenantId, account: string): Promise<void>;
  /** Forgets what has run out. A background job. */
  sweep(): Promise<void>;
}

/** `agent`: the program, of whoever named no device. */
export type PlaceKind = 'device' | 'agent' | 'network';

/** Where accounts logged in from. */
export interface LoginPlaces {
  /** Remembers all; answers those kinds of which the account was seen at others, and never at this one. */
  visit(
    tx: Tx,
    tenantId: TenantId,
    userId: string,
    at: readonly { readonly kind: PlaceKind; readonly place: Buffer }[],
  ): Promise<ReadonlySet<PlaceKind>>;
  /** Whether a login from there succeeded lately. */
  knows(tx: Tx, tenantId: TenantId, userId: string, kind: PlaceKind, place: Buffer): Promise<boolean>;
  /** Forgets what was not seen for long. A background job. */
  sweep(): Promise<void>;
}

export interface WorkloadStore {
  /** Replaces the whole entry. `created`: there was none. */
  put(tx: Tx, workload: WorkloadEntry & { readonly owner: string }): Promise<{ readonly workload: Workload; readonly created: boolean }>;
  find(tx: Tx, tenantId: TenantId, namespace: string, name: string): Promise<Workload | null>;
  remove(tx: Tx, tenantId: TenantId, namespace: string, name: string): Promise<boolean>;
  /** In the order of namespace and name; `after` is the last one's, null for the first page. */
  page(
    tx: Tx,
    tenantId: TenantId,
    namespace: string,
    after: { readonly namespace: string; readonly name: string } | null,
    limit: number,
  ): Promise<readonly Workload[]>;
}

export interface SetupTokens {
  insert(tx: Tx, hash: Buffer, expiresAt: Instant): Promise<void>;
  /** True once, and only before the end. */
  redeem(tx: Tx, hash: Buffer): Promise<boolean>;
}
