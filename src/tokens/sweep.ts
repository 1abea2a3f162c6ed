// Clearing away: spent families and sessions leave their tables, idle sessions are ended. Piece by piece, until nothing is left.
import type { TenantId } from '../base/caller.ts';
import { type Clock, days, type Instant, type Millis } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import { inPieces } from './in-pieces.ts';

/** Where a walk through all sessions stands. */
export interface SessionPlace {
  readonly tenantId: TenantId;
  readonly sessionId: string;
}

const SPENT = ['token_families', 'sessions'] as const;

export interface Spent {
  /** Deletes at most `limit` rows that ended in that time, the oldest first; a row that somebody holds is left for the next time. */
  clear(
    tx: Tx,
    table: (typeof SPENT)[number],
    ended: { readonly from: Instant; readonly before: Instant },
    limit: number,
  ): Promise<{ readonly gone: number; readonly last: Instant }>;
  /**
   * Looks at `limit` sessions beyond `after` and ends those that were idle before that moment, families and all: they leave at `leave` at
   * the latest. Answers the last one it looked at, null where there are no more: what a turn costs does not grow with how many live.
   */
  endIdle(
    tx: Tx,
    idle: { readonly before: Instant; readonly leave: Instant },
    after: SessionPlace,
    limit: number,
  ): Promise<SessionPlace | null>;
}

export interface SweepDeps {
  readonly db: Pick<Database, 'jobs'>;
  readonly clock: Clock;
  readonly spent: Spent;
  /** Longest life of an access token. */
  readonly longest: Millis;
}

/** No more than the disk takes in a moment: what a piece writes is a kilobyte a row. */
const PACE = { least: 50, most: 1000 };

/** How long an idle session is still told from one that never was. */
const REMEMBERED: Millis = days(1);

/**
 * What ended so long ago that no token of it can live. It goes forward in time and never back: the traces of what it has deleted stay in
 * the index until the next vacuum, which a long backup holds up, and must not be read again by every piece.
 */
export const sweepSpent = (deps: SweepDeps) => async (): Promise<void> => {
  const before = deps.clock.now() - deps.longest;
  for (const table of SPENT) {
    let from: Instant = 0;
    await inPieces(deps, PACE, async (limit) => {
      const { gone, last } = await deps.db.jobs((tx) => deps.spent.clear(tx, table, { from, before }, limit));
      from = last;
      return gone === limit;
    });
  }
};

/** Not before their last access token is over: who ends a session that has ended writes no watermark. */
export const endIdleSessions = (deps: SweepDeps) => async (): Promise<void> => {
  const now = deps.clock.now();
  const idle = { before: now - deps.longest, leave: now + REMEMBERED };
  let place: SessionPlace = { tenantId: '', sessionId: '' };
  await inPieces(deps, PACE, async (limit) => {
    const last = await deps.db.jobs((tx) => deps.spent.endIdle(tx, idle, place, limit));
    place = last ?? place;
    return last !== null;
  });
};
