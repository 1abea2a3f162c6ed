// Verifying an access token: cold with one signature check, warm with one hash. Refusals never push out what is valid.
import { hash } from 'node:crypto';
import { type Bounded, boundedEntries, boundedMap } from '../base/bounded.ts';
import type { Payer } from '../base/call.ts';
import { type Instant, type Millis, minutes, type Seconds, seconds } from '../base/time.ts';
import { ACTIVITY_STEP } from './activity.ts';
import { ACCESS_TOKEN_TYPE, timing } from './claims.ts';
import { MAX_TOKEN, parseJws, type Refusal } from './jws.ts';
import type { Keyring } from './keys/keyring.ts';
import { KeptClaims } from './kept-claims.ts';
import { readClaims } from './read-claims.ts';
import { signatureHolds } from './signature.ts';
import { strictJsonObject } from './strict-json.ts';

/** A token whose signature held; the answer while it is valid, made once so that the warm path allocates nothing. */
export interface Entry {
  readonly ok: true;
  readonly claims: KeptClaims;
  readonly inGrace: boolean;
}

/** `claims` are there when the signature held and only time is against the token. */
export type Rejected = { readonly ok: false; readonly claims: KeptClaims | null } & Refusal;

/** Room for what somebody makes of a token and keeps as long as it is kept here: half of what a WeakMap takes, and nothing to search. */
export interface Slot {
  made: unknown;
}

export type Verified = (Entry & { readonly slot: Slot }) | Rejected;

/** The longest grace a verdict may give (contract, ValidateToken). */
export const MAX_GRACE: Millis = seconds(60);
const REFUSALS = 4096;
const STEP: Seconds = ACTIVITY_STEP / 1000;

interface Count {
  inc(): void;
}

export interface VerifierOptions extends Examiner {
  readonly keyring: Keyring;
  /** Verdicts kept in memory. */
  readonly capacity: number;
  /** A token that is valid now was shown; once a step of ACTIVITY_STEP a token. */
  readonly onSeen?: (claims: KeptClaims, now: Instant) => void;
  /** Asked for before a signature is checked for somebody; throws where that somebody has used its part up. */
  readonly pay: (payer: Payer) => void;
  /** Tokens known as good, known as bad, and looked at. */
  readonly count: Readonly<Record<'hit' | 'refused' | 'miss', Count>>;
}

export interface Verifier {
  /**
   * `digest`: `digestOf(token)`, where the caller has kept it. `payer`: for whom a signature is checked; left out: for ourselves.
   * RESOURCE_EXHAUSTED / BUDGET_EXHAUSTED.
   */
  verify(token: string, now: Instant, grace?: Millis, digest?: string, payer?: Payer): Verified;
  readonly size: number;
}

const refused = (refusal: Refusal, claims: KeptClaims | null = null): Rejected => ({ ok: false, ...refusal, claims });

/** What a token is examined by: the hub's rules, and those of whoever judges in its place. */
export interface Examiner {
  readonly keyring: Pick<Keyring, 'get'>;
  readonly issuer: string;
  /** The longest life that is ever accepted. */
  readonly longest: Millis;
}

/**
 * Strictly in this order, each step with its own reason; nothing of the payload is read before the signature held. Remembers nothing.
 * `beforeCheck` is called once all is done but what costs.
 */
export const examine = (token: string, { keyring, issuer, longest }: Examiner, beforeCheck = (): void => {}): KeptClaims | Refusal => {
  const jws = parseJws(token, ACCESS_TOKEN_TYPE);
  if ('reason' in jws) return jws;
  const key = keyring.get(jws.kid);
  if (key === undefined) return { reason: 'KEY_UNKNOWN', message: 'the token names no key that we know' };
  if (key.algorithm !== jws.algorithm) return { reason: 'ALGORITHM_NOT_ALLOWED', message: 'the key is not used with that algorithm' };
  beforeCheck();
  if (!signatureHolds(key.algorithm, key.key, jws.signed, jws.signature))
    return { reason: 'SIGNATURE_INVALID', message: 'the signature does not hold' };
  const payload = strictJsonObject(jws.payload);
  if (payload === null) return { reason: 'TOKEN_MALFORMED', message: 'the payload is not a JSON object with unique members' };
  return readClaims(payload, issuer, longest);
};

const EXPIRED: Refusal = { reason: 'TOKEN_EXPIRED', message: 'the token has expired' };
const EARLY: Refusal = { reason: 'TOKEN_NOT_YET_VALID', message: 'the token comes from the future' };

/** What time says of a token whose signature held. */
export const judged = <E extends Entry>(entry: E, now: Instant, grace: Millis, graced: (entry: E) => E): E | Rejected => {
  switch (timing(entry.claims, now, grace)) {
    case 'valid':
      return entry;
    case 'in_grace':
      return graced(entry);
    case 'expired':
      return refused(EXPIRED, entry.claims);
    case 'not_yet_valid':
      return refused(EARLY, entry.claims);
  }
};

/** By what a token is known here: SHA-256 of all of it. */
export const digestOf = (token: string): string => hash('sha256', token, 'latin1');

/** Kept: the claims, the verdict, the room beside it, and its place in the cache as one object. */
class Remembered extends KeptClaims implements Entry, Slot, Bounded {
  made: unknown = null;
  used = false;
  /** The second in which it was last said to have been seen. */
  seen: Seconds = 0;

  constructor(claims: KeptClaims) {
    super(claims.profile, claims);
  }
  get claims(): KeptClaims {
    return this;
  }
  get ok(): true {
    return true;
  }
  get inGrace(): boolean {
    return false;
  }
  get slot(): Slot {
    return this;
  }
  get until(): Instant {
    return this.expiresAt + MAX_GRACE;
  }
}

type Accepted = Verified & { readonly ok: true };
const graced = ({ claims, slot }: Accepted): Accepted => ({ ok: true, claims, inGrace: true, slot });

export const createVerifier = (options: VerifierOptions): Verifier => {
  // Keyed on the SHA-256 of the whole token: nothing that an attacker can choose apart from it (no jti, no kid, no subject).
  const accepted = boundedEntries<string, Remembered>(options.capacity);
  const refusals = boundedMap<string, Verified>(REFUSALS);
  const { hit, refused: again, miss } = options.count;
  options.keyring.onChange((lost) => {
    // A new key changes nothing for tokens that others have signed.
    if (lost) accepted.clear();
    refusals.clear();
  });

  /** Only what is valid now was seen. */
  const seen = (entry: Remembered, verdict: Verified, now: Instant): Verified => {
    if (verdict === entry) {
      const second = Math.floor(now / 1000);
      if (second - entry.seen >= STEP) {
        entry.seen = second;
        options.onSeen?.(entry, now);
      }
    }
    return verdict;
  };

  const cold = (token: string, digest: string, now: Instant, grace: Millis, payer: Payer | undefined): Verified => {
    const claims = examine(token, options, () => {
      if (payer !== undefined) options.pay(payer);
    });
    if ('reason' in claims) {
      const verdict = refused(claims);
      // What cost a signature check is worth remembering; an unknown key may become known.
      if (claims.reason !== 'KEY_UNKNOWN') refusals.set(digest, verdict, now + minutes(1));
      return verdict;
    }
    const entry = new Remembered(claims);
    const verdict = seen(entry, judged<Accepted>(entry, now, grace, graced), now);
    if (entry.until > now) accepted.set(digest, entry);
    // The same words again: one that is over and not yet begun is the latter.
    else refusals.set(digest, verdict, now + minutes(1));
    return verdict;
  };

  return {
    verify(token, now, grace = 0, known, payer) {
      if (token.length > MAX_TOKEN) return refused({ reason: 'TOKEN_TOO_LARGE', message: `a token has at most ${MAX_TOKEN} bytes` });
      const digest = known ?? digestOf(token);
      const entry = accepted.get(digest, now);
      if (entry !== undefined) {
        hit.inc();
        return seen(entry, judged<Accepted>(entry, now, grace > MAX_GRACE ? MAX_GRACE : grace, graced), now);
      }
      const refusal = refusals.get(digest, now);
      if (refusal !== undefined) {
        again.inc();
        return refusal;
      }
      miss.inc();
      return cold(token, digest, now, grace > MAX_GRACE ? MAX_GRACE : grace, payer);
    },
    get size() {
      return accepted.size;
    },
  };
};
