// Hears from the hub what a process must know to judge tokens itself: keys and revocations by streams, and by asking how old all of that is.
import { Fault } from '../base/fault.ts';
import { type Clock, type Millis, seconds } from '../base/time.ts';
import type { TokenServiceService } from '../gen/securityhub/v1/token.ts';
import type { Freshness } from '../storage/freshness.ts';
import type { Keyring } from '../tokens/keys/keyring.ts';
import type { Mirror } from '../tokens/mirror.ts';
import type { Calls } from './calls.ts';
import { createHeard, type Heard } from './heard.ts';

export interface NewsDeps {
  readonly token: Pick<Calls<typeof TokenServiceService>, 'watchKeys' | 'watchRevocations' | 'getChangeHead'>;
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly mirror: Mirror;
  readonly fresh: Freshness;
  /** Tenants to hear of; none: all that this caller may. */
  readonly tenants: readonly string[];
  readonly maxStaleness: Millis;
  onProblem(message: string, cause: unknown): void;
}

export interface News extends Pick<Heard, 'rules' | 'cursor' | 'now'> {
  /** Begin anew, on another connection. */
  restart(): void;
  close(): void;
}

const POLL: Millis = seconds(2);
const PATIENCE: Millis = seconds(2);
/** Heartbeats that may be missed. */
const MISSED = 5;
const FIRST_PAUSE: Millis = 100;
const LONGEST_PAUSE: Millis = seconds(5);

/** Not ours any more: no use in trying to judge without asking. */
const isRefusal = (error: unknown): error is Fault =>
  error instanceof Fault && ['UNAUTHENTICATED', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'INVALID_ARGUMENT'].includes(error.code);

export const followNews = ({ token, clock, keyring, mirror, fresh, tenants, maxStaleness, onProblem }: NewsDeps): News => {
  let closed = false;
  let troubled = false;
  let round = new AbortController();

  const problem = (message: string, cause: unknown): void => {
    if (!troubled && !closed) onProblem(message, cause);
    troubled = true;
  };
  const settled = (): void => {
    troubled = false;
  };
  const heard = createHeard({ clock, keyring, mirror, fresh, problem, settled });

  const pause = (length: Millis): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, length);
      timer.unref();
      const { signal } = round;
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });

  /** Watches for ever: a stream that ended or fell silent is begun again, after a while where it failed. */
  const keepWatching = async (
    name: string,
    watch: (signal: AbortSignal, alive: (within: Millis) => void) => Promise<void>,
  ): Promise<void> => {
    for (let wait = FIRST_PAUSE; !closed; ) {
      const began = clock.monotonic();
      const silence = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const alive = (within: Millis): void => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), within * MISSED);
        timer.unref();
      };
      alive(PATIENCE);
      try {
        await watch(AbortSignal.any([silence.signal, round.signal]), alive);
      } catch (error) {
        if (error instanceof Fault && error.reason === 'SNAPSHOT_REQUIRED') heard.startOver();
        if (isRefusal(error)) heard.obstruct(name, `the hub refuses to tell the ${name}: ${error.reason}`);
        const usual = error instanceof Fault && (error.reason === 'STREAM_ENDED' || error.code === 'CANCELLED');
        if (!usual) problem(`the ${name} cannot be heard; the hub is asked instead, as soon as they are too old`, error);
      }
      clearTimeout(timer);
      if (clock.monotonic() - began > LONGEST_PAUSE) wait = FIRST_PAUSE;
      // Those who lost the same hub do not come back together.
      await pause(wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, LONGEST_PAUSE);
    }
  };

  const ask = async (): Promise<void> => {
    const sent = fresh.now();
    const head = await token.getChangeHead({}, { deadline: PATIENCE });
    heard.obstruct('head', null);
    heard.head(head, sent);
  };

  const sweep = (): void => {
    if (heard.sweep()) setImmediate(sweep);
  };

  const keepAsking = async (): Promise<void> => {
    while (!closed) {
      try {
        await ask();
      } catch (error) {
        if (isRefusal(error)) heard.obstruct('head', `the hub refuses to tell how far it has come: ${error.reason}`);
        problem('the hub cannot be asked how old the news are; it is asked for verdicts, as soon as they are too old', error);
      }
      heard.expireKeys(maxStaleness);
      sweep();
      await pause(POLL);
    }
  };

  void keepWatching('revocations', async (signal, alive) => {
    let interval: Millis = PATIENCE;
    for await (const told of token.watchRevocations({ tenantIds: [...tenants], ...heard.position() }, { signal })) {
      interval = heard.revocations(told, interval);
      alive(interval);
    }
  });
  void keepWatching('keys', async (signal, alive) => {
    for await (const told of token.watchKeys({}, { signal })) {
      heard.keys(told);
      alive(PATIENCE);
    }
  });
  void keepAsking();

  return {
    rules: heard.rules,
    cursor: heard.cursor,
    now: heard.now,
    restart() {
      const old = round;
      round = new AbortController();
      old.abort();
    },
    close() {
      closed = true;
      round.abort();
    },
  };
};
