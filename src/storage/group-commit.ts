// Group commit: many small writes become one, each caller waits for its own.
import { Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import type { GroupCommit } from './storage.ts';

export interface GroupCommitOptions<T> {
  readonly flush: (items: readonly T[]) => Promise<void>;
  /** How long the first item of a batch waits for company. */
  readonly delay?: Millis;
  readonly batch?: number;
  /** Items waiting or under way; beyond, RESOURCE_EXHAUSTED / WRITE_QUEUE_FULL. */
  readonly capacity?: number;
}

interface Waiting<T> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * While one batch is written the next one gathers, so under load there is no timer at all: the batch is whatever came meanwhile.
 * A failed batch fails each of its items with the same error.
 */
export const createGroupCommit = <T>(options: GroupCommitOptions<T>): GroupCommit<T> => {
  const { flush, delay = 2, batch = 500, capacity = 10_000 } = options;
  let waiting: Waiting<T>[] = [];
  let underWay = 0;
  let running: Promise<void> | null = null;

  const writeBatch = async (): Promise<void> => {
    const taken = waiting.slice(0, batch);
    waiting = waiting.slice(batch);
    underWay = taken.length;
    try {
      await flush(taken.map((entry) => entry.item));
      for (const entry of taken) entry.resolve();
    } catch (error) {
      for (const entry of taken) entry.reject(error);
    }
    underWay = 0;
  };

  const run = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, delay));
    while (waiting.length > 0) await writeBatch();
    running = null;
  };

  return {
    add(item) {
      if (waiting.length + underWay >= capacity)
        return Promise.reject(new Fault('RESOURCE_EXHAUSTED', 'WRITE_QUEUE_FULL', 'too many writes are waiting', { retryAfter: 1000 }));
      return new Promise<void>((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        running ??= run();
      });
    },
    async drain() {
      while (running !== null) await running;
    },
  };
};
