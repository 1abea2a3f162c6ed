// The relay: carries messages from the outbox to other systems, at least once, each under one id, in order.
import type { Millis } from '../base/time.ts';
import type { Lease, OutboxMessage } from './storage.ts';

export interface StoredMessage extends OutboxMessage {
  /** Stays the same at every delivery: consumers keep the ids they have seen. */
  readonly id: string;
  readonly position: number;
  readonly at: Date;
}

/** Where events go: a Redis stream, Kafka, a log. Resolves when the other side has them durably; may be called twice with the same. */
export interface EventSink {
  deliver(messages: readonly StoredMessage[]): Promise<void>;
  close?(): Promise<void>;
}

export interface OutboxStore {
  next(limit: number): Promise<readonly StoredMessage[]>;
  delivered(positions: readonly number[]): Promise<void>;
}

export interface RelayOptions {
  readonly store: OutboxStore;
  readonly sink: EventSink;
  readonly lease: Lease;
  readonly interval?: Millis;
  readonly onError: (error: unknown) => void;
}

export interface Relay {
  start(): void;
  /** Something was just stored. */
  nudge(): void;
  /** Carries what is there, if this process holds the lease; for shutdown and tests. */
  run(): Promise<void>;
  stop(): Promise<void>;
}

const LEASE = 'outbox';
const LEASE_TTL: Millis = 10_000;
const BATCH = 100;

/** One relay at a time, by lease, keeps the order; if a lease is lost midway a message may come twice, never not at all. */
export const createRelay = (options: RelayOptions): Relay => {
  const { store, sink, lease, interval = 1000, onError } = options;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = true;

  const carry = async (): Promise<void> => {
    for (;;) {
      if ((await lease.acquire(LEASE, LEASE_TTL)) === null) return;
      const messages = await store.next(BATCH);
      if (messages.length === 0) return;
      await sink.deliver(messages);
      await store.delivered(messages.map((message) => message.position));
      if (messages.length < BATCH && !again) return;
      again = false;
    }
  };

  const run = (): Promise<void> => {
    again = running !== null;
    running ??= carry().finally(() => {
      running = null;
    });
    return running;
  };

  const schedule = (after: Millis): void => {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      run()
        .catch(onError)
        .finally(() => schedule(interval))
        .catch(onError);
    }, after);
    timer.unref();
  };

  return {
    start() {
      stopped = false;
      schedule(interval);
    },
    nudge() {
      if (running === null) schedule(0);
      else again = true;
    },
    run,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running?.catch(() => {});
      await lease.release(LEASE).catch(() => {});
      await sink.close?.();
    },
  };
};
