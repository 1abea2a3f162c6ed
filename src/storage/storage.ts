// Door of the storage: transactions inside a tenant's wall, the one way to change something, the change feed, leases, the outbox.
import type { Kysely } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import type { Instant, Millis } from '../base/time.ts';

/** A transaction. Each edge declares the tables it uses; the schema of others is none of its business. */
export interface Tx {
  tables<T>(): Kysely<T>;
}

export interface Database {
  /** One transaction as the service's role, inside the wall of one tenant (row-level security). */
  tenant<T>(tenantId: TenantId, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** One transaction as the jobs role, which sees every tenant. Only for named edges: feed, outbox, sweeps, bootstrap, platform tables. */
  jobs<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

/**
 * What can change under a replica's feet. The first six are watermarks: a token of that tenant, client, user,
 * session or family (or that one token) whose `rsq` is below the change's number is refused until `until`.
 * `limits` refuses nothing: what a token of that user ('*': of anybody) says of its limits is older than they are.
 * `api_key` and `certificate` are revocations of one credential. The rest tell caches what to forget.
 */
export const CHANGE_KINDS = [
  'tenant',
  'client',
  'user',
  'session',
  'family',
  'token',
  'limits',
  'api_key',
  'certificate',
  'signing_key',
  'role',
  'assignment',
  'grant',
  'resource_type',
  'policy',
  'workload',
  'tenant_state',
  'user_state',
  'encryption_key',
  'authority',
  'trusted_issuer',
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface Change {
  readonly kind: ChangeKind;
  /** '' for what belongs to the installation. */
  readonly tenantId: TenantId;
  /** Id of what changed, '' for all of that kind. At most 256 characters. */
  readonly key: string;
  /** A revocation stays in every replica's mirror until then; null = only caches need to know, once. */
  readonly until: Instant | null;
  /** A short word for the reason shown later: `logout`, `reused`, `suspended`. At most 64 characters. */
  readonly detail?: string;
}

export interface AppliedChange extends Change {
  readonly seq: number;
  readonly detail: string;
}

/** An event for other systems, delivered at least once under one id. */
export interface OutboxMessage {
  readonly tenantId: TenantId;
  readonly topic: string;
  readonly key: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Outcome<T> {
  readonly result: T;
  readonly changes?: readonly Change[];
  readonly events?: readonly AuditEntry[];
  readonly messages?: readonly OutboxMessage[];
}

/**
 * The one way to change something: `work` runs in a transaction of the tenant; then, in the same transaction, its audit events,
 * its outbox messages and, last, its numbers in the change feed. After the commit this replica applies them and publishes them.
 * `revision` is the number of the last change (where there is none, a number this replica has already reached).
 * `work` may run again after a deadlock: it must do nothing outside its transaction.
 */
export type Write = <T>(
  tenantId: TenantId,
  work: (tx: Tx) => Promise<Outcome<T>>,
) => Promise<{ readonly result: T; readonly revision: number }>;

/** The same for what belongs to the installation (platform tables, rows of tenant ''): `work` runs as the jobs role, beyond all walls. */
export type WriteInstallation = <T>(work: (tx: Tx) => Promise<Outcome<T>>) => Promise<{ readonly result: T; readonly revision: number }>;

export type FeedState =
  /** Not loaded yet, or restored to an earlier point, or a row of unknown kind: not ready, no verdicts. */
  { readonly kind: 'not_ready'; readonly reason: string } | { readonly kind: 'fresh' | 'degraded' | 'stale'; readonly age: Millis };

/** The change feed (design §5). */
export interface Feed {
  /** Before `start`: live revocations are replayed to it first, then every change as it comes, in any order from Redis, in order from the poll. */
  /** `reset` is called before everything is loaded again (a new generation, or an hour's sleep): forget what was cached; a mirror may keep what it has. */
  on(kinds: readonly ChangeKind[], apply: (change: AppliedChange) => void, reset?: () => void): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Every change up to this number has been applied here. */
  cursor(): number;
  /** The history that all numbers belong to: a restored database begins another. */
  generation(): number;
  /** Grows with every change applied here, by whichever way it came: what was put together from caches is whole as long as this stands. */
  applied(): number;
  /** What neither our clock nor the database's, as last read, can be before: whatever ended by then has ended, though one of them has jumped. */
  past(): Instant;
  /** How far our clock is behind the database's, as last read. */
  lag(): Millis;
  /** Time since the last successful poll was sent: the larger of the monotonic and the wall clock's. */
  age(): Millis;
  /** fresh → degraded from 10 s → stale beyond the ceiling. */
  state(): FeedState;
  /** UNAVAILABLE / FEED_STALE when the state is stale or not ready, or older than `maxStaleness`. Call it after the last await. */
  assertFresh(maxStaleness?: Millis): void;
  /** Polls once where the cursor is below `seq`; then UNAVAILABLE if it still is, FAILED_PRECONDITION / REVISION_UNKNOWN if `seq` is above the head. */
  catchUp(seq: number): Promise<void>;
  /** Replicas that have polled lately, and how many of them have reached `seq`; waits up to `wait` for all of them. */
  acknowledged(seq: number, wait: Millis): Promise<{ readonly acknowledged: number; readonly live: number }>;
}

/** The head of the feed inside a transaction: the `rsq` of tokens, read as the first statement. */
export type ReadHead = (tx: Tx) => Promise<number>;

export interface Lease {
  /** The fencing number while this process holds the lease, else null. Taken and kept by compare-and-set. */
  acquire(name: string, ttl: Millis): Promise<number | null>;
  release(name: string): Promise<void>;
}

/** The few things we ask of Redis. Every answer may be an UNAVAILABLE fault: callers say what that means for them. */
export interface Cache {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, ttl: Millis): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Remembers the key for `ttl`, in one command: `first` when it was not there, `again` when it was. `forgotten` when the cache began
   * after `since` (it is new, was flushed or started again): then nobody knows, and nothing is kept.
   */
  remember(key: string, ttl: Millis, since: Instant): Promise<'first' | 'again' | 'forgotten'>;
  /** Is there a connection right now? */
  healthy(): boolean;
}

/**
 * Values loaded from Postgres and kept until a change to their key is seen. A load that a change overtook is not kept.
 * `get` answers at once on a hit.
 */
export interface Tracked<V> {
  get(tenantId: TenantId, key: string): V | Promise<V>;
  peek(tenantId: TenantId, key: string): V | undefined;
  /** With every change to it that was applied here: for whoever made one. The same as `get`, but where `whileUnseen` serves the one before. */
  latest(tenantId: TenantId, key: string): V | Promise<V>;
  readonly size: number;
}

export type TrackedOptions<V> = TrackedRules & TrackedLoad<V>;

/** One by one, or all that are asked for in the same turn at once: then the values are in the order of the keys. */
export type TrackedLoad<V> =
  | { readonly load: (tenantId: TenantId, key: string) => Promise<V> }
  | { readonly loadAll: (tenantId: TenantId, keys: readonly string[]) => Promise<readonly V[]> };

export interface TrackedRules {
  readonly kinds: readonly ChangeKind[];
  /** Which keys of this cache a change touches: one key, or `'tenant'` for all of its tenant. Default: the change's own key, all of the tenant when it is ''. */
  readonly touches?: (change: AppliedChange) => string | null;
  /**
   * Changes to one key that need not make anybody wait: the value goes on being served while its successor, loaded at once, is made, as
   * long as the feed's cursor has not reached the change and half a second at most. Until then the value is what is true at the cursor, as
   * is everything else that is kept.
   */
  readonly whileUnseen?: (change: AppliedChange) => boolean;
  readonly capacity: number;
  readonly ttl: Millis;
}

export type CreateTracked = <V>(options: TrackedOptions<V>) => Tracked<V>;

/** Writes a batch: one result an item, in their order, or none at all. */
export type Flush<T, R> = (items: readonly T[]) => Promise<[R] extends [void] ? void : readonly R[]>;

export interface GroupCommitOptions<T> {
  /** How long the first item of a batch waits for company; 0 = only for what has come already. Default 2. */
  readonly delay?: Millis;
  /** Items at most in one batch. */
  readonly batch?: number;
  /** How long a batch that does not come back holds up the next one of its lane. Default: for good. */
  readonly patience?: Millis;
  /** Items waiting or under way; beyond, RESOURCE_EXHAUSTED / WRITE_QUEUE_FULL. */
  readonly capacity?: number;
  /** Items of different lanes are never written together and never wait for one another. Default: one lane. */
  readonly lane?: (item: T) => string;
}

/** Collects items for at most a few milliseconds and writes them together; each caller's promise settles with its batch. */
export interface GroupCommit<T, R = void> {
  add(item: T): Promise<R>;
  /** Waits for what is under way. */
  drain(): Promise<void>;
}

export type CreateGroupCommit = <T, R = void>(flush: Flush<T, R>, options?: GroupCommitOptions<T>) => GroupCommit<T, R>;

/** What the storage gives to every capability. */
export interface Stores {
  readonly db: Database;
  readonly write: Write;
  readonly writeInstallation: WriteInstallation;
  readonly readHead: ReadHead;
  readonly feed: Feed;
  readonly cache: Cache;
  readonly lease: Lease;
  readonly tracked: CreateTracked;
  readonly groupCommit: CreateGroupCommit;
  /** A background job every `every` with jitter, under a lease of that name where `leased`. Stopped with the process. */
  readonly every: (name: string, every: Millis, work: () => Promise<void>, leased?: boolean) => void;
}
