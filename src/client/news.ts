// What a process must hear from the hub to judge tokens itself: keys, revocations, and how old all of that is.
import { createPublicKey } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { CLOCK_SKEW, type Clock, type Instant, type Millis, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type {
  Heartbeat,
  Jwk,
  RevocationBlock,
  RevocationsBegin,
  TokenServiceService,
  WatchKeysResponse,
  WatchRevocationsResponse,
} from '../gen/securityhub/v1/token.ts';
import type { Freshness, Moment } from '../storage/freshness.ts';
import { fits } from '../tokens/fits.ts';
import { ALGORITHMS } from '../tokens/jws.ts';
import type { Keyring, PublicJwk, VerificationKey } from '../tokens/keyring.ts';
import { isWatermarkKind, type Mirror } from '../tokens/mirror.ts';
import { MAX_GRACE } from '../tokens/verify.ts';
import type { Calls } from './calls.ts';
import type { Rules } from './judge.ts';

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

export interface News {
  rules(): Rules | null;
  cursor(): number;
  /** The wall clock, never behind what it was at the last answer of the hub and the time that has passed since. */
  now(): Instant;
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
/** Answers to polls that wait for the stream to come as far. */
const WAITING = 64;

const instant = ({ seconds: whole, nanos }: Timestamp): Instant => whole * 1000 + nanos / 1e6;

/** A key as the hub published it, or null where it is of no use to us. */
const keyOf = (jwk: Jwk): VerificationKey | null => {
  const algorithm = ALGORITHMS.find((name) => name === jwk.alg);
  if (algorithm === undefined || jwk.kid === '') return null;
  const members = Object.fromEntries(Object.entries(jwk).filter(([, value]) => value !== '')) as PublicJwk;
  try {
    const key = createPublicKey({ key: members, format: 'jwk' });
    return fits(key, algorithm) ? { kid: jwk.kid, algorithm, key, jwk: members } : null;
  } catch {
    return null;
  }
};

/** Not ours any more: no use in trying to judge without asking. */
const isRefusal = (error: unknown): error is Fault =>
  error instanceof Fault && ['UNAUTHENTICATED', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'INVALID_ARGUMENT'].includes(error.code);

interface Asked {
  readonly sent: Moment;
  readonly seq: number;
  readonly generation: number;
}

export const followNews = (deps: NewsDeps): News => {
  const { token, clock, keyring, mirror, fresh } = deps;
  let rules: Rules | null = null;
  let cursor = 0;
  let generation = 0;
  let keysAt: Millis | null = null;
  // Why no verdict may be given, by what says so; all must be silent.
  const obstacles = new Map<string, string>([
    ['keys', 'the keys have not come yet'],
    ['revocations', 'the revocations have not come yet'],
  ]);
  const waiting: Asked[] = [];
  let synced: Moment | null = null;
  let closed = false;
  let troubled = false;
  let round = new AbortController();

  const obstruct = (by: string, why: string | null): void => {
    if (why === null) obstacles.delete(by);
    else obstacles.set(by, why);
    if (obstacles.size === 0) fresh.clear();
    else fresh.block([...obstacles.values()].join('; '));
  };

  const problem = (message: string, cause: unknown): void => {
    if (!troubled && !closed) deps.onProblem(message, cause);
    troubled = true;
  };

  /** What was asked before the stream had come as far counts from when it was sent. */
  const settle = (): void => {
    let reached: Asked | null = null;
    // Before the watch has begun nobody knows whose numbers count.
    while (rules !== null && waiting[0] !== undefined && (waiting[0].generation !== generation || waiting[0].seq <= cursor)) {
      const next = waiting.shift() as Asked;
      if (next.generation === generation) reached = next;
    }
    if (reached === null) return;
    fresh.asOf(reached.sent);
    troubled = false;
  };

  const apply = (kind: string, tenantId: string, key: string, seq: number, until: Instant, detail: string): void => {
    if (isWatermarkKind(kind)) mirror.apply({ kind, tenantId, key, seq, until, detail });
    else if (kind === 'signing_key') keyring.revoke({ key, seq, until, detail });
    else obstruct('unknown', `the hub revokes something this client does not know: "${kind}"`);
  };

  const applyBlock = ({ kind, tenantId, detail, keys, seqs, untilSeconds }: RevocationBlock): void => {
    for (let at = 0; at < keys.length; at++)
      apply(kind, tenantId, keys[at] as string, seqs[at] ?? Number.MAX_SAFE_INTEGER, (untilSeconds[at] ?? 0) * 1000, detail);
  };

  const begin = (told: RevocationsBegin): Millis => {
    ({ generation } = told);
    if (told.resumed) obstruct('revocations', null);
    else {
      obstruct('revocations', 'the revocations are being loaded');
      obstruct('unknown', null);
      // Another replica may know less than we did: what we measured before says nothing of what follows.
      fresh.asOf({ wall: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY });
      cursor = 0;
      mirror.clear();
    }
    const longest = (told.longestTokenLife?.seconds ?? 0) * 1000;
    const { issuer, audiences, anyAudience, tenantIds } = told;
    rules = { issuer, longest, tenants: new Set(tenantIds), audiences, anyAudience };
    return Math.max(seconds(1), (told.heartbeatInterval?.seconds ?? 1) * 1000);
  };

  const beat = (heartbeat: Heartbeat): void => {
    if (heartbeat.generation !== generation) return;
    cursor = Math.max(cursor, heartbeat.seq);
    settle();
  };

  /** Answers how long to wait for the next message. */
  const take = ({ message }: WatchRevocationsResponse, interval: Millis): Millis => {
    switch (message?.$case) {
      case 'begin':
        return begin(message.value);
      case 'snapshot':
        for (const block of message.value.blocks) applyBlock(block);
        if (message.value.last) obstruct('revocations', null);
        return interval;
      case 'events':
        for (const one of message.value.revocations) {
          // What names no end is kept as long as any token could live.
          const until = one.until === undefined ? clock.now() + (rules?.longest ?? 0) + MAX_GRACE + CLOCK_SKEW : instant(one.until);
          apply(one.kind, one.tenantId, one.key, one.seq, until, one.detail);
        }
        return interval;
      case 'heartbeat':
        beat(message.value);
        return interval;
      default:
        obstruct('unknown', 'the hub tells something that this client does not know');
        return interval;
    }
  };

  const takeKeys = ({ message }: WatchKeysResponse): void => {
    keysAt = clock.monotonic();
    if (message?.$case !== 'keys') return;
    keyring.replace(
      message.value.keys.map(keyOf).filter((key) => key !== null),
      null,
    );
    obstruct('keys', null);
  };

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
        if (error instanceof Fault && error.reason === 'SNAPSHOT_REQUIRED') cursor = 0;
        if (isRefusal(error)) obstruct(name, `the hub refuses to tell the ${name}: ${error.reason}`);
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

  void keepWatching('revocations', async (signal, alive) => {
    let interval: Millis = PATIENCE;
    for await (const told of token.watchRevocations({ tenantIds: [...deps.tenants], fromSeq: cursor, generation }, { signal })) {
      interval = take(told, interval);
      alive(interval);
    }
  });
  void keepWatching('keys', async (signal, alive) => {
    for await (const told of token.watchKeys({}, { signal })) {
      takeKeys(told);
      alive(PATIENCE);
    }
  });

  /** The hub's clock must lie between asking and answering: whoever is off by more would take what has expired. */
  const checkClock = (server: Timestamp | undefined, sent: Moment): void => {
    if (server === undefined) return;
    const at = instant(server);
    const off = at < sent.wall - CLOCK_SKEW ? at - sent.wall : at > clock.now() + CLOCK_SKEW ? at - clock.now() : 0;
    obstruct('clock', off === 0 ? null : `the clocks of this machine and the hub differ by ${Math.round(Math.abs(off) / 1000)} s`);
    if (off === 0) synced = { wall: clock.now(), monotonic: clock.monotonic() };
    else problem('the clock is wrong: the hub is asked for every verdict', new Error(obstacles.get('clock')));
  };

  const ask = async (): Promise<void> => {
    const sent = fresh.now();
    const head = await token.getChangeHead({}, { deadline: PATIENCE });
    obstruct('head', null);
    checkClock(head.serverTime, sent);
    const old = head.staleness === undefined ? 0 : head.staleness.seconds * 1000 + head.staleness.nanos / 1e6;
    waiting.push({ sent: { wall: sent.wall - old, monotonic: sent.monotonic - old }, seq: head.seq, generation: head.generation });
    if (waiting.length > WAITING) waiting.shift();
    settle();
  };

  const sweep = (): void => {
    // By the hub's time: a clock that runs ahead for a moment must not make us forget.
    if (synced !== null && mirror.sweep(Math.min(clock.now(), synced.wall), 2000)) setImmediate(sweep);
  };

  const keepAsking = async (): Promise<void> => {
    while (!closed) {
      try {
        await ask();
      } catch (error) {
        if (isRefusal(error)) obstruct('head', `the hub refuses to tell how far it has come: ${error.reason}`);
        problem('the hub cannot be asked how old the news are; it is asked for verdicts, as soon as they are too old', error);
      }
      if (keysAt !== null && clock.monotonic() - keysAt > deps.maxStaleness) obstruct('keys', 'the keys are too old');
      sweep();
      await pause(POLL);
    }
  };
  void keepAsking();

  return {
    rules: () => rules,
    cursor: () => cursor,
    now() {
      const wall = clock.now();
      return synced === null ? wall : Math.max(wall, synced.wall + clock.monotonic() - synced.monotonic);
    },
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
