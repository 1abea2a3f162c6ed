// What a foreign token's claims mean here: subject, roles, scopes and the ids that our revocations know it by. Pure; the signature held.
import { hash } from 'node:crypto';
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';
import type { Refusal } from '../tokens/tokens.ts';
import { type ClaimMapping, isForeignKind, type TrustedIssuer, trustDomainOf } from './issuer.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Everything a verdict needs of it. Ids marked here begin with the issuer's name: they meet none of ours. */
export interface ForeignClaims {
  readonly tenantId: TenantId;
  readonly issuer: string;
  readonly subjectType: 'user' | 'service';
  /** Our id of the subject. */
  readonly subject: string;
  /** The roles it brings; null where the subject is registered here and has its own. */
  readonly roles: readonly string[] | null;
  readonly audience: readonly string[];
  readonly scopes: readonly string[];
  readonly issuedAt: Instant;
  readonly notBefore: Instant;
  /** Its `exp`, or the end of the time for which we remember revocations, whichever is sooner. */
  readonly expiresAt: Instant;
  readonly clientId: string;
  readonly sessionId: string;
  readonly familyId: '';
  readonly tokenId: string;
  readonly authTime: Instant | null;
  readonly acr: string;
  readonly amr: readonly string[];
  readonly mfaVerified: boolean;
  readonly confirmation: Confirmation | null;
  /** As the token itself says, for people. */
  readonly said: { readonly subject: string; readonly clientId: string; readonly sessionId: string; readonly tokenId: string };
}

const own = (object: Json, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

/** A claim by its name, or by a JSON pointer where the name begins with `/` (RFC 6901 §4). Own members only. */
export const claimAt = (payload: Json, name: string): unknown => {
  if (!name.startsWith('/')) return own(payload, name);
  let value: unknown = payload;
  for (const step of name.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = own(value as Json, step.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return value;
};

const MAX_TEXT = 1024;
const MAX_LIST = 512;

/**
 * What JSON can spell and no database and no proto can hold, a NUL or half a surrogate pair, is no text: an id with one could be given
 * nothing, and no revocation could name it.
 */
const textOf = (value: unknown): string =>
  typeof value === 'string' && value.length <= MAX_TEXT && value.isWellFormed() && !value.includes('\0') ? value : '';

/** A list of texts, or words between blanks. */
const wordsOf = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? value.split(' ').filter((word) => word !== '')
    : Array.isArray(value)
      ? value.filter((item): item is string => typeof item === 'string' && item !== '' && item.length <= MAX_TEXT).slice(0, MAX_LIST)
      : [];

/** NumericDate (RFC 7519 §2), fractions allowed, before the year 10000; 0 for anything else. */
const dateOf = (value: unknown): Instant =>
  typeof value === 'number' && value > 0 && value < 253_402_300_800 ? Math.floor(value * 1000) : 0;

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const NAME = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?';
const WORKLOADS = [
  new RegExp(`^system:serviceaccount:(${LABEL}):(${NAME})$`),
  new RegExp(`^spiffe://[a-z0-9._-]{1,255}/ns/(${LABEL})/sa/(${NAME})$`),
  new RegExp(`^(${LABEL})/(${NAME})$`),
];

/** `<namespace>/<name>` of the workload that a subject names, or null. */
export const workloadOf = (subject: string): { readonly namespace: string; readonly id: string } | null => {
  for (const form of WORKLOADS) {
    const [, namespace, name] = form.exec(subject) ?? [];
    if (namespace !== undefined && name !== undefined) return { namespace, id: `${namespace}/${name}` };
  }
  return null;
};

/** Longer ones stand for themselves by their hash: a change's key is bounded. */
const LONGEST_ID = 160;

/** How the ids of all its subjects begin. */
export const subjectsOf = (issuerName: string): string => `${issuerName}:`;

/** An id of ours for a thing of theirs; '' for nothing. */
export const foreignId = (issuerName: string, id: string): string =>
  id === '' ? '' : `${subjectsOf(issuerName)}${id.length <= LONGEST_ID ? id : `sha256.${hash('sha256', id, 'base64url')}`}`;

/** The issuer's name in front of a foreign id, null for an id of ours. */
export const issuerNameOf = (id: string): string | null => /^([a-z0-9][a-z0-9-]{0,31}):./.exec(id)?.[1] ?? null;

const IDENTITY_SCOPES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'];

/** Scopes that only ask for an identity (OpenID Connect Core 1.0 §5.4, §11) cap nothing here; any other makes all of them a cap. */
const scopesOf = (payload: Json, { scopeClaim }: ClaimMapping): readonly string[] => {
  const words = wordsOf(scopeClaim === '' ? (own(payload, 'scope') ?? own(payload, 'scp')) : claimAt(payload, scopeClaim));
  return words.every((word) => IDENTITY_SCOPES.includes(word)) ? [] : words;
};

const rolesOf = (payload: Json, { rolesClaim, roles, defaultRoles }: ClaimMapping): readonly string[] => {
  const mapped = rolesClaim === '' ? [] : wordsOf(claimAt(payload, rolesClaim)).flatMap((value) => own(roles, value) ?? []);
  return [...new Set([...defaultRoles, ...(mapped as string[])])].toSorted();
};

const secondFactor = (acr: string, amr: readonly string[], { mfaValues }: ClaimMapping): boolean =>
  mfaValues.length === 0 ? amr.includes('mfa') : mfaValues.some((value) => value === acr || amr.includes(value));

const invalid = (message: string): Refusal => ({ reason: 'CLAIM_INVALID', message });

/** Keycloak says in the payload what kind of token it is; an id token says it by the hashes it carries (OpenID Connect Core 1.0 §3.1.3.6). */
const wrongKind = (payload: Json): boolean =>
  ['id', 'refresh', 'offline', 'logout'].includes(textOf(own(payload, 'typ')).toLowerCase()) ||
  Object.hasOwn(payload, 'at_hash') ||
  Object.hasOwn(payload, 'c_hash');

const carries = (value: unknown, wanted: string): boolean =>
  value === wanted || (Array.isArray(value) && value.includes(wanted)) || (typeof value === 'boolean' && String(value) === wanted);

/** Does it belong to this registration? JWT-SVIDs need no `iss`: their subject names the trust domain (JWT-SVID §3.1). */
export const speaksFor = ({ issuer }: Pick<TrustedIssuer, 'issuer'>, payload: Json): boolean =>
  issuer.startsWith('spiffe://') ? trustDomainOf(textOf(own(payload, 'sub'))) === issuer : own(payload, 'iss') === issuer;

const subjectOf = (trusted: TrustedIssuer, said: string): Pick<ForeignClaims, 'subjectType' | 'subject'> | null => {
  const { subjectKind } = trusted.mapping;
  if (subjectKind === 'user') return { subjectType: 'user', subject: said };
  if (subjectKind === 'foreign_user') return { subjectType: 'user', subject: foreignId(trusted.name, said) };
  if (subjectKind === 'foreign_service') return { subjectType: 'service', subject: foreignId(trusted.name, said) };
  const workload = workloadOf(said);
  return workload === null ? null : { subjectType: 'service', subject: workload.id };
};

export interface Reading {
  /** The longest that any token counts after its issue. */
  readonly longest: Millis;
  /** SHA-256 of the token: its id where it has none. */
  readonly digest: string;
  readonly confirmation: (cnf: Json) => Confirmation;
}

/** Claims from a payload whose signature held under a key of this issuer, or why not. Nothing depends on the time of the call. */
export const readForeign = (payload: Json, trusted: TrustedIssuer, reading: Reading): ForeignClaims | Refusal => {
  const { mapping } = trusted;
  if (!speaksFor(trusted, payload)) return { reason: 'ISSUER_MISMATCH', message: 'the token comes from another issuer' };
  if (wrongKind(payload)) return { reason: 'TOKEN_TYPE_WRONG', message: 'only access tokens of this issuer are accepted' };
  const audience = wordsOfAudience(own(payload, 'aud'));
  if (!audience.some((name) => trusted.audiences.includes(name)))
    return { reason: 'AUDIENCE_MISMATCH', message: 'the token names no audience that this issuer is trusted for' };
  for (const [name, wanted] of Object.entries(mapping.requiredClaims))
    if (!carries(claimAt(payload, name), wanted)) return invalid(`claim "${name}" is not what this issuer is trusted for`);

  const said = textOf(mapping.subjectClaim === '' ? own(payload, 'sub') : claimAt(payload, mapping.subjectClaim));
  const subject = said === '' ? null : subjectOf(trusted, said);
  if (subject === null) return invalid('the subject is missing, or names no workload');
  const issuedAt = dateOf(own(payload, 'iat'));
  const expires = dateOf(own(payload, 'exp'));
  if (issuedAt === 0) return invalid('claim "iat" must be a number of seconds: revocations are measured by it');
  if (expires <= issuedAt) return invalid('claim "exp" must be a number of seconds after "iat"');
  const notBefore = own(payload, 'nbf') === undefined ? issuedAt : dateOf(own(payload, 'nbf'));
  if (notBefore === 0) return invalid('claim "nbf" must be a number of seconds');
  const cnf = own(payload, 'cnf');
  if (cnf !== undefined && (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf))) return invalid('claim "cnf" must be an object');

  const usual = own(payload, 'client_id') ?? own(payload, 'azp');
  const clientId = textOf(mapping.clientClaim === '' ? usual : claimAt(payload, mapping.clientClaim));
  const sessionId = textOf(mapping.sessionClaim === '' ? own(payload, 'sid') : claimAt(payload, mapping.sessionClaim));
  const tokenId = textOf(own(payload, 'jti'));
  const acr = textOf(own(payload, 'acr'));
  const amr = wordsOf(own(payload, 'amr'));
  const life = trusted.maxAge === 0 ? reading.longest : Math.min(trusted.maxAge, reading.longest);
  return {
    tenantId: trusted.tenantId,
    issuer: trusted.issuer,
    ...subject,
    roles: isForeignKind(mapping.subjectKind) ? rolesOf(payload, mapping) : null,
    audience,
    scopes: scopesOf(payload, mapping),
    issuedAt,
    notBefore,
    expiresAt: Math.min(expires, issuedAt + Math.max(life, seconds(1))),
    clientId: foreignId(trusted.name, clientId),
    sessionId: foreignId(trusted.name, sessionId),
    familyId: '',
    tokenId: foreignId(trusted.name, tokenId === '' ? `sha256.${reading.digest}` : tokenId),
    authTime: dateOf(own(payload, 'auth_time')) || null,
    acr,
    amr,
    mfaVerified: secondFactor(acr, amr, mapping),
    confirmation: cnf === undefined ? null : reading.confirmation(cnf as Json),
    said: { subject: textOf(own(payload, 'sub')), clientId, sessionId, tokenId },
  };
};

/** One text or a list (RFC 7519 §4.1.3): a blank in it separates nothing. */
const wordsOfAudience = (value: unknown): readonly string[] => (typeof value === 'string' ? [value] : wordsOf(value));
