// The claims of our access tokens (RFC 9068 §2.2 and our own), and the rules that make them believable.
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Restrictions } from '../base/constraints.ts';
import { CLOCK_SKEW, type Instant, type Millis, type Seconds } from '../base/time.ts';
import { printConfirmation, readConfirmation } from './confirmation.ts';
import { type Delegation, MAX_ACTORS, printActors, readActors } from './delegation.ts';
import type { Refusal } from './jws.ts';
import { ReadClaims, type Profile } from './read-claims.ts';
import { readRestrictions, restrictionClaims } from './restrictions.ts';
import { type JsonObject, member } from './strict-json.ts';

/** RFC 9068 §2.1: what tells an access token from every other JWT that the same key may sign. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

export interface Claims {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: readonly string[];
  readonly expiresAt: Instant;
  readonly notBefore: Instant;
  readonly issuedAt: Instant;
  readonly tokenId: string;
  readonly clientId: string;
  readonly tenantId: TenantId;
  readonly role: string;
  /** Shown, never decisive. */
  readonly permissions: readonly string[];
  readonly scopes: readonly string[];
  readonly sessionId: string;
  readonly familyId: string;
  readonly deviceId: string;
  /** Hash of the device's fingerprint (`fingerprintOf`), '' where the login named none. */
  readonly fingerprint: string;
  /** '' unless the token is bound to an address. */
  readonly ipAddress: string;
  readonly mfaVerified: boolean;
  readonly riskLevel: string;
  /** From 0 to 1, as found at login. */
  readonly riskScore: number;
  readonly riskIndicators: readonly string[];
  readonly authMethod: string;
  readonly authTime: Instant;
  readonly acr: string;
  readonly amr: readonly string[];
  readonly confirmation: Confirmation | null;
  /** Who acts for the subject; null where it acts itself. */
  readonly delegation: Delegation | null;
  /** What else limits its use; null = nothing. The same object for tokens with the same restrictions. */
  readonly restrictions: Restrictions | null;
  /** Head of the change feed when it was issued: a watermark with a higher number refuses it. */
  readonly rsq: number;
  /** What it says of its limits was true at this number of the feed; 0 = nobody knows. */
  readonly limitsSeq: number;
}

/** The most permissions a token shows; it says nothing of the rest, because it decides nothing. */
export const MAX_SHOWN_PERMISSIONS = 64;

const toSeconds = (instant: Instant): Seconds => Math.floor(instant / 1000);

/** The payload of a token with these claims; empty claims are left out. */
export const payloadOf = (claims: Claims): Readonly<Record<string, unknown>> => ({
  iss: claims.issuer,
  sub: claims.subject,
  aud: claims.audience.length === 1 ? claims.audience[0] : claims.audience,
  exp: toSeconds(claims.expiresAt),
  nbf: toSeconds(claims.notBefore),
  iat: toSeconds(claims.issuedAt),
  jti: claims.tokenId,
  client_id: claims.clientId,
  tenant_id: claims.tenantId,
  ...(claims.role === '' ? {} : { role: claims.role }),
  permissions: claims.permissions.slice(0, MAX_SHOWN_PERMISSIONS),
  scope: claims.scopes.join(' '),
  sid: claims.sessionId,
  fam: claims.familyId,
  ...(claims.deviceId === '' ? {} : { device_id: claims.deviceId }),
  ...(claims.fingerprint === '' ? {} : { dfp: claims.fingerprint }),
  ...(claims.ipAddress === '' ? {} : { ip_address: claims.ipAddress }),
  mfa: claims.mfaVerified,
  risk_level: claims.riskLevel,
  ...(claims.riskScore === 0 ? {} : { risk_score: claims.riskScore, risk_indicators: claims.riskIndicators }),
  auth_method: claims.authMethod,
  auth_time: toSeconds(claims.authTime),
  acr: claims.acr,
  amr: claims.amr,
  ...(claims.confirmation === null ? {} : { cnf: printConfirmation(claims.confirmation) }),
  ...(claims.delegation === null
    ? {}
    : { act: printActors(claims.delegation.actors), prt: claims.delegation.parents, prc: claims.delegation.clients }),
  ...restrictionClaims(claims.restrictions),
  rsq: claims.rsq,
  ...(claims.limitsSeq === 0 ? {} : { lsq: claims.limitsSeq }),
});

const invalid = (claim: string, wanted: string): Refusal => ({ reason: 'CLAIM_INVALID', message: `claim "${claim}" must be ${wanted}` });

const EMPTY: readonly never[] = [];

/** What many tokens share, kept once instead of once a token. */
const SHARED = 4096;
const profiles = new Map<string, Profile>();
const sharedRestrictions = new Map<string, Restrictions>();

const once = <T>(kept: Map<string, T>, value: T): T => {
  const key = JSON.stringify(value);
  const known = kept.get(key);
  if (known !== undefined) return known;
  if (kept.size >= SHARED) kept.clear();
  kept.set(key, value);
  return value;
};

/** Reads claims one by one and remembers the first that is wrong. */
const reader = (payload: JsonObject) => {
  let problem: Refusal | null = null;
  const wrong = <T>(name: string, wanted: string, instead: T): T => {
    problem ??= invalid(name, wanted);
    return instead;
  };
  const text = (name: string, required: boolean): string => {
    const value = member(payload, name);
    if (value === undefined && !required) return '';
    return typeof value === 'string' && value.length <= 1024 && (value !== '' || !required) ? value : wrong(name, 'text', '');
  };
  const texts = (value: unknown, name: string): readonly string[] =>
    Array.isArray(value) && value.length <= 256 && value.every((item) => typeof item === 'string' && item.length <= 1024)
      ? (value as string[])
      : wrong(name, 'a list of texts', []);
  return {
    problem: () => problem,
    wrong,
    required: (name: string) => text(name, true),
    optional: (name: string) => text(name, false),
    list: (name: string) => (member(payload, name) === undefined ? [] : texts(member(payload, name), name)),
    /** `aud` is one text or a list (RFC 7519 §4.1.3). */
    audience: (): readonly string[] => {
      const value = member(payload, 'aud');
      const list = typeof value === 'string' ? [value] : texts(value, 'aud');
      return list.length > 0 && !list.includes('') ? list : wrong('aud', 'a text or a list of texts', []);
    },
    flag: (name: string): boolean => {
      const value = member(payload, name);
      return value === undefined ? false : typeof value === 'boolean' ? value : wrong(name, 'true or false', false);
    },
    count: (name: string): number => {
      const value = member(payload, name);
      return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : wrong(name, 'a whole number', 0);
    },
    /** From 0 to 1; absent is 0. */
    share: (name: string): number => {
      const value = member(payload, name) ?? 0;
      return typeof value === 'number' && value >= 0 && value <= 1 ? value : wrong(name, 'a number from 0 to 1', 0);
    },
    /** NumericDate (RFC 7519 §2), whole seconds, before the year 10000; texts are refused. */
    date: (name: string, fallback?: Instant): Instant => {
      const value = member(payload, name);
      if (value === undefined && fallback !== undefined) return fallback;
      return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 253_402_300_800
        ? (value as number) * 1000
        : wrong(name, 'a number of seconds', 0);
    },
  };
};

/** Of `cnf`: null where there is none, undefined where it is no object. */
const confirmationOf = (payload: JsonObject): Confirmation | null | undefined => {
  const value = member(payload, 'cnf');
  if (value === undefined) return null;
  return value === null || typeof value !== 'object' || Array.isArray(value) ? undefined : readConfirmation(value as JsonObject);
};

const isIds = (value: unknown, longest: number): value is string[] =>
  Array.isArray(value) && value.length <= MAX_ACTORS && value.every((id) => typeof id === 'string' && id.length <= longest);

/** Of `act`, and of `prt` and `prc` which go with it; undefined when they are not well-formed. Tokens of before have no `prc`. */
const delegationOf = (payload: JsonObject): Delegation | null | undefined => {
  const [act, parents, clients = []] = ['act', 'prt', 'prc'].map((name) => member(payload, name));
  if (act === undefined && parents === undefined) return null;
  const actors = readActors(act);
  if (actors === null || !isIds(parents, 256) || parents.length !== actors.length || !isIds(clients, 320)) return undefined;
  return { actors, parents, clients };
};

const split = (scope: string): readonly string[] => (scope === '' ? EMPTY : scope.split(' ').filter((part) => part !== ''));

/**
 * Claims from a payload whose signature held, or why not. Nothing here depends on the time of the call.
 * @param longest the longest life that is ever accepted: a token that claims more was not made by our rules.
 */
export const readClaims = (payload: JsonObject, issuer: string, longest: Millis): ReadClaims | Refusal => {
  const read = reader(payload);
  const iss = read.required('iss');
  if (read.problem() === null && iss !== issuer) return { reason: 'ISSUER_MISMATCH', message: 'the token comes from another issuer' };
  const issuedAt = read.date('iat');
  const confirmation = confirmationOf(payload);
  if (confirmation === undefined) read.wrong('cnf', 'an object', null);
  const delegation = delegationOf(payload);
  if (delegation === undefined) read.wrong('act', `a chain of at most ${MAX_ACTORS} actors, with "prt" naming as many tokens`, null);
  const restrictions = readRestrictions(payload);
  if (typeof restrictions === 'string') read.wrong(restrictions, 'as we write it', null);
  const profile: Profile = {
    issuer,
    audience: read.audience(),
    clientId: read.required('client_id'),
    tenantId: read.required('tenant_id'),
    role: read.optional('role'),
    permissions: read.list('permissions'),
    scopes: split(read.optional('scope')),
    mfaVerified: read.flag('mfa'),
    riskLevel: read.optional('risk_level'),
    riskScore: read.share('risk_score'),
    riskIndicators: read.list('risk_indicators'),
    authMethod: read.optional('auth_method'),
    acr: read.optional('acr'),
    amr: read.list('amr'),
    restrictions: restrictions === null || typeof restrictions === 'string' ? null : once(sharedRestrictions, restrictions),
  };
  const claims = new ReadClaims(once(profiles, profile), {
    subject: read.required('sub'),
    expiresAt: read.date('exp'),
    notBefore: read.date('nbf', issuedAt),
    issuedAt,
    tokenId: read.required('jti'),
    sessionId: read.required('sid'),
    familyId: read.required('fam'),
    deviceId: read.optional('device_id'),
    fingerprint: read.optional('dfp'),
    ipAddress: read.optional('ip_address'),
    authTime: read.date('auth_time', issuedAt),
    confirmation: confirmation ?? null,
    delegation: delegation ?? null,
    rsq: read.count('rsq'),
    limitsSeq: member(payload, 'lsq') === undefined ? 0 : read.count('lsq'),
  });
  const problem = read.problem();
  if (problem !== null) return problem;
  const life = claims.expiresAt - claims.issuedAt;
  if (life <= 0 || life > longest) return invalid('exp', 'after "iat", and no later than the longest life of a token');
  return claims;
};

/**
 * May a token with these claims be used now? `grace` lets an expired one live on; the future is met with CLOCK_SKEW, the past with none,
 * so that no token outlives the end it names.
 */
export const timing = (
  claims: Pick<Claims, 'expiresAt' | 'notBefore' | 'issuedAt'>,
  now: Instant,
  grace: Millis,
): 'valid' | 'in_grace' | 'expired' | 'not_yet_valid' => {
  if (claims.issuedAt > now + CLOCK_SKEW || claims.notBefore > now + CLOCK_SKEW) return 'not_yet_valid';
  if (now < claims.expiresAt) return 'valid';
  return now < claims.expiresAt + grace ? 'in_grace' : 'expired';
};
