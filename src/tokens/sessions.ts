// Sessions as people see them: which ones live, on what device, when last seen; and how many there are.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, known, type TenantId } from '../base/caller.ts';
import { Fault, unavailable } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Clock, Instant } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Seen } from './activity.ts';
import type { SessionCounts } from './count-sessions.ts';
import type { Device } from './family.ts';
import { isSelf } from './self.ts';

export interface Session {
  readonly sessionId: string;
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly clientId: string;
  readonly authMethod: string;
  readonly mfaVerified: boolean;
  /** null where the login named none. */
  readonly device: Omit<Device, 'fingerprint'> | null;
  readonly ipAddress: string;
  readonly userAgent: string;
  readonly createdAt: Instant;
  /** Up to a minute late. */
  readonly lastActivityAt: Instant;
  /** It ends then unless it is refreshed. */
  readonly idleExpiresAt: Instant;
  /** It ends then in any case. */
  readonly expiresAt: Instant;
  readonly confirmation: Confirmation | null;
}

export interface SessionStatistics {
  readonly active: number;
  readonly users: number;
  readonly mfaVerified: number;
  /** Bound to a key. */
  readonly bound: number;
  readonly byAuthMethod: Readonly<Record<string, number>>;
  readonly byDeviceType: Readonly<Record<string, number>>;
}

export interface StatisticsAt extends SessionStatistics {
  readonly countedAt: Instant;
  /** `users` may be off by so many, in 19 of 20 counts; 0: it is exact. */
  readonly usersError: number;
}

/** Living sessions only: not ended, not idle for too long, not past their end. */
export interface Sessions {
  /** The newest first, beyond `after` (a place of `placeOf`, '' = from the first). */
  ofUser(
    tx: Tx,
    tenantId: TenantId,
    userId: string,
    after: string,
    limit: number,
  ): Promise<readonly (Session & { readonly place: string })[]>;
  /** Those of now; null where the tenant has got more than `most` that have not ended. */
  statistics(tx: Tx, tenantId: TenantId, most: number): Promise<SessionStatistics | null>;
  /** Later moments replace earlier ones; a row that somebody holds is left for the next time. */
  touch(tx: Tx, seen: readonly Seen[]): Promise<void>;
}

export interface SessionDeps {
  readonly db: Database;
  readonly pager: Pager;
  readonly sessions: Sessions;
  readonly counts: Pick<SessionCounts, 'kept' | 'ask'>;
  readonly clock: Clock;
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

export interface SessionsAsked {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

const PERMISSION = 'token:inspect';

const assertMay = async (deps: SessionDeps, self: boolean, call: Call): Promise<void> => {
  if (self || (await deps.holds(known(call.caller), PERMISSION))) return;
  throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `needs ${PERMISSION}`, { meta: { permission: PERMISSION } });
};

/** Of oneself; of others with token:inspect. */
export const listSessions =
  (deps: SessionDeps) =>
  async (
    { tenantId, userId, ...asked }: SessionsAsked,
    call: Call,
  ): Promise<{ readonly items: readonly Session[]; readonly next: string }> => {
    await assertMay(deps, isSelf(call, tenantId, userId), call);
    const query = ['sessions', tenantId, userId];
    const size = pageSize(asked.pageSize);
    const after = deps.pager.open(query, asked.pageToken);
    const rows = await deps.db.tenant(tenantId, (tx) => deps.sessions.ofUser(tx, tenantId, userId, after, size + 1));
    const items = rows.slice(0, size);
    const last = items.at(-1);
    return { items, next: rows.length > size && last !== undefined ? deps.pager.seal(query, last.place) : '' };
  };

/** Sessions that are counted while somebody waits: half a second's work where none of them is in memory. */
const COUNTED_NOW = 10_000;

/** Of now; where that takes too long, as they were last counted. */
export const sessionStatistics =
  (deps: SessionDeps) =>
  async (tenantId: TenantId, call: Call): Promise<StatisticsAt> => {
    await assertMay(deps, false, call);
    const found = await deps.db.tenant(tenantId, async (tx): Promise<StatisticsAt | null> => {
      const countedAt = deps.clock.now();
      const now = await deps.sessions.statistics(tx, tenantId, COUNTED_NOW);
      if (now !== null) return { ...now, countedAt, usersError: 0 };
      const kept = await deps.counts.kept(tx, tenantId);
      if (kept !== null) return { ...kept, usersError: errorOf(kept) };
      await deps.counts.ask(tx, tenantId);
      return null;
    });
    if (found !== null) return found;
    throw unavailable('STATISTICS_PENDING', 'so many sessions are counted by a job, which begins now: ask again in a minute');
  };

/** Of a sample of one in `share`: its count is binomial. */
const errorOf = ({ users, share }: { readonly users: number; readonly share: number }): number =>
  users === 0 ? 0 : Math.ceil(2 * Math.sqrt(users * (share - 1)));
