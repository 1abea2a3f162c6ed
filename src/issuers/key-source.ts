// The keys of one issuer over time: fetched when needed, by one fetch at a time, never in a flood, and kept when the issuer is away.
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise } from '../base/call.ts';
import { type Fault, toFault, unavailable } from '../base/fault.ts';
import { type Clock, type Instant, type Millis, minutes, seconds } from '../base/time.ts';
import { type IssuerKey, type IssuerKeySet, keepingKnown } from './jwks.ts';

/** What an issuer answered, and for how long it says that holds (0 = it says nothing). */
export interface Fetched {
  readonly keys: IssuerKeySet;
  readonly maxAge: Millis;
}

export interface KeySource {
  /**
   * The key with this id among the issuer's own, null where it has none. At once while what is known is young enough.
   * UNAVAILABLE / ISSUER_KEYS_UNAVAILABLE where the issuer cannot be asked and the answer depends on it.
   */
  key(kid: string): MaybePromise<IssuerKey | null>;
  state(): { readonly kids: readonly string[]; readonly fetchedAt: Instant | null; readonly problem: string };
}

export interface KeySourceDeps {
  readonly clock: Clock;
  /** A Fault's message says what is wrong. */
  readonly fetch: () => Promise<Fetched>;
  /** For how long the last good answer counts while the issuer cannot be asked. */
  readonly keep: Millis;
}

/** Between two fetches, whatever tokens say; after a failure the first tries come sooner. */
export const COOL_DOWN: Millis = seconds(30);
const FIRST_RETRY: Millis = seconds(1);
/** An id that the issuer did not have causes no fetch for so long (another fetch may still find it). */
const ABSENT: Millis = minutes(5);
const ABSENT_KIDS = 1024;
/** Keys are asked for again this long after they came: what the issuer says, within these. A withdrawn key lives on for as long, and until a refresh is overdue. */
const REFRESH = { least: minutes(1), usual: minutes(10), most: minutes(15) };
/** A refresh that is due is not waited for; one that is overdue is. */
const OVERDUE: Millis = minutes(1);

const within = (age: Millis): Millis => (age === 0 ? REFRESH.usual : Math.min(REFRESH.most, Math.max(REFRESH.least, age)));

/** Keys that stand in the registration itself: nothing is ever fetched. */
export const fixedKeys = (keys: IssuerKeySet): KeySource => ({
  key: (kid) => keys.get(kid) ?? null,
  state: () => ({ kids: [...keys.keys()], fetchedAt: null, problem: '' }),
});

export const createKeySource = ({ clock, fetch, keep }: KeySourceDeps): KeySource => {
  const absent = boundedMap<string, true>(ABSENT_KIDS);
  let keys: IssuerKeySet | null = null;
  let fetchedAt: Instant | null = null;
  // On the monotonic clock.
  let refreshAt = 0;
  let keptUntil = 0;
  let nextAttempt = 0;
  let failures = 0;
  let failed: Fault | null = null;
  let running: Promise<void> | null = null;

  const attempt = async (): Promise<void> => {
    try {
      const fetched = await fetch();
      const now = clock.monotonic();
      keys = keepingKnown(fetched.keys, keys);
      fetchedAt = clock.now();
      refreshAt = now + within(fetched.maxAge);
      keptUntil = now + keep;
      nextAttempt = now + COOL_DOWN;
      failures = 0;
      failed = null;
    } catch (thrown) {
      failed = toFault(thrown);
      nextAttempt = clock.monotonic() + Math.min(COOL_DOWN, FIRST_RETRY * 2 ** failures);
      failures += 1;
    } finally {
      running = null;
    }
  };

  const mayFetch = (): boolean => running !== null || clock.monotonic() >= nextAttempt;
  /** Whoever comes while a fetch runs waits for that one. */
  const fetched = (): Promise<void> => (running ??= attempt());

  const away = (): Fault =>
    unavailable('ISSUER_KEYS_UNAVAILABLE', `the keys of the issuer cannot be had: ${failed?.message ?? 'not fetched yet'}`, failed);

  /** What can be said without asking; undefined = the issuer must be asked. */
  const known = (kid: string): IssuerKey | null | undefined => {
    const now = clock.monotonic();
    if (keys === null || now >= keptUntil) {
      if (!mayFetch()) throw away();
      return undefined;
    }
    const found = keys.get(kid);
    if (found !== undefined) {
      if (now < refreshAt || !mayFetch()) return found;
      if (now >= refreshAt + OVERDUE) return undefined;
      void fetched();
      return found;
    }
    if (running === null && absent.get(kid, now) !== undefined) return null;
    if (mayFetch()) return undefined;
    // Asked a moment ago: the answer stands, unless there was none.
    if (failed !== null) throw away();
    return null;
  };

  const ask = async (kid: string): Promise<IssuerKey | null> => {
    await fetched();
    const now = clock.monotonic();
    if (keys === null || now >= keptUntil) throw away();
    const found = keys.get(kid);
    if (found !== undefined) return found;
    if (failed !== null) throw away();
    absent.set(kid, true, now + ABSENT);
    return null;
  };

  return {
    key(kid) {
      const answer = known(kid);
      return answer === undefined ? ask(kid) : answer;
    },
    state: () => ({ kids: [...(keys?.keys() ?? [])], fetchedAt, problem: failed?.message ?? '' }),
  };
};
