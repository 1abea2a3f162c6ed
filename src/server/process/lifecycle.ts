// The life of the process: parts start in order and stop in reverse, and a signal to leave is obeyed within a bound.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Millis } from '../../base/time.ts';
import type { Log } from '../platform.ts';

export interface Part {
  readonly name: string;
  readonly start?: () => Promise<void> | void;
  /** Called once, only after a start that succeeded. */
  readonly stop?: () => Promise<void> | void;
}

export interface Lifecycle {
  /** Starts the parts in order. Where one fails, those before it are stopped and its error is thrown. */
  start(): Promise<void>;
  /** Stops what was started, last first. A part that fails or hangs is logged and left behind. Resolves, also when called again. */
  stop(): Promise<void>;
}

export interface LifecycleDeps {
  readonly log: Log;
  readonly parts: readonly Part[];
  /** What one part may take to stop. */
  readonly patience: Millis;
}

export const createLifecycle = ({ log, parts, patience }: LifecycleDeps): Lifecycle => {
  const started: Part[] = [];
  let stopping: Promise<void> | null = null;

  const stopPart = async (part: Part): Promise<void> => {
    const given = new AbortController();
    const work = (async () => {
      await part.stop?.();
      return 'stopped' as const;
    })();
    try {
      const outcome = await Promise.race([work, sleep(patience, 'late' as const, { signal: given.signal, ref: true })]);
      if (outcome === 'late') log.warn({ name: part.name }, 'did not stop in time');
    } catch (cause) {
      log.error({ name: part.name, cause }, 'failed to stop');
    } finally {
      given.abort();
    }
  };

  const stopAll = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await stopPart(part);
  };

  return {
    async start() {
      for (const part of parts) {
        try {
          await part.start?.();
        } catch (thrown) {
          log.error({ name: part.name, cause: thrown }, 'failed to start');
          await stopAll();
          throw thrown;
        }
        // A signal may have come while it started.
        if (stopping !== null) {
          await stopPart(part);
          return;
        }
        started.push(part);
      }
    },
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
  };
};

export interface ExitDeps {
  readonly log: Log;
  readonly stop: () => Promise<void>;
  /** After this long the process ends whatever still runs. */
  readonly atMost: Millis;
  readonly exit: (code: number) => void;
}

/**
 * SIGTERM and SIGINT: stop, then exit 0; a second signal, or `atMost`, ends it at once with 1.
 * What nobody caught is logged, and ends the process in the same order with 1: its state is not to be trusted.
 * Answers what takes the handlers off again.
 */
export const exitOnSignals = ({ log, stop, atMost, exit }: ExitDeps): (() => void) => {
  let leaving = false;
  const leave = (code: number): void => {
    if (leaving) {
      exit(1);
      return;
    }
    leaving = true;
    setTimeout(() => exit(1), atMost).unref();
    stop().then(
      () => exit(code),
      () => exit(1),
    );
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping');
    leave(0);
  };
  const onUncaught = (cause: unknown): void => {
    log.error({ cause }, 'uncaught');
    leave(1);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught);
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught);
  };
};
