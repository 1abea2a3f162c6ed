// What was heard from the hub, and what still keeps verdicts from resting on it. Messages come in, keys and revocations come out; no I/O.
import { createPublicKey } from 'node:crypto';
import { millisOf } from '../base/proto-time.ts';
import { CLOCK_SKEW, type Clock, type Instant, type Millis, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type {
  GetChangeHeadResponse,
  Heartbeat,
  Jwk,
  RevocationBlock,
  RevocationsBegin,
  WatchKeysResponse,
  WatchRevocationsResponse,
} from '../gen/securityhub/v1/token.ts';
import type { Freshness, Moment } from '../storage/freshness.ts';
import { fits } from '../tokens/keys/fits.ts';
import { ALGORITHMS } from '../tokens/jws.ts';
import type { Keyring, PublicJwk, VerificationKey } from '../tokens/keys/keyring.ts';
import { isWatermarkKind, type Mirror } from '../tokens/mirror.ts';
import { MAX_GRACE } from '../tokens/verify.ts';
import type { Rules } from './judge.ts';

export interface HeardDeps {
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly mirror: Mirror;
  readonly fresh: Freshness;
  /** Somebody should look at this. */
  problem(message: string, cause: unknown): void;
  /** Everything is known that the hub knew when it was last asked. */
  settled(): void;
}

export interface Heard {
  /** A message of the stream of revocations; answers how long the next one may take. */
  revocations(told: WatchRevocationsResponse, interval: Millis): Millis;
  keys(told: WatchKeysResponse): void;
  /** How far the hub has come, and its clock. `sent`: when it was asked. */
  head(told: GetChangeHeadResponse, sent: Moment): void;
  /** Why no verdict may be given, by what says so; null = nothing any more. All must be silent. */
  obstruct(by: string, why: string | null): void;
  /** The keys were told longer ago than this: they count no more. */
  expireKeys(age: Millis): void;
  /** Forgets revocations whose time has passed, some at a time; says whether there are more. */
  sweep(): boolean;
  /** From where a stream of revocations goes on. */
  position(): { readonly fromSeq: number; readonly generation: number };
  /** The next stream begins with everything. */
  startOver(): void;
  rules(): Rules | null;
  cursor(): number;
  /** The wall clock, never behind what it was at the last answer of the hub and the time that has passed since. */
  now(): Instant;
}

/** Answers to polls that wait for the stream to come as far. */
const WAITING = 64;
/** Revocations looked at in one turn. */
const SWEEP = 2000;

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

interface Asked {
  readonly sent: Moment;
  readonly seq: number;
  readonly generation: number;
}

export const createHeard = ({ clock, keyring, mirror, fresh, problem, settled }: HeardDeps): Heard => {
  let rules: Rules | null = null;
  let cursor = 0;
  let generation = 0;
  let keysAt: Millis | null = null;
  const obstacles = new Map<string, string>([
    ['keys', 'the keys have not come yet'],
    ['revocations', 'the revocations have not come yet'],
  ]);
  const waiting: Asked[] = [];
  let synced: Moment | null = null;

  const obstruct: Heard['obstruct'] = (by, why) => {
    if (why === null) obstacles.delete(by);
    else obstacles.set(by, why);
    if (obstacles.size === 0) fresh.clear();
    else fresh.block([...obstacles.values()].join('; '));
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
    settled();
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

  /** The hub's clock must lie between asking and answering: whoever is off by more would take what has expired. */
  const checkClock = (server: Timestamp | undefined, sent: Moment): void => {
    if (server === undefined) return;
    const at = millisOf(server);
    const off = at < sent.wall - CLOCK_SKEW ? at - sent.wall : at > clock.now() + CLOCK_SKEW ? at - clock.now() : 0;
    obstruct('clock', off === 0 ? null : `the clocks of this machine and the hub differ by ${Math.round(Math.abs(off) / 1000)} s`);
    if (off === 0) synced = { wall: clock.now(), monotonic: clock.monotonic() };
    else problem('the clock is wrong: the hub is asked for every verdict', new Error(obstacles.get('clock')));
  };

  return {
    obstruct,
    revocations({ message }, interval) {
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
            const until = one.until === undefined ? clock.now() + (rules?.longest ?? 0) + MAX_GRACE + CLOCK_SKEW : millisOf(one.until);
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
    },
    keys({ message }) {
      keysAt = clock.monotonic();
      if (message?.$case !== 'keys') return;
      keyring.replace(
        message.value.keys.map(keyOf).filter((key) => key !== null),
        null,
      );
      obstruct('keys', null);
    },
    head({ seq, generation: of, serverTime, staleness }, sent) {
      checkClock(serverTime, sent);
      const old = millisOf(staleness);
      waiting.push({ sent: { wall: sent.wall - old, monotonic: sent.monotonic - old }, seq, generation: of });
      if (waiting.length > WAITING) waiting.shift();
      settle();
    },
    expireKeys(age) {
      if (keysAt !== null && clock.monotonic() - keysAt > age) obstruct('keys', 'the keys are too old');
    },
    // By the hub's time: a clock that runs ahead for a moment must not make us forget.
    sweep: () => synced !== null && mirror.sweep(Math.min(clock.now(), synced.wall), SWEEP),
    position: () => ({ fromSeq: cursor, generation }),
    startOver() {
      cursor = 0;
    },
    rules: () => rules,
    cursor: () => cursor,
    now() {
      const wall = clock.now();
      return synced === null ? wall : Math.max(wall, synced.wall + clock.monotonic() - synced.monotonic);
    },
  };
};
