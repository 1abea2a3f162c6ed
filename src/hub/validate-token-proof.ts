// What was presented to ValidateToken, and whether it proves anything: access token, API key or certificate, each by its own capability.
import type { MaybePromise } from '../base/call.ts';
import { andThen } from '../base/maybe.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { ValidateTokenRequest } from '../gen/securityhub/v1/security_hub.ts';
import { type Claims as ClaimsMessage, TokenType } from '../gen/securityhub/v1/token.ts';
import type { Claims, TokensDoor, Verified } from '../tokens/tokens.ts';
import { accessClaims, someClaims, timestamp } from './validate-token-answer.ts';
import type { Credential, Reason } from './verdict.ts';

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
    ): MaybePromise<
      | { readonly ok: true; readonly identity: CertificateProof }
      | { readonly ok: false; readonly reason: string; readonly message?: string }
    >;
  };
}

/** A proven credential with what is shown of it. One object a credential, so that what is made from it can be kept beside it. */
export interface Proven {
  readonly credential: Credential;
  readonly tokenType: TokenType;
  /** What the mirror is asked; null for what has no watermark of its own kind. */
  readonly marked: Claims | null;
  /** Printed when it is shown. */
  claims(): ClaimsMessage;
}

export type Proof =
  | { readonly ok: true; readonly proven: Proven; readonly inGrace: boolean }
  /** `proven`: the signature held, and only time is against it. */
  | { readonly ok: false; readonly tokenType: TokenType; readonly reason: Reason; readonly proven: Proven | null };

const REFRESH_PREFIX = 'shr_';
/** API keys begin with three letters and a line that no JWS can have in its first segment's place. */
const API_KEY = /^sh[a-qs-z]_/;

const ofAccessToken = (claims: Claims): Proven => ({
  credential: {
    kind: 'access',
    tenantId: claims.tenantId,
    subjectType: 'user',
    subjectId: claims.subject,
    audience: claims.audience,
    scopes: claims.scopes,
    confirmation: claims.confirmation,
    boundAddress: claims.ipAddress,
    deviceId: claims.deviceId,
    riskLevel: claims.riskLevel,
    expiresAt: claims.expiresAt,
  },
  tokenType: TokenType.TOKEN_TYPE_ACCESS,
  marked: claims,
  claims: () => accessClaims(claims),
});

const ofApiKey = (key: ApiKeyProof): Proven => ({
  credential: {
    kind: 'api_key',
    tenantId: key.tenantId,
    subjectType: 'api_key',
    subjectId: key.keyId,
    audience: null,
    scopes: key.scopes,
    confirmation: null,
    boundAddress: '',
    deviceId: '',
    riskLevel: 'low',
    expiresAt: key.expiresAt,
  },
  tokenType: TokenType.TOKEN_TYPE_API_KEY,
  marked: null,
  claims: () =>
    someClaims({
      issuer: '',
      subject: key.ownerId,
      tokenId: key.keyId,
      tenantId: key.tenantId,
      permissions: [...key.permissions],
      scopes: [...key.scopes],
      authMethod: 'api_key',
      expiresAt: key.expiresAt === null ? undefined : timestamp(key.expiresAt),
    }),
});

const ofCertificate = (identity: CertificateProof): Proven => ({
  credential: {
    kind: 'certificate',
    tenantId: identity.tenantId,
    subjectType: 'service',
    subjectId: `${identity.namespace}/${identity.name}`,
    audience: null,
    scopes: null,
    confirmation: null,
    boundAddress: '',
    deviceId: '',
    riskLevel: 'low',
    expiresAt: identity.notAfter,
  },
  tokenType: TokenType.TOKEN_TYPE_CERTIFICATE,
  marked: null,
  claims: () =>
    someClaims({
      issuer: identity.issuer,
      subject: identity.spiffeId,
      tokenId: identity.serialNumber,
      tenantId: identity.tenantId,
      authMethod: 'certificate',
      notBefore: timestamp(identity.notBefore),
      expiresAt: timestamp(identity.notAfter),
    }),
});

const refused = (tokenType: TokenType, code: string, message: string, proven: Proven | null = null): Proof => ({
  ok: false,
  tokenType,
  reason: { code, message },
  proven,
});

/** Answers at once for access tokens. Keeps what it made of a token's claims as long as the verdict cache keeps the claims. */
export const createProve = (ports: ProofPorts) => {
  const accepted = new WeakMap<Claims, Proof & { readonly ok: true }>();
  const apiKeys = new WeakMap<ApiKeyProof, Proven>();

  const provenAccess = (claims: Claims): Proof & { readonly ok: true } => {
    let proof = accepted.get(claims);
    if (proof === undefined) {
      proof = { ok: true, proven: ofAccessToken(claims), inGrace: false };
      accepted.set(claims, proof);
    }
    return proof;
  };

  const proveAccess = (verified: Verified): Proof => {
    if (verified.ok) {
      const proof = provenAccess(verified.claims);
      return verified.inGrace ? { ...proof, inGrace: true } : proof;
    }
    const proven = verified.claims === null ? null : provenAccess(verified.claims).proven;
    return refused(TokenType.TOKEN_TYPE_ACCESS, verified.reason, verified.message, proven);
  };

  const provenApiKey = (key: ApiKeyProof): Proven => {
    let proven = apiKeys.get(key);
    if (proven === undefined) {
      proven = ofApiKey(key);
      apiKeys.set(key, proven);
    }
    return proven;
  };

  return (request: Pick<ValidateTokenRequest, 'token' | 'certificateChain'>, now: Instant, grace: Millis): MaybePromise<Proof> => {
    const { token } = request;
    if (request.certificateChain !== '')
      return andThen(ports.certificates.validate(request.certificateChain, now), (found) =>
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
          ? { ok: true, proven: provenApiKey(found.key), inGrace: false }
          : refused(TokenType.TOKEN_TYPE_API_KEY, found.reason, found.message ?? 'the API key is not good'),
      );
    return proveAccess(ports.tokens.verify(token, now, grace));
  };
};
