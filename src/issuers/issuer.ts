// A trusted issuer: whose tokens a tenant believes, with which keys, and what their claims mean here.
import type { TenantId } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Instant, Millis } from '../base/time.ts';

const SUBJECT_KINDS = ['foreign_user', 'foreign_service', 'user', 'workload'] as const;
/** Foreign subjects have ids of their own; `user` and `workload` speak for somebody who is registered here. */
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** Names of claims; one that begins with `/` is a JSON pointer (RFC 6901). '' = the usual one. */
export interface ClaimMapping {
  readonly subjectKind: SubjectKind;
  readonly subjectClaim: string;
  readonly rolesClaim: string;
  /** From a value of that claim to a role of the tenant. */
  readonly roles: Readonly<Record<string, string>>;
  readonly defaultRoles: readonly string[];
  readonly scopeClaim: string;
  readonly clientClaim: string;
  readonly sessionClaim: string;
  readonly requiredClaims: Readonly<Record<string, string>>;
  readonly mfaValues: readonly string[];
}

export interface NewIssuer {
  readonly tenantId: TenantId;
  /** Begins the ids of its subjects: `<name>:<sub>`. */
  readonly name: string;
  /** The `iss` of its tokens; for JWT-SVIDs `spiffe://<trust domain>`. */
  readonly issuer: string;
  readonly jwksUri: string;
  readonly discoveryUri: string;
  /** The key set itself, as JSON. */
  readonly jwks: string;
  /** PEM; '' = the public authorities. */
  readonly caCertificates: string;
  readonly algorithms: readonly string[];
  readonly audiences: readonly string[];
  readonly mapping: ClaimMapping;
  /** How long a token counts after its `iat`; 0 = as long as our own at most. */
  readonly maxAge: Millis;
}

export interface TrustedIssuer extends NewIssuer {
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

const ISSUER_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
export type IssuerAlgorithm = (typeof ISSUER_ALGORITHMS)[number];
const USUAL: readonly IssuerAlgorithm[] = ['ES256', 'EdDSA', 'PS256', 'RS256'];

export const isIssuerAlgorithm = (text: unknown): text is IssuerAlgorithm => (ISSUER_ALGORITHMS as readonly unknown[]).includes(text);

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;
const VISIBLE = /^[\x21-\x7e]+$/;
const TRUST_DOMAIN = /^spiffe:\/\/[a-z0-9._-]{1,255}$/;

export const issuerNotFound = (): Fault => new Fault('NOT_FOUND', 'ISSUER_NOT_FOUND', 'no such trusted issuer');

export const isForeignKind = (kind: SubjectKind): boolean => kind === 'foreign_user' || kind === 'foreign_service';

/** Every role that a token of this issuer can bring. */
export const rolesGiven = ({ roles, defaultRoles }: ClaimMapping): readonly string[] => [
  ...new Set([...Object.values(roles), ...defaultRoles]),
];

/** The usual place of an issuer's discovery document (OpenID Connect Discovery 1.0 §4). */
export const discoveryOf = ({ issuer, discoveryUri }: Pick<NewIssuer, 'issuer' | 'discoveryUri'>): string =>
  discoveryUri === '' ? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration` : discoveryUri;

/** `spiffe://<trust domain>` of a SPIFFE id, '' for anything else (SPIFFE-ID §2). */
export const trustDomainOf = (subject: string): string => /^(spiffe:\/\/[a-z0-9._-]{1,255})\//.exec(subject)?.[1] ?? '';

const checkMapping = (mapping: ClaimMapping): void => {
  const { rolesClaim, roles } = mapping;
  if ((rolesClaim === '') !== (Object.keys(roles).length === 0))
    throw badField('issuer.mapping.roles', 'give roles_claim and roles together, or neither');
  if (!isForeignKind(mapping.subjectKind) && rolesGiven(mapping).length > 0)
    throw badField('issuer.mapping.roles', 'a user or workload of this tenant has roles of its own: map none');
};

/**
 * The entry, checked and with its defaults. INVALID_ARGUMENT names the field.
 * @param own our own issuer: its tokens are ours and nobody else's.
 * @param longest the longest that a token counts after its issue.
 */
export const newIssuer = (given: NewIssuer, own: string, longest: Millis): NewIssuer => {
  const { name, issuer, algorithms, audiences, mapping } = given;
  if (!NAME.test(name)) throw badField('issuer.name', 'must be 1 to 32 lower-case letters, digits and inner hyphens');
  if (!VISIBLE.test(issuer)) throw badField('issuer.issuer', 'must be text without blanks');
  if (issuer === own) throw badField('issuer.issuer', 'is our own issuer: its tokens are accepted anyway');
  if (issuer.startsWith('spiffe:') && !TRUST_DOMAIN.test(issuer)) throw badField('issuer.issuer', 'must be spiffe://<trust domain>');
  const sources = [given.jwksUri, given.discoveryUri, given.jwks].filter((source) => source !== '');
  if (sources.length > 1) throw badField('issuer.jwks_uri', 'give only one of jwks_uri, discovery_uri and jwks');
  if (sources.length === 0 && !/^https?:\/\//.test(issuer))
    throw badField('issuer.jwks_uri', 'is needed: the issuer is no address with a discovery document');
  const unknown = algorithms.findIndex((algorithm) => !isIssuerAlgorithm(algorithm));
  if (unknown >= 0) throw badField(`issuer.algorithms[${unknown}]`, `must be one of ${ISSUER_ALGORITHMS.join(', ')}`);
  if (audiences.length === 0) throw badField('issuer.audiences', 'name at least one');
  if (given.maxAge > longest) throw badField('issuer.max_age', `must be at most ${longest / 1000} s`);
  checkMapping(mapping);
  return {
    ...given,
    algorithms: algorithms.length === 0 ? USUAL : [...new Set(algorithms)],
    audiences: [...new Set(audiences)],
    mapping: { ...mapping, defaultRoles: [...new Set(mapping.defaultRoles)] },
  };
};
