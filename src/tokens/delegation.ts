// Delegation (RFC 8693 §4.1): who acts for whom, through how many hands, and what is left of the token at each.
import { scopeCovers } from '../base/scope.ts';
import type { Instant, Millis } from '../base/time.ts';
import { type JsonObject, member } from './strict-json.ts';

/** One party that acts for the subject. */
export interface Actor {
  readonly subject: string;
  /** '' = us. */
  readonly issuer: string;
}

/** Of a token that was exchanged. */
export interface Delegation {
  /** The present actor first, then those through whose hands it came. */
  readonly actors: readonly Actor[];
  /** Ids of the tokens it was made from, the nearest first: when one of them is revoked, so is this. */
  readonly parents: readonly string[];
  /** The clients that had been given those: when one of them is ended, so is this. */
  readonly clients: readonly string[];
}

/** No chain that anybody accepts is longer; what an installation allows may be less. */
export const MAX_ACTORS = 8;

const text = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 1024;

/** The nested `act` claim, outermost actor first; null when it is not well-formed or too deep. */
export const readActors = (act: unknown): readonly Actor[] | null => {
  const actors: Actor[] = [];
  for (let at = act; at !== undefined; ) {
    if (at === null || typeof at !== 'object' || Array.isArray(at) || actors.length === MAX_ACTORS) return null;
    const [subject, issuer] = [member(at as JsonObject, 'sub'), member(at as JsonObject, 'iss')];
    if (!text(subject) || (issuer !== undefined && !text(issuer))) return null;
    actors.push({ subject, issuer: issuer ?? '' });
    at = member(at as JsonObject, 'act');
  }
  return actors;
};

/** As `act` is nested: the present actor outside. */
export const printActors = (actors: readonly Actor[]): JsonObject | undefined =>
  actors.reduceRight<JsonObject | undefined>(
    (inner, { subject, issuer }) => ({
      sub: subject,
      ...(issuer === '' ? {} : { iss: issuer }),
      ...(inner === undefined ? {} : { act: inner }),
    }),
    undefined,
  );

/** The scopes of the new token, or the first that was asked for and is not covered. No scopes at all means no cap, so they are never widened to none. */
export const narrowScopes = (held: readonly string[], asked: readonly string[]): readonly string[] | { readonly uncovered: string } => {
  if (asked.length === 0) return held;
  const uncovered = held.length === 0 ? undefined : asked.find((scope) => !scopeCovers(held, scope));
  return uncovered === undefined ? [...new Set(asked)] : { uncovered };
};

/** In whole seconds, never later than the token it is made from; null when nothing would be left. */
export const narrowLife = (
  now: Instant,
  subjectEnd: Instant,
  longest: Millis,
  asked: Millis,
): { readonly issuedAt: Instant; readonly expiresAt: Instant } | null => {
  const issuedAt = Math.floor(now / 1000) * 1000;
  const life = asked === 0 ? longest : Math.min(asked, longest);
  const expiresAt = Math.min(subjectEnd, issuedAt + Math.floor(life / 1000) * 1000);
  return expiresAt <= issuedAt ? null : { issuedAt, expiresAt };
};
