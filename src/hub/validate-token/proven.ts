// A proven credential, whatever its kind: what the rules read of it, and what is shown of it.
import type { ApiKey } from '../../api-keys/api-keys.ts';
import { timestampOf } from '../../base/proto-time.ts';
import type { CertificateIdentity } from '../../certificates/certificates.ts';
import { type Claims as ClaimsMessage, TokenType } from '../../gen/securityhub/v1/token.ts';
import type { Marked as ForeignClaims } from '../../issuers/issuers.ts';
import type { Marked, KeptClaims, Slot } from '../../tokens/tokens.ts';
import { accessClaims, foreignClaims, someClaims } from './claims.ts';
import type { Own } from './said.ts';
import type { Credential } from '../verdict.ts';
import type { SessionToken } from '../weigh-use.ts';

/** A key as the api-keys capability proved it. */
export type ApiKeyProof = Pick<ApiKey, 'tenantId' | 'keyId' | 'ownerId' | 'scopes' | 'permissions' | 'expiresAt'>;

/** A certificate chain as the certificates capability proved it: ours, in time, not revoked. */
export type CertificateProof = Omit<CertificateIdentity, 'sha256'>;

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
  readonly source: KeptClaims | ForeignClaims | ApiKeyProof | CertificateProof;
  /** What sets it apart from others of its kind, where there are many of them; null = all of it is said as one. */
  readonly own: Own | null;
  /** Lives as long as its own capability keeps the credential: what is made from it is kept there. */
  readonly slot: Slot;
}

const UNBOUND = { audience: null, confirmation: null, ipAddress: '', deviceId: '', fingerprint: '', riskLevel: 'low' };

export const ofAccessToken = (claims: KeptClaims, slot: Slot): Proven => ({
  credential: claims,
  subjectType: 'user',
  tokenType: TokenType.TOKEN_TYPE_ACCESS,
  marked: claims,
  session: claims,
  source: claims,
  own: claims,
  slot,
});

/** Of credentials other than our tokens, which are fewer: made once, and kept as long as its own capability keeps the credential. */
const known = new WeakMap<Proven['source'], Proven>();

const once =
  <S extends Proven['source']>(make: (source: S) => Omit<Proven, 'source' | 'own' | 'slot'>) =>
  (source: S): Proven => {
    const found = known.get(source);
    if (found !== undefined) return found;
    const proven = { ...make(source), source, own: null, slot: { made: null } };
    known.set(source, proven);
    return proven;
  };

export const ofForeignToken = once((claims: ForeignClaims) => {
  const { tenantId, subject, audience, scopes, confirmation, expiresAt } = claims;
  return {
    credential: { ...UNBOUND, tenantId, subject, audience, scopes, confirmation, expiresAt },
    subjectType: claims.subjectType,
    tokenType: TokenType.TOKEN_TYPE_ACCESS,
    marked: claims,
    session:
      claims.subjectType === 'user'
        ? { deviceId: '', fingerprint: '', mfaVerified: claims.mfaVerified, authTime: claims.authTime ?? 0, restrictions: undefined }
        : null,
    ...(claims.roles === null ? {} : { roles: claims.roles }),
  };
});

export const ofApiKey = once((key: ApiKeyProof) => ({
  credential: { ...UNBOUND, tenantId: key.tenantId, subject: key.keyId, scopes: key.scopes, expiresAt: key.expiresAt },
  subjectType: 'api_key' as const,
  tokenType: TokenType.TOKEN_TYPE_API_KEY,
  marked: null,
  session: null,
}));

export const ofCertificate = once((identity: CertificateProof) => ({
  credential: {
    ...UNBOUND,
    tenantId: identity.tenantId,
    subject: `${identity.namespace}/${identity.name}`,
    scopes: null,
    expiresAt: identity.notAfter,
  },
  subjectType: 'service' as const,
  tokenType: TokenType.TOKEN_TYPE_CERTIFICATE,
  marked: null,
  session: null,
}));

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
      expiresAt: source.expiresAt === null ? undefined : timestampOf(source.expiresAt),
    });
  return someClaims({
    issuer: source.issuer,
    subject: source.spiffeId,
    tokenId: source.serialNumber,
    tenantId: source.tenantId,
    authMethod: 'certificate',
    notBefore: timestampOf(source.notBefore),
    expiresAt: timestampOf(source.notAfter),
  });
};
