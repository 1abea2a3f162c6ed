// The change feed: what other replicas changed, in order, never older than it says. The poll decides; the stream is only sooner.
import { Fault, unavailable } from '../base/fault.ts';
import { type Clock, type Instant, type Millis, seconds } from '../base/time.ts';
import { nextTurn } from '../base/turn.ts';
import type { ChangeStream } from './change-stream.ts';
import type { FeedPoll, FeedRow, FeedSource } from './feed-source.ts';
import { createFreshness } from './freshness.ts';
import { createListeners } from './listeners.ts';
import { createPolling } from './polling.ts';
import { type AppliedChange, CHANGE_KINDS, type Feed } from './storage.ts';

export interface FeedOptions {
  readonly source: FeedSource;
  readonly stream: ChangeStream;
  readonly clock: Clock;
  /** No verdicts beyond this age. */
  readonly ceiling: Millis;
  readonly interval?: Millis;
  /** A change that another replica committed was applied here so long after its row was written, by the database's clock. */
  readonly onPropagation?: (way: 'stream' | 'poll', length: Millis) => void;
  readonly onState?: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface OwnFeed extends Feed {
  /** After a commit here: applied at once, told to the others. */
  announce(changes: readonly AppliedChange[], generation: number): void;
}

const LIVE_REPLICA: Millis = seconds(5);
/** Few enough that the rows of a page are gone before the collector takes them for old: with more, half of a start was collecting. */
const PAGE = 4000;
/** Rows applied before others get their turn. */
const SLICE = 1000;
const POLL_PAGE = 5_000;
const known = new Set<string>(CHANGE_KINDS);

const isKnown = (row: FeedRow): row is FeedRow & AppliedChange => known.has(row.kind);
const unknownKind = (row: FeedRow): string => `change ${row.seq} has the unknown kind "${row.kind}": a newer release writes here`;
const standby = (): Fault => unavailable('STORE_UNAVAILABLE', 'the database is a standby');
const sleep = (ms: Millis): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const createFeed = (options: FeedOptions): OwnFeed => {
  const { source, stream, clock, interval = 1000 } = options;
  const tellPropagation = options.onPropagation ?? ((): void => {});
  const say = options.onState ?? ((): void => {});
  const fresh = createFreshness(clock, options.ceiling, 'the change feed is not loaded yet');

  let cursor = 0;
  let head = 0;
  let generation = 0;
  let stamp: string | null = null;
  // Numbers above the cursor that were applied early: by our own write (null) or by the stream, and then when.
  const early = new Map<number, Instant | null>();
  // Between the database's clock and ours.
  let offset: Millis = 0;
  let serverTime: Instant = 0;
  let applied = 0;
  let loaded = false;
  // What a load found that must keep this replica from answering.
  let obstacle: string | null = null;

  const block = (reason: string): void => {
    obstacle = reason;
    if (fresh.block(reason)) say('not ready', { reason });
  };

  const listeners = createListeners((error, change) => {
    // A mirror that could not take a revocation must not answer.
    block(`a change could not be applied: ${error instanceof Fault ? error.message : 'internal error'}`);
    say('a listener failed', { error, seq: change.seq, kind: change.kind });
  });

  const applyEarly = (changes: readonly AppliedChange[], of: number, at: Instant | null): void => {
    // Another generation's numbers mean nothing here; the poll will tell.
    if (of !== generation) return;
    for (const change of changes) {
      if (change.seq <= cursor || early.has(change.seq)) continue;
      early.set(change.seq, at);
      applied += 1;
      listeners.tell(change);
    }
  };

  const take = (row: FeedRow): void => {
    const before = early.get(row.seq);
    if (!isKnown(row)) block(unknownKind(row));
    else if (!early.delete(row.seq)) {
      applied += 1;
      listeners.tell(row);
    }
    if (before !== null)
      tellPropagation(before === undefined ? 'poll' : 'stream', Math.max(0, (before ?? clock.now()) + offset - Number(row.stamp) * 1000));
    cursor = row.seq;
    stamp = row.stamp;
  };

  const applyLive = async (to: number, now: Instant): Promise<void> => {
    const page = (after: number): Promise<readonly FeedRow[]> => source.live(after, to, PAGE, now);
    for (let coming: Promise<readonly FeedRow[]> | null = page(0); coming !== null; ) {
      const rows: readonly FeedRow[] = await coming;
      const last = rows.at(-1);
      // The next page travels while this one is applied.
      coming = rows.length < PAGE || last === undefined ? null : page(last.seq);
      coming?.catch(() => {});
      for (const [index, row] of rows.entries()) {
        if (isKnown(row)) listeners.tell(row);
        else block(unknownKind(row));
        if (index % SLICE === SLICE - 1) await nextTurn();
      }
    }
  };

  /** Everything from the start: caches empty, live revocations again. No answers meanwhile; the poll that follows allows them. */
  const load = async (): Promise<void> => {
    loaded = false;
    applied += 1;
    const at = await source.head();
    if (at.recovery) throw standby();
    obstacle = null;
    fresh.block('the change feed is loading');
    generation = at.generation;
    early.clear();
    cursor = 0;
    // After the head was read: whatever is cached from here on has seen every change up to it.
    listeners.reset();
    await applyLive(at.seq, clock.now());
    cursor = at.seq;
    stamp = at.stamp;
    for (const seq of early.keys()) if (seq <= cursor) early.delete(seq);
    loaded = true;
  };

  /** Our past is not the database's past: no number means what it meant. */
  const diverged = (poll: FeedPoll): boolean => {
    const own = poll.rows[0];
    return poll.seq < cursor || poll.generation < generation || (own?.seq === cursor && stamp !== null && own.stamp !== stamp);
  };

  /** Swept before we saw them (we slept for an hour): what they told is unknown. */
  const missing = (poll: FeedPoll, news: readonly FeedRow[]): boolean =>
    (news.length === 0 && poll.seq > cursor) || news.some((row, index) => row.seq !== cursor + 1 + index);

  const pollOnce = async (): Promise<void> => {
    for (;;) {
      if (!loaded) await load();
      const asked = fresh.now();
      const poll = await source.poll(cursor, generation, POLL_PAGE);
      if (poll.recovery) throw standby();
      offset = poll.serverTime - clock.now();
      serverTime = poll.serverTime;
      const news = poll.rows.filter((row) => row.seq > cursor);
      if (poll.generation > generation) loaded = false;
      else if (diverged(poll)) return block('the change feed went backwards: the database was restored; run `security-hub recover`');
      else if (missing(poll, news)) loaded = false;
      else {
        head = poll.seq;
        for (const row of news) take(row);
        if (cursor >= poll.seq) {
          fresh.asOf(asked);
          if (obstacle === null) fresh.clear();
          return;
        }
      }
      await nextTurn();
    }
  };

  const polling = createPolling({ once: pollOnce, cursor: () => cursor, interval, say });

  // One at a time, however many wait for their revocation to arrive: the poll must always find a connection free.
  let asked: Promise<unknown> = Promise.resolve();
  const othersAt = (seq: number): ReturnType<FeedSource['replicas']> => {
    const turn = asked.then(() => source.replicas(seq, generation, LIVE_REPLICA));
    asked = turn.catch(() => {});
    return turn;
  };

  const acknowledgedNow = async (seq: number): Promise<{ readonly acknowledged: number; readonly live: number }> => {
    const others = await othersAt(seq);
    const here = cursor >= seq || early.has(seq) ? 1 : 0;
    return { acknowledged: others.acknowledged + here, live: others.live + 1 };
  };

  return {
    on: listeners.on,
    async start() {
      // The stream first: what is published while we load is not missed.
      await stream.start((published) => applyEarly(published.changes, published.generation, clock.now()));
      await polling.start();
    },
    async stop() {
      polling.stop();
      await stream.stop();
      await polling.idle();
      await source.farewell().catch(() => {});
    },
    cursor: () => cursor,
    generation: () => generation,
    applied: () => applied,
    lag: () => Math.max(0, offset),
    past: () => Math.min(clock.now(), serverTime),
    age: () => fresh.age(),
    state: () => fresh.state(),
    assertFresh: (maxStaleness) => fresh.assert(maxStaleness),
    async catchUp(seq) {
      if (cursor >= seq) return;
      await polling.freshPoll();
      if (cursor >= seq) return;
      if (seq > head) throw new Fault('FAILED_PRECONDITION', 'REVISION_UNKNOWN', 'no change has this number yet');
      throw unavailable('FEED_STALE', 'this replica has not seen that change yet');
    },
    async acknowledged(seq, wait) {
      const end = clock.monotonic() + wait;
      for (;;) {
        const answer = await acknowledgedNow(seq);
        if (answer.acknowledged >= answer.live || clock.monotonic() >= end) return answer;
        await sleep(Math.min(50, Math.max(1, end - clock.monotonic())));
      }
    },
    announce(changes, of) {
      applyEarly(changes, of, null);
      stream.publish({ generation: of, changes });
    },
  };
};
