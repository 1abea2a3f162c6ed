// Issuing: what a session's tokens say, how long they live, and the signature under them.
import { Fault } from '../base/fault.ts';
import type { Restrictions } from '../base/constraints.ts';
import type { Random } from '../base/random.ts';
import type { Instant, Millis, Seconds } from '../base/time.ts';
import { ACCESS_TOKEN_TYPE, type Claims, MAX_SHOWN_PERMISSIONS, payloadOf } from './claims.ts';
import { type Access, type SessionContext, tokenIdOf } from './family.ts';
import type { Keyring } from './keys/keyring.ts';

/** What a login, a refresh or an exchange hands out. */
export interface Tokens {
  readonly accessToken: string;
  /** '' where the session cannot be refreshed. */
  readonly refreshToken: string;
  /** RFC 9449 §5: `DPoP` for what is bound to a DPoP key. */
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly expiresIn: Seconds;
  readonly expiresAt: Instant;
  readonly issuedAt: Instant;
  readonly scope: string;
  readonly sessionId: string;
  readonly familyId: string;
  readonly tokenId: string;
}

const JITTER = 0.05;

/** From `now`, in whole seconds as tokens count, up to 5 % shorter by chance: sessions that began together do not refresh together. */
export const lifeFrom = (now: Instant, life: Millis, random: Random): Pick<Access, 'issuedAt' | 'expiresAt'> => {
  const issuedAt = Math.floor(now / 1000) * 1000;
  const shorter = life * JITTER * (random.bytes(2).readUInt16BE(0) / 65536);
  return { issuedAt, expiresAt: issuedAt + Math.max(1000, Math.floor((life - shorter) / 1000) * 1000) };
};

/** Authenticator assurance and methods of a login (RFC 8176 `amr`; `acr` in the words of NIST SP 800-63). */
const assurance = (authMethod: string, mfaVerified: boolean): { readonly acr: string; readonly amr: readonly string[] } => {
  const first: Readonly<Record<string, string>> = { password: 'pwd', mfa: 'pwd', biometric: 'bio', certificate: 'x509', sso: 'fed' };
  const method = Object.hasOwn(first, authMethod) ? first[authMethod] : undefined;
  return { acr: mfaVerified ? 'aal2' : 'aal1', amr: [...(method === undefined ? [] : [method]), ...(mfaVerified ? ['mfa'] : [])] };
};

/** What a token says besides what its session was opened with: looked up anew at every issue. */
export interface Current {
  readonly permissions: readonly string[];
  readonly restrictions: Restrictions | null;
  /** Number of the newest news about them that they contain. */
  readonly limitsSeq: number;
}

export const claimsOf = (
  issuer: string,
  context: SessionContext & { readonly fingerprint: string },
  access: Access,
  { permissions, restrictions, limitsSeq }: Current,
): Claims => ({
  issuer,
  subject: context.userId,
  audience: context.audience,
  expiresAt: access.expiresAt,
  notBefore: access.issuedAt,
  issuedAt: access.issuedAt,
  tokenId: tokenIdOf(context.familyId, access.generation),
  clientId: context.clientId,
  tenantId: context.tenantId,
  role: context.role,
  permissions: permissions.slice(0, MAX_SHOWN_PERMISSIONS),
  scopes: context.scopes,
  sessionId: context.sessionId,
  familyId: context.familyId,
  deviceId: context.deviceId,
  fingerprint: context.fingerprint,
  ipAddress: context.boundAddress,
  mfaVerified: context.mfaVerified,
  riskLevel: context.riskLevel,
  riskScore: context.riskScore ?? 0,
  riskIndicators: context.riskIndicators ?? [],
  authMethod: context.authMethod,
  authTime: context.authTime,
  ...assurance(context.authMethod, context.mfaVerified),
  confirmation: context.confirmation,
  delegation: null,
  restrictions,
  rsq: access.rsq,
  limitsSeq,
});

/** Signs the claims and wraps them up with the refresh token that goes with them. */
export const issue = async (keyring: Keyring, claims: Claims, refreshToken: string): Promise<Tokens> => {
  const signer = keyring.signer();
  if (signer === null) throw new Fault('UNAVAILABLE', 'SIGNING_KEY_MISSING', 'signing keys are not loaded yet', { retryAfter: 1000 });
  return {
    accessToken: await signer.sign(ACCESS_TOKEN_TYPE, payloadOf(claims)),
    refreshToken,
    tokenType: claims.confirmation === null || claims.confirmation.jkt === '' ? 'Bearer' : 'DPoP',
    expiresIn: (claims.expiresAt - claims.issuedAt) / 1000,
    expiresAt: claims.expiresAt,
    issuedAt: claims.issuedAt,
    scope: claims.scopes.join(' '),
    sessionId: claims.sessionId,
    familyId: claims.familyId,
    tokenId: claims.tokenId,
  };
};
