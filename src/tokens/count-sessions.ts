// Counting all living sessions: from the first page of their table to the last, at the pace of the database, while nobody waits.
import type { TenantId } from '../base/caller.ts';
import { type Clock, type Instant, type Millis } from '../base/time.ts';
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
  /** Pages of the families' table, each with some ten of them. */
  pages(tx: Tx): Promise<number>;
  /** The living sessions of `count` pages from that one on; one user in `share` (a power of two) is named. */
  ofPages(tx: Tx, from: number, count: number, share: number): Promise<readonly (Alike & { readonly tenantId: TenantId })[]>;
  /** In place of all that stood there. */
  keep(tx: Tx, at: Instant, counts: ReadonlyMap<TenantId, Counted>): Promise<void>;
  kept(tx: Tx, tenantId: TenantId): Promise<(Counted & { readonly countedAt: Instant }) | null>;
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
/** Of the time at most one part in so many goes into counting. */
const REST = 10;

const shareFor = (pages: number): number => 2 ** Math.max(0, Math.ceil(Math.log2((pages * PER_PAGE) / SAMPLE)));

/** Counts, unless it has rested too little since the last time. */
export const countSessions = (deps: CountDeps): (() => Promise<void>) => {
  let rested: Millis = Number.NEGATIVE_INFINITY;
  return async () => {
    const began = deps.clock.monotonic();
    if (began < rested) return;
    const pages = await deps.db.jobs((tx) => deps.counts.pages(tx));
    const share = shareFor(pages);
    const tallies = new Map<TenantId, Tally>();
    let from = 0;
    await inPieces(deps, PACE, async (limit) => {
      const found = await deps.db.jobs((tx) => deps.counts.ofPages(tx, from, limit, share));
      for (const [at, one] of found.entries()) {
        if (at % SLICE === SLICE - 1) await nextTurn();
        let tally = tallies.get(one.tenantId);
        if (tally === undefined) tallies.set(one.tenantId, (tally = createTally(share)));
        tally.add(one);
      }
      from += limit;
      return from < pages;
    });
    const counted = new Map([...tallies].map(([tenantId, tally]) => [tenantId, { ...tally.total(), share }]));
    await deps.db.jobs((tx) => deps.counts.keep(tx, deps.clock.now(), counted));
    const now = deps.clock.monotonic();
    rested = now + (now - began) * (REST - 1);
  };
};
