// Claims as ValidateToken prints them, of each kind of credential.
import type { Confirmation } from '../../base/possession.ts';
import { timestampOf } from '../../base/proto-time.ts';
import type { Claims as ClaimsMessage } from '../../gen/securityhub/v1/token.ts';
import type { ForeignClaims } from '../../issuers/issuers.ts';
import type { Claims } from '../../tokens/tokens.ts';

const EMPTY_CLAIMS: Omit<ClaimsMessage, 'issuer' | 'subject' | 'tokenId' | 'tenantId'> = {
  audience: [],
  expiresAt: undefined,
  notBefore: undefined,
  issuedAt: undefined,
  clientId: '',
  role: '',
  permissions: [],
  scopes: [],
  sessionId: '',
  deviceId: '',
  ipAddress: '',
  mfaVerified: false,
  riskLevel: '',
  authMethod: '',
  authTime: undefined,
  acr: '',
  amr: [],
  actor: [],
  confirmation: undefined,
  accessWindows: [],
  requireMfaFor: [],
  dataResidency: '',
  consentVersion: '',
  complianceFlags: [],
  custom: undefined,
};

/** Claims of a credential that has few of them. */
export const someClaims = (
  claims: Pick<ClaimsMessage, 'issuer' | 'subject' | 'tokenId' | 'tenantId'> & Partial<ClaimsMessage>,
): ClaimsMessage => ({ ...EMPTY_CLAIMS, ...claims });

const confirmationMessage = (confirmation: Confirmation | null): ClaimsMessage['confirmation'] =>
  confirmation === null
    ? undefined
    : { x5tS256: confirmation.x5tS256, spkiSha256: confirmation.spkiSha256, jkt: confirmation.jkt, spiffeId: confirmation.spiffeId };

const restrictionClaims = (restrictions: Claims['restrictions']): Partial<ClaimsMessage> =>
  restrictions === null
    ? {}
    : {
        accessWindows: restrictions.windows.flatMap((windows, group) =>
          windows.map((window) => ({ ...window, days: [...window.days], group })),
        ),
        requireMfaFor: [...restrictions.requireMfaFor],
        dataResidency: restrictions.dataResidency,
        consentVersion: restrictions.consentVersion,
        complianceFlags: [...restrictions.complianceFlags],
        custom: Object.keys(restrictions.custom).length === 0 ? undefined : { ...restrictions.custom },
      };

export const accessClaims = (claims: Claims): ClaimsMessage =>
  someClaims({
    issuer: claims.issuer,
    subject: claims.subject,
    audience: [...claims.audience],
    expiresAt: timestampOf(claims.expiresAt),
    notBefore: timestampOf(claims.notBefore),
    issuedAt: timestampOf(claims.issuedAt),
    tokenId: claims.tokenId,
    clientId: claims.clientId,
    tenantId: claims.tenantId,
    role: claims.role,
    permissions: [...claims.permissions],
    scopes: [...claims.scopes],
    sessionId: claims.sessionId,
    deviceId: claims.deviceId,
    ipAddress: claims.ipAddress,
    mfaVerified: claims.mfaVerified,
    riskLevel: claims.riskLevel,
    authMethod: claims.authMethod,
    authTime: timestampOf(claims.authTime),
    acr: claims.acr,
    amr: [...claims.amr],
    actor: claims.delegation === null ? [] : claims.delegation.actors.map((actor) => ({ ...actor })),
    confirmation: confirmationMessage(claims.confirmation),
    ...restrictionClaims(claims.restrictions),
  });

/** As the foreign token says it, but for the end that counts here. */
export const foreignClaims = ({ said, ...claims }: ForeignClaims): ClaimsMessage =>
  someClaims({
    issuer: claims.issuer,
    subject: said.subject,
    audience: [...claims.audience],
    expiresAt: timestampOf(claims.expiresAt),
    notBefore: timestampOf(claims.notBefore),
    issuedAt: timestampOf(claims.issuedAt),
    tokenId: said.tokenId,
    clientId: said.clientId,
    tenantId: claims.tenantId,
    scopes: [...claims.scopes],
    sessionId: said.sessionId,
    mfaVerified: claims.mfaVerified,
    authMethod: 'sso',
    authTime: claims.authTime === null ? undefined : timestampOf(claims.authTime),
    acr: claims.acr,
    amr: [...claims.amr],
    confirmation: confirmationMessage(claims.confirmation),
  });
