// What was presented to ValidateToken, and whether it proves anything: access token, API key or certificate, each by its own capability.
import type { Call, MaybePromise, Payer } from '../base/call.ts';
import { tenantsOf } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { ValidateTokenRequest } from '../gen/securityhub/v1/security_hub.ts';
import { type Claims as ClaimsMessage, TokenType } from '../gen/securityhub/v1/token.ts';
import type { ForeignVerified, IssuersDoor, Marked as ForeignClaims } from '../issuers/issuers.ts';
import type { Claims, Marked, TokensDoor, Verified } from '../tokens/tokens.ts';
import { accessClaims, foreignClaims, someClaims, timestamp } from './validate-token-answer.ts';
import type { Credential, Reason } from './verdict.ts';
import type { SessionToken } from './weigh-use.ts';

/** A key as the api-keys capability proved it. */
export interface ApiKeyProof {
  readonly tenantId: string;
  readonly keyId: string;
  readonly ownerId: string;
  readonly scopes: readonly string[];
  readonly permissions: readonly string[];
  readonly expiresAt: Instant | null;
}

/** A certificate chain as the certificates capability proved it: ours, in time, not revoked. */
export interface CertificateProof {
  readonly tenantId: string;
  readonly namespace: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly issuer: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

export interface ProofPorts {
  readonly tokens: Pick<TokensDoor, 'verify'>;
  readonly issuers: Pick<IssuersDoor, 'verify'>;
  readonly apiKeys: {
    verify(
      secret: string,
      now: Instant,
    ): MaybePromise<
      { readonly ok: true; readonly key: ApiKeyProof } | { readonly ok: false; readonly reason: string; readonly message?: string }
    >;
  };
  readonly certificates: {
    validate(
      chainPem: string,
      now: Instant,
      payer: Payer,
    ): MaybePromise<
      | { readonly ok: true; readonly identity: CertificateProof }
      | { readonly ok: false; readonly reason: string; readonly message?: string }
    >;
  };
}

/** A proven credential with what is shown of it. */
export interface Proven {
  readonly credential: Credential;
  readonly subjectType: 'user' | 'api_key' | 'service';
  readonly tokenType: TokenType;
  /** What the mirror is asked; null for what has no watermark of its own kind. */
  readonly marked: Marked | null;
  /** The session of a user's token, which its tenant may limit; null for services and keys, whose own entries do. */
  readonly session: SessionToken | null;
  /** Roles that a foreign subject brings; absent for whoever is registered here. */
  readonly roles?: readonly string[];
  /** The same object as long as its own capability keeps it: what is made from a credential is kept beside it. */
  readonly source: Claims | ForeignClaims | ApiKeyProof | CertificateProof;
}

export type Proof =
  | { readonly ok: true; readonly proven: Proven; readonly inGrace: boolean }
  /** `proven`: the signature held, and only time is against it. */
  | { readonly ok: false; readonly tokenType: TokenType; readonly reason: Reason; readonly proven: Proven | null };

const REFRESH_PREFIX = 'shr_';
/** API keys begin with three letters and a line that no JWS can have in its first segment's place. */
const API_KEY = /^sh[a-qs-z]_/;

const UNBOUND = { audience: null, confirmation: null, ipAddress: '', deviceId: '', fingerprint: '', riskLevel: 'low' };

const ofAccessToken = (claims: Claims): Proven => ({
  credential: claims,
  subjectType: 'user',
  tokenType: TokenType.TOKEN_TYPE_ACCESS,
  marked: claims,
  session: claims,
  source: claims,
});

/** Made once: what stands beside the claims stays with them. */
const foreign = new WeakMap<ForeignClaims, Proven>();

const ofForeignToken = (claims: ForeignClaims): Proven => {
  const known = foreign.get(claims);
  if (known !== undefined) return known;
  const { tenantId, subject, audience, scopes, confirmation, expiresAt } = claims;
  const proven: Proven = {
    credential: { ...UNBOUND, tenantId, subject, audience, scopes, confirmation, expiresAt },
    subjectType: claims.subjectType,
    tokenType: TokenType.TOKEN_TYPE_ACCESS,
    marked: claims,
    session:
      claims.subjectType === 'user'
        ? { deviceId: '', fingerprint: '', mfaVerified: claims.mfaVerified, authTime: claims.authTime ?? 0, restrictions: undefined }
        : null,
    ...(claims.roles === null ? {} : { roles: claims.roles }),
    source: claims,
  };
  foreign.set(claims, proven);
  return proven;
};

const ofApiKey = (key: ApiKeyProof): Proven => ({
  credential: { ...UNBOUND, tenantId: key.tenantId, subject: key.keyId, scopes: key.scopes, expiresAt: key.expiresAt },
  subjectType: 'api_key',
  tokenType: TokenType.TOKEN_TYPE_API_KEY,
  marked: null,
  session: null,
  source: key,
});

const ofCertificate = (identity: CertificateProof): Proven => ({
  credential: {
    ...UNBOUND,
    tenantId: identity.tenantId,
    subject: `${identity.namespace}/${identity.name}`,
    scopes: null,
    expiresAt: identity.notAfter,
  },
  subjectType: 'service',
  tokenType: TokenType.TOKEN_TYPE_CERTIFICATE,
  marked: null,
  session: null,
  source: identity,
});

/** As they are printed where they may be shown. */
export const shownClaims = ({ source }: Proven): ClaimsMessage => {
  if ('said' in source) return foreignClaims(source);
  if ('familyId' in source) return accessClaims(source);
  if ('keyId' in source)
    return someClaims({
      issuer: '',
      subject: source.ownerId,
      tokenId: source.keyId,
      tenantId: source.tenantId,
      permissions: [...source.permissions],
      scopes: [...source.scopes],
      authMethod: 'api_key',
      expiresAt: source.expiresAt === null ? undefined : timestamp(source.expiresAt),
    });
  return someClaims({
    issuer: source.issuer,
    subject: source.spiffeId,
    tokenId: source.serialNumber,
    tenantId: source.tenantId,
    authMethod: 'certificate',
    notBefore: timestamp(source.notBefore),
    expiresAt: timestamp(source.notAfter),
  });
};

const refused = (tokenType: TokenType, code: string, message: string, proven: Proven | null = null): Proof => ({
  ok: false,
  tokenType,
  reason: { code, message },
  proven,
});

const ofForeign = (verified: ForeignVerified): Proof =>
  verified.ok
    ? { ok: true, proven: ofForeignToken(verified.claims), inGrace: verified.inGrace }
    : refused(
        TokenType.TOKEN_TYPE_ACCESS,
        verified.reason,
        verified.message,
        verified.claims === null ? null : ofForeignToken(verified.claims),
      );

/** Why our own verifier refuses what another issuer may have made. */
const PERHAPS_FOREIGN = ['KEY_UNKNOWN', 'TOKEN_TYPE_WRONG', 'ALGORITHM_NOT_ALLOWED'];

const ofVerified = (verified: Verified): Proof =>
  verified.ok
    ? { ok: true, proven: ofAccessToken(verified.claims), inGrace: verified.inGrace }
    : refused(
        TokenType.TOKEN_TYPE_ACCESS,
        verified.reason,
        verified.message,
        verified.claims === null ? null : ofAccessToken(verified.claims),
      );

/** Answers at once for access tokens. */
export const createProve =
  (ports: ProofPorts) =>
  (
    request: Pick<ValidateTokenRequest, 'token' | 'certificateChain'>,
    call: Pick<Call, 'caller' | 'peer' | 'now'>,
    grace: Millis,
  ): MaybePromise<Proof> => {
    const { token } = request;
    const { caller, now } = call;
    if (request.certificateChain !== '')
      return andThen(ports.certificates.validate(request.certificateChain, now, call), (found) =>
        found.ok
          ? { ok: true, proven: ofCertificate(found.identity), inGrace: false }
          : refused(TokenType.TOKEN_TYPE_CERTIFICATE, found.reason, found.message ?? 'the certificate is not good'),
      );
    if (token === '') return refused(TokenType.TOKEN_TYPE_UNSPECIFIED, 'TOKEN_MALFORMED', 'no token was given');
    if (token.startsWith(REFRESH_PREFIX))
      return refused(TokenType.TOKEN_TYPE_REFRESH, 'TOKEN_TYPE_WRONG', 'a refresh token is no credential of a call');
    if (API_KEY.test(token))
      return andThen(ports.apiKeys.verify(token, now), (found) =>
        found.ok
          ? { ok: true, proven: ofApiKey(found.key), inGrace: false }
          : refused(TokenType.TOKEN_TYPE_API_KEY, found.reason, found.message ?? 'the API key is not good'),
      );
    const verified = ports.tokens.verify(token, now, grace, undefined, call);
    if (verified.ok || !PERHAPS_FOREIGN.includes(verified.reason)) return ofVerified(verified);
    return andThen(ports.issuers.verify(token, now, grace, tenantsOf(caller), call), (found) =>
      found === null ? ofVerified(verified) : ofForeign(found),
    );
  };
