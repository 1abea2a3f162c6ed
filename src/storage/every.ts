// Background jobs: each at its own pace with jitter, never twice at once, under a lease where only one replica should.
import type { Millis } from '../base/time.ts';
import type { Lease } from './storage.ts';

export interface EveryOptions {
  readonly lease: Lease;
  /** A failed run is tried again at its next turn. */
  readonly onError: (job: string, error: unknown) => void;
  /** 0 to 1, so that replicas started together do not work together. */
  readonly jitter?: () => number;
}

export interface Jobs {
  every(name: string, every: Millis, work: () => Promise<void>, leased?: boolean): void;
  /** No new runs; waits for those under way. */
  stop(): Promise<void>;
}

/** Longer than a turn, so that the holder keeps it; short enough that another takes over soon after a crash. */
const leaseTtl = (every: Millis): Millis => Math.max(10_000, Math.min(every * 2, 300_000));

export const createJobs = (options: EveryOptions): Jobs => {
  const jitter = options.jitter ?? Math.random;
  const timers = new Map<string, NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let stopped = false;

  const underLease = async (name: string, every: Millis, work: () => Promise<void>): Promise<void> => {
    const ttl = leaseTtl(every);
    const leaseName = `job:${name}`;
    if ((await options.lease.acquire(leaseName, ttl)) === null) return;
    // A long run keeps its lease; one that lost it is safe because every job is written to be repeatable.
    const keep = setInterval(() => void options.lease.acquire(leaseName, ttl).catch(() => null), ttl / 3);
    try {
      await work();
    } finally {
      clearInterval(keep);
    }
  };

  const every: Jobs['every'] = (name, length, work, leased = false) => {
    const once = async (): Promise<void> => {
      try {
        await (leased ? underLease(name, length, work) : work());
      } catch (error) {
        options.onError(name, error);
      }
    };
    const schedule = (): void => {
      if (stopped) return;
      const timer = setTimeout(
        () => {
          const run = once().finally(() => {
            running.delete(run);
            schedule();
          });
          running.add(run);
        },
        length * (0.85 + 0.3 * jitter()),
      );
      timer.unref();
      timers.set(name, timer);
    };
    if (timers.has(name)) throw new Error(`two background jobs are named ${name}`);
    schedule();
  };

  return {
    every,
    async stop() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(running);
    },
  };
};
