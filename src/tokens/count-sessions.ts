// Counting all living sessions: from the first page of their table to the last, at the pace of the database, while nobody waits.
import type { TenantId } from '../base/caller.ts';
import { type Clock, type Instant, type Millis, minutes, seconds } from '../base/time.ts';
import { nextTurn } from '../base/turn.ts';
import type { Database, Tx } from '../storage/storage.ts';
import { inPieces } from './in-pieces.ts';
import type { SessionStatistics } from './sessions.ts';
import { type Alike, createTally, type Tally } from './tally.ts';

/** What a count found of a tenant. */
export interface Counted extends SessionStatistics {
  /** How exact `users` is: one user in so many was looked at. */
  readonly share: number;
}

export interface SessionCounts {
  /** Now, and the pages of the families' table, each with some ten of them. */
  begin(tx: Tx): Promise<{ readonly at: Instant; readonly pages: number }>;
  /** The living sessions of `count` pages from that one on; one user in `share` (a power of two) is named. */
  ofPages(tx: Tx, from: number, count: number, share: number): Promise<readonly (Alike & { readonly tenantId: TenantId })[]>;
  /** In place of all that stood there; whoever was known or asked for before `began`, and was not found, has got none. */
  keep(tx: Tx, began: Instant, counts: ReadonlyMap<TenantId, Counted>): Promise<void>;
  kept(tx: Tx, tenantId: TenantId): Promise<(Counted & { readonly countedAt: Instant }) | null>;
  /** Somebody waits for the first count of that tenant. */
  ask(tx: Tx, tenantId: TenantId): Promise<void>;
  asked(tx: Tx): Promise<boolean>;
  /** How many live, by tenant, as they were last counted. */
  active(tx: Tx): Promise<ReadonlyMap<TenantId, number>>;
}

export interface CountDeps {
  readonly db: Pick<Database, 'jobs'>;
  readonly clock: Clock;
  readonly counts: SessionCounts;
}

const PACE = { least: 50, most: 20_000 };
/** Users named in a count; some 100 bytes each. */
const SAMPLE = 200_000;
const PER_PAGE = 10;
/** Groups taken in between two turns of everybody else. */
const SLICE = 500;
/** How soon a count begins that somebody waits for. */
export const COUNT_TURN: Millis = seconds(5);
/** Of the time at most one part in so many goes into counting that nobody waits for. */
const REST = 10;
const LEAST_REST: Millis = minutes(1);

const shareFor = (pages: number): number => 2 ** Math.max(0, Math.ceil(Math.log2((pages * PER_PAGE) / SAMPLE)));

/** Counts, unless it has rested too little since the last time and nobody waits. */
export const countSessions = (deps: CountDeps): (() => Promise<void>) => {
  let rested: Millis = Number.NEGATIVE_INFINITY;
  return async () => {
    const began = deps.clock.monotonic();
    if (began < rested && !(await deps.db.jobs((tx) => deps.counts.asked(tx)))) return;
    const { at, pages } = await deps.db.jobs((tx) => deps.counts.begin(tx));
    const share = shareFor(pages);
    const tallies = new Map<TenantId, Tally>();
    let from = 0;
    await inPieces(deps, PACE, async (limit) => {
      const found = await deps.db.jobs((tx) => deps.counts.ofPages(tx, from, limit, share));
      for (const [position, one] of found.entries()) {
        if (position % SLICE === SLICE - 1) await nextTurn();
        let tally = tallies.get(one.tenantId);
        if (tally === undefined) tallies.set(one.tenantId, (tally = createTally(share)));
        tally.add(one);
      }
      from += limit;
      return from < pages;
    });
    const counted = new Map([...tallies].map(([tenantId, tally]) => [tenantId, { ...tally.total(), share }]));
    await deps.db.jobs((tx) => deps.counts.keep(tx, at, counted));
    const now = deps.clock.monotonic();
    rested = now + Math.max(LEAST_REST, (now - began) * (REST - 1));
  };
};
