// Believes the claims of a payload whose signature held, or says which one is wrong (RFC 9068 §4).
import type { Confirmation } from '../base/possession.ts';
import type { Restrictions } from '../base/constraints.ts';
import type { Millis } from '../base/time.ts';
import { claimReader, invalid } from './claim-reader.ts';
import { readConfirmation } from './confirmation.ts';
import { type Delegation, MAX_ACTORS, readActors } from './delegation.ts';
import type { Refusal } from './jws.ts';
import { KeptClaims, type Profile } from './kept-claims.ts';
import { readRestrictions } from './restrictions.ts';
import { type JsonObject, member } from './strict-json.ts';

const EMPTY: readonly never[] = [];

/** What many tokens share, kept once instead of once a token. */
const SHARED = 4096;
const profiles = new Map<string, Profile>();
const sharedRestrictions = new Map<string, Restrictions>();

const kept = <T>(of: Map<string, T>, value: T): T => {
  const key = JSON.stringify(value);
  const known = of.get(key);
  if (known !== undefined) return known;
  if (of.size >= SHARED) of.clear();
  of.set(key, value);
  return value;
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
export const readClaims = (payload: JsonObject, issuer: string, longest: Millis): KeptClaims | Refusal => {
  const read = claimReader(payload);
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
    restrictions: restrictions === null || typeof restrictions === 'string' ? null : kept(sharedRestrictions, restrictions),
  };
  const claims = new KeptClaims(kept(profiles, profile), {
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
