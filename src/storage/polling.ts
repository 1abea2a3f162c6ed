// One poll after the other, for as long as the process runs: shared by whoever asks, and sooner where the last one brought something.
import type { Millis } from '../base/time.ts';

export interface PollingOptions {
  readonly once: () => Promise<void>;
  /** Moves when a poll brought something. */
  readonly cursor: () => number;
  readonly interval: Millis;
  readonly say: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface Polling {
  /** A poll sent after this call: one under way may have been sent before what the caller waits for. */
  freshPoll(): Promise<void>;
  /** Answers after the first poll. */
  start(): Promise<void>;
  /** For good. */
  stop(): void;
  /** Waits for the poll under way. */
  idle(): Promise<void>;
}

export const createPolling = ({ once, cursor, interval, say }: PollingOptions): Polling => {
  let inFlight: Promise<void> | null = null;
  let queued: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let failing = false;

  /** Polls, or joins the poll under way. */
  const poll = (): Promise<void> => {
    inFlight ??= once()
      .then(
        () => {
          if (failing) say('is read again', {});
          failing = false;
        },
        (error: unknown) => {
          if (!failing) say('cannot be read', { error });
          failing = true;
          throw error;
        },
      )
      .finally(() => {
        inFlight = null;
      });
    return inFlight;
  };

  const freshPoll = (): Promise<void> => {
    if (inFlight === null) return poll();
    queued ??= inFlight
      .catch(() => {})
      .then(() => {
        queued = null;
        return poll();
      });
    return queued;
  };

  const turn = async (): Promise<void> => {
    const began = performance.now();
    const before = cursor();
    await poll().catch(() => {});
    // Having moved, say so sooner: somebody may be waiting for the acknowledgement.
    const pace = cursor() === before ? interval : interval / 4;
    schedule(Math.max(0, pace - (performance.now() - began)));
  };
  const schedule = (after: Millis): void => {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => void turn(), after);
    timer.unref();
  };

  return {
    freshPoll,
    async start() {
      await poll();
      schedule(interval);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    async idle() {
      await inFlight?.catch(() => {});
    },
  };
};
