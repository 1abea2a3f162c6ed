// The life of signing keys as rules: pending → published → active → retiring → retired. Nobody signs with a key before verifiers know it.
import type { Instant, Millis } from '../../base/time.ts';
import type { Algorithm } from '../jws.ts';
import type { KeyState, PublicJwk } from './keyring.ts';

export interface StoredKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly state: KeyState;
  /** held: a file or a device keeps the private half. Published while somebody signs with it, never active. */
  readonly source: 'stored' | 'held';
  readonly publicJwk: PublicJwk;
  /** null: not ours to keep. */
  readonly privateSealed: Buffer | null;
  readonly createdAt: Instant;
  readonly publishedAt: Instant | null;
  /** Asked for by hand: it signs from then on. */
  readonly activateAt: Instant | null;
  readonly activatedAt: Instant | null;
  readonly retiringAt: Instant | null;
  readonly retiredAt: Instant | null;
  /** When a replica last said that it has this held key. */
  readonly seenAt: Instant | null;
  readonly revokedAt: Instant | null;
  readonly revokedReason: string;
}

export interface KeyPolicy {
  /** How long a key signs; 0 = until somebody asks for the next. */
  readonly rotation: Millis;
  /** How long verifiers can see a key before it signs. */
  readonly ahead: Millis;
  /** How long a token may live that a key signed last. */
  readonly overlap: Millis;
  /** Within this every replica has heard of a key. */
  readonly told: Millis;
}

/** A key that nobody has seen yet. */
export type FreshKey = Pick<StoredKey, 'kid' | 'algorithm' | 'publicJwk' | 'source' | 'privateSealed'>;

/** What a step is called in the audit log; nobody needs to hear of what was only `seen`. */
export type Step = 'seen' | 'created' | 'published' | 'activated' | 'retiring' | 'retired' | 'scheduled' | 'revoked' | 'forgotten';

export interface KeyChange {
  readonly step: Step;
  /** As they are from now on, in the order in which they must be stored. */
  readonly puts: readonly StoredKey[];
  /** Of keys that are gone for good. */
  readonly removes?: readonly string[];
}

/** A held key that no replica has had for this long is not used any more. */
const UNSEEN: Millis = 600_000;
/** Retired keys stay in the list this long. */
const HISTORY: Millis = 90 * 86_400_000;
/** Verifiers download all accepted keys; more than this at once is somebody's loop. */
export const MOST_ACCEPTED = 20;

export const isAlive = ({ state }: Pick<StoredKey, 'state'>): boolean => state !== 'retired';
const ours = (keys: readonly StoredKey[]): readonly StoredKey[] => keys.filter((key) => key.source === 'stored');
export const activeOf = (keys: readonly StoredKey[]): StoredKey | undefined => keys.find((key) => key.state === 'active');
/** The key that will sign next. */
export const nextOf = (keys: readonly StoredKey[]): StoredKey | undefined =>
  ours(keys).find((key) => key.state === 'pending' || key.state === 'published');

export const freshKey = (key: FreshKey, state: KeyState, now: Instant): StoredKey => ({
  ...key,
  state,
  createdAt: now,
  publishedAt: state === 'pending' ? null : now,
  activateAt: null,
  activatedAt: state === 'active' ? now : null,
  retiringAt: null,
  retiredAt: null,
  seenAt: key.source === 'held' ? now : null,
  revokedAt: null,
  revokedReason: '',
});

/** From when on verifiers have had the time to see it. */
export const readyAt = (key: StoredKey, policy: Pick<KeyPolicy, 'ahead'>): Instant =>
  key.publishedAt === null ? Number.POSITIVE_INFINITY : key.publishedAt + policy.ahead;

/** The new key first leaves the old one's place to it: the database knows one active key. */
export const activated = (keys: readonly StoredKey[], next: StoredKey, now: Instant): readonly StoredKey[] => {
  const old = activeOf(keys);
  const puts: readonly StoredKey[] = [
    { ...next, state: 'active', publishedAt: next.publishedAt ?? now, activatedAt: now, activateAt: null },
  ];
  return old === undefined || old.kid === next.kid ? puts : [{ ...old, state: 'retiring', retiringAt: now }, ...puts];
};

/** The key whose place the active one took; it verifies everywhere. undefined: there was none, or it was revoked. */
export const predecessorOf = (keys: readonly StoredKey[], active: StoredKey): StoredKey | undefined =>
  ours(keys).find((key) => key.state === 'retiring' && key.retiringAt === active.activatedAt && key.revokedAt === null);

const dueAt = (active: StoredKey, next: StoredKey, { rotation }: KeyPolicy): Instant =>
  Math.min(
    next.activateAt ?? Number.POSITIVE_INFINITY,
    rotation === 0 ? Number.POSITIVE_INFINITY : (active.activatedAt ?? active.createdAt) + rotation,
  );

/** Does the schedule want a key to be made? Only beside one that signs: the first is made at the first start. */
export const wantsKey = (keys: readonly StoredKey[], { rotation }: KeyPolicy): boolean =>
  rotation > 0 && activeOf(keys) !== undefined && nextOf(keys) === undefined;

/**
 * The one next thing that is due, or null. Each is stored by itself: whoever dies in between leaves a state from which the next goes on.
 * @param made a key in case one is wanted.
 */
export const nextStep = (keys: readonly StoredKey[], now: Instant, policy: KeyPolicy, made: FreshKey | null): KeyChange | null => {
  const active = activeOf(keys);
  const next = nextOf(keys);
  if (wantsKey(keys, policy)) return made === null ? null : { step: 'created', puts: [freshKey(made, 'pending', now)] };
  if (next?.state === 'pending') return { step: 'published', puts: [{ ...next, state: 'published', publishedAt: now }] };
  if (active !== undefined && next !== undefined && now >= Math.max(readyAt(next, policy), dueAt(active, next, policy)))
    return { step: 'activated', puts: activated(keys, next, now) };
  const unused = keys.find((key) => key.source === 'held' && key.state === 'published' && (key.seenAt ?? key.createdAt) + UNSEEN <= now);
  if (unused !== undefined) return { step: 'retiring', puts: [{ ...unused, state: 'retiring', retiringAt: now }] };
  const over = keys.find((key) => key.state === 'retiring' && (key.retiringAt ?? now) + policy.overlap <= now);
  if (over !== undefined) return { step: 'retired', puts: [{ ...over, state: 'retired', retiredAt: now }] };
  // What was revoked is remembered: it could come back as a file.
  const old = keys.filter((key) => key.state === 'retired' && key.revokedAt === null && (key.retiredAt ?? now) + HISTORY <= now);
  return old.length === 0 ? null : { step: 'forgotten', puts: [], removes: old.map((key) => key.kid) };
};

/** Never believed again. Where it signed, the next key does from now on, seen by verifiers or not. */
export const revoked = (keys: readonly StoredKey[], key: StoredKey, reason: string, now: Instant, made: FreshKey): KeyChange => {
  const gone: StoredKey = {
    ...key,
    state: 'retired',
    activateAt: null,
    retiredAt: key.retiredAt ?? now,
    revokedAt: now,
    revokedReason: reason,
  };
  if (key.state !== 'active') return { step: 'revoked', puts: [gone] };
  const rest = keys.filter((one) => one.kid !== key.kid);
  const next = nextOf(rest) ?? freshKey(made, 'published', now);
  return { step: 'revoked', puts: [gone, ...activated(rest, next, now)] };
};

/** A held key that somebody has now; null where nothing is to be stored. A revoked one stays so. */
export const seen = (keys: readonly StoredKey[], key: FreshKey, now: Instant, signs: boolean): KeyChange | null => {
  const known = keys.find((one) => one.kid === key.kid);
  if (known === undefined) return { step: 'published', puts: [{ ...freshKey(key, 'published', now), activatedAt: signs ? now : null }] };
  if (known.source === 'stored' || known.revokedAt !== null) return null;
  const back = known.state !== 'published';
  const first = signs && known.activatedAt === null;
  if (!back && !first && (known.seenAt ?? 0) + UNSEEN / 4 > now) return null;
  const puts: readonly StoredKey[] = [
    {
      ...known,
      state: 'published',
      publishedAt: back ? now : known.publishedAt,
      activatedAt: signs ? (known.activatedAt ?? now) : known.activatedAt,
      retiringAt: null,
      retiredAt: null,
      seenAt: now,
    },
  ];
  return { step: back ? 'published' : first ? 'activated' : 'seen', puts };
};
