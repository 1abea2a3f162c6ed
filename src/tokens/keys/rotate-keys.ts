// Rotating signing keys: what is due by schedule, the next one by hand, and revoking one whose private half is no longer private.
import type { Call } from '../../base/call.ts';
import { type AuditEntry, eventOf } from '../../base/event.ts';
import { Fault } from '../../base/fault.ts';
import { days, type Instant, type Millis } from '../../base/time.ts';
import {
  activated,
  activeOf,
  freshKey,
  isAlive,
  type KeyChange,
  MOST_ACCEPTED,
  nextOf,
  nextStep,
  readyAt,
  revoked,
  type Step,
  type StoredKey,
  wantsKey,
} from './key-life.ts';
import { type Revoked, type ToldDeps, told } from '../revoke.ts';
import { type Decision, makeKey, type SigningKeysDeps } from './signing-keys.ts';

export type RotateDeps = Pick<SigningKeysDeps, 'clock' | 'keys' | 'jose' | 'sealer' | 'algorithm' | 'policy' | 'event'> &
  ToldDeps & {
    /** The key of this replica comes from files: they are what is to be replaced. */
    readonly fromFiles: boolean;
  };

export interface Rotation {
  /** Signs now. */
  readonly active: StoredKey;
  /** Will sign next; null where none is made yet. */
  readonly next: StoredKey | null;
  /** When it will; null where nothing is planned by hand. */
  readonly activatesAt: Instant | null;
  readonly revision: number;
}

export interface RotationWanted {
  /** Now, although verifiers may not have seen the next key. */
  readonly immediately: boolean;
  /** The key to be replaced, '' for whichever signs: a repeated call rotates once. */
  readonly expectedKid: string;
  readonly reason: string;
}

/** Whoever verifies by itself with an old copy of our keys remembers a revoked one so long. */
const REMEMBERED: Millis = days(30);

/** Everything that is due, one step a transaction. Safe to run anywhere, any number of times. */
export const keepKeys = (deps: RotateDeps) => async (): Promise<void> => {
  const { clock, keys, policy, event } = deps;
  for (;;) {
    const stored = await keys.list();
    const made = wantsKey(stored, policy) ? await makeKey(deps) : null;
    if (nextStep(stored, clock.now(), policy, made) === null) return;
    await keys.decide((now) => {
      const change = nextStep(now, clock.now(), policy, made);
      const kid = change?.puts.at(-1)?.kid ?? '';
      return { result: null, change, events: change === null || change.step === 'forgotten' ? [] : [event(change.step, kid)] };
    });
  }
};

const entryOf = (call: Call, step: Step, kid: string, over: Partial<AuditEntry>): AuditEntry =>
  eventOf(call, '', `signing_key.${step}`, `signing_key:${kid}`, over);

/** The next key signs: now, where verifiers have had the time to see it, else as soon as they have. */
export const rotateKey =
  (deps: RotateDeps) =>
  async ({ immediately, expectedKid, reason }: RotationWanted, call: Call): Promise<Rotation> => {
    if (deps.fromFiles)
      throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_HELD', 'the signing key comes from JWT_PRIVATE_KEY_PATH: replace the file');
    const { clock, keys, policy } = deps;
    const made = await makeKey(deps);
    const { result, revision } = await keys.decide((stored): Decision<Omit<Rotation, 'revision'>> => {
      const now = clock.now();
      const old = activeOf(stored);
      if (old === undefined) throw new Fault('UNAVAILABLE', 'SIGNING_KEY_MISSING', 'no signing key is active');
      if (expectedKid !== '' && old.kid !== expectedKid)
        throw new Fault('FAILED_PRECONDITION', 'SIGNING_KEY_CHANGED', 'another key signs by now', { meta: { active_kid: old.kid } });
      if (stored.filter(isAlive).length >= MOST_ACCEPTED)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `${MOST_ACCEPTED} keys are believed already: wait until some have retired`);
      const known = nextOf(stored);
      const next =
        known === undefined
          ? freshKey(made, 'published', now)
          : { ...known, state: 'published' as const, publishedAt: known.publishedAt ?? now };
      const at = readyAt(next, policy);
      if (immediately || at <= now) {
        const puts = activated(stored, next, now);
        const active = puts.at(-1) ?? next;
        const change: KeyChange = { step: 'activated', puts };
        const events = [entryOf(call, 'activated', active.kid, { reason, details: { replaces: old.kid, immediately } })];
        return { result: { active, next: null, activatesAt: null }, change, events };
      }
      const planned = { ...next, activateAt: at };
      const events = [entryOf(call, 'scheduled', next.kid, { reason, details: { replaces: old.kid, at: new Date(at).toISOString() } })];
      return { result: { active: old, next: planned, activatesAt: at }, change: { step: 'scheduled', puts: [planned] }, events };
    });
    return { ...result, revision };
  };

/** Refused everywhere from now on, whatever it has signed. Where it signed, the next key does. Revoking it again tells nobody anew. */
export const revokeKey =
  (deps: RotateDeps) =>
  async (kid: string, reason: string, wait: Millis, call: Call): Promise<Revoked & { readonly activeKid: string }> => {
    const { clock, keys } = deps;
    const made = await makeKey(deps);
    const { result, revision } = await keys.decide((stored) => {
      const now = clock.now();
      const key = stored.find((one) => one.kid === kid);
      if (key === undefined) throw new Fault('NOT_FOUND', 'SIGNING_KEY_NOT_FOUND', 'no signing key has this id');
      const standing = activeOf(stored)?.kid ?? '';
      if (key.revokedAt !== null) return { result: standing, change: null, events: [] };
      const change = revoked(stored, key, reason, now, made);
      const active = change.puts.find((one) => one.state === 'active')?.kid ?? standing;
      const events = [entryOf(call, 'revoked', kid, { reason, level: 'alert', details: { was: key.state, active_kid: active } })];
      return { result: active, change, revokes: { kid, until: now + REMEMBERED }, events };
    });
    return { ...(await told(deps, revision, wait)), activeKid: result };
  };

/** Newest first. */
export const listKeys = (deps: Pick<RotateDeps, 'keys'>) => async (): Promise<readonly StoredKey[]> =>
  (await deps.keys.list()).toSorted((a, b) => b.createdAt - a.createdAt || (a.kid < b.kid ? -1 : 1));
