// Group commit: many small writes become one, each caller waits for its own.
import { Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import { nextTurn } from '../base/turn.ts';
import type { Flush, GroupCommit, GroupCommitOptions } from './storage.ts';

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane<T, R> {
  waiting: Waiting<T, R>[];
  running: Promise<void>;
}

/** What callers do with their answers takes a while: so many of them, then other work gets its turn. */
const ANSWERED_AT_ONCE = 32;

const within = async (work: Promise<void>, patience: Millis): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const patient = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience);
  });
  await Promise.race([work, patient]);
  clearTimeout(timer);
};

/**
 * While one batch of a lane is written the next one gathers, and for the delay after it: callers that were answered together come back together.
 * A failed batch fails each of its items with the same error.
 */
export const createGroupCommit = <T, R = void>(flush: Flush<T, R>, options: GroupCommitOptions<T> = {}): GroupCommit<T, R> => {
  const { delay = 2, batch = 500, capacity = 10_000, patience, lane: laneOf = () => '' } = options;
  const lanes = new Map<string, Lane<T, R>>();
  const underWay = new Set<Promise<void>>();
  let held = 0;

  const answer = async (taken: readonly Waiting<T, R>[], results: readonly R[] | undefined): Promise<void> => {
    for (const [at, entry] of taken.entries()) {
      if (at > 0 && at % ANSWERED_AT_ONCE === 0) await nextTurn();
      entry.resolve(results?.[at] as R);
    }
  };

  const writeBatch = async (lane: Lane<T, R>): Promise<void> => {
    const taken = lane.waiting.splice(0, batch);
    try {
      const results = await flush(taken.map((entry) => entry.item));
      // Not waited for: the next batch is written meanwhile.
      void answer(taken, results as readonly R[] | undefined);
    } catch (error) {
      for (const entry of taken) entry.reject(error);
    }
    held -= taken.length;
  };

  const run = async (name: string, lane: Lane<T, R>): Promise<void> => {
    for (;;) {
      if (lane.waiting.length < batch) await (delay === 0 ? nextTurn() : new Promise((resolve) => setTimeout(resolve, delay)));
      if (lane.waiting.length === 0) break;
      const writing = writeBatch(lane).finally(() => underWay.delete(writing));
      underWay.add(writing);
      await (patience === undefined ? writing : within(writing, patience));
    }
    lanes.delete(name);
  };

  const open = (name: string): Lane<T, R> => {
    const lane: Lane<T, R> = { waiting: [], running: Promise.resolve() };
    lanes.set(name, lane);
    lane.running = run(name, lane);
    return lane;
  };

  return {
    add(item) {
      if (held >= capacity)
        return Promise.reject(new Fault('RESOURCE_EXHAUSTED', 'WRITE_QUEUE_FULL', 'too many writes are waiting', { retryAfter: 1000 }));
      held += 1;
      return new Promise<R>((resolve, reject) => {
        const name = laneOf(item);
        (lanes.get(name) ?? open(name)).waiting.push({ item, resolve, reject });
      });
    },
    async drain() {
      while (lanes.size + underWay.size > 0) await Promise.all([...underWay, ...[...lanes.values()].map(({ running }) => running)]);
    },
  };
};
