// The answer of ValidateToken on the wire: the part that stays the same is encoded once a token, the rest is appended by hand.
import type { Confirmation } from '../base/possession.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import { ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import type { Claims as ClaimsMessage } from '../gen/securityhub/v1/token.ts';
import type { ForeignClaims } from '../issuers/issuers.ts';
import type { Claims } from '../tokens/tokens.ts';
import type { Reason } from './verdict.ts';
import { instant, tagOf, varint } from './wire-bytes.ts';

export const timestamp = (at: Instant): Timestamp => ({ seconds: Math.floor(at / 1000), nanos: Math.floor((at % 1000) * 1e6) });

/** What differs from call to call although the credential is the same. */
export interface Moment {
  readonly asOf: Instant;
  readonly freshUntil: Instant;
  readonly revocationSeq: number;
  readonly policyRevision: number;
  readonly degraded: boolean;
  readonly staleness: Millis;
}

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
    expiresAt: timestamp(claims.expiresAt),
    notBefore: timestamp(claims.notBefore),
    issuedAt: timestamp(claims.issuedAt),
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
    authTime: timestamp(claims.authTime),
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
    expiresAt: timestamp(claims.expiresAt),
    notBefore: timestamp(claims.notBefore),
    issuedAt: timestamp(claims.issuedAt),
    tokenId: said.tokenId,
    clientId: said.clientId,
    tenantId: claims.tenantId,
    scopes: [...claims.scopes],
    sessionId: said.sessionId,
    mfaVerified: claims.mfaVerified,
    authMethod: 'sso',
    authTime: claims.authTime === null ? undefined : timestamp(claims.authTime),
    acr: claims.acr,
    amr: [...claims.amr],
    confirmation: confirmationMessage(claims.confirmation),
  });

/** A response with nothing in it. */
export const emptyResponse = (): ValidateTokenResponse => ({
  valid: false,
  verdict: 0,
  reasons: [],
  warnings: [],
  tokenType: 0,
  claims: undefined,
  subject: undefined,
  risk: undefined,
  stepUp: undefined,
  asOf: undefined,
  freshUntil: undefined,
  revocationSeq: 0,
  policyRevision: 0,
  degraded: false,
  staleness: undefined,
});

/**
 * Bytes that wait for the moment to be appended (protobuf: concatenated messages are merged), one character a byte: a buffer of its own
 * would weigh as much again as what it holds.
 */
export type Still = string;

export const encodeStill = (response: ValidateTokenResponse): Still => {
  const bytes = ValidateTokenResponse.encode(response).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
};

export const encodeWarning = (warning: Reason): Still => encodeStill({ ...emptyResponse(), warnings: [{ ...warning }] });

/** Most bytes that a moment takes: three times two varints, two varints, a flag, with their tags. */
const MOMENT_BYTES = 80;

const AS_OF = tagOf(10, 2);
const FRESH_UNTIL = tagOf(11, 2);
const REVOCATION_SEQ = tagOf(12, 0);
const POLICY_REVISION = tagOf(13, 0);
const DEGRADED = tagOf(14, 0);
const STALENESS = tagOf(15, 2);

/** The whole answer: still parts, then the moment. `warning` may be empty. */
export const withMoment = (still: Still, warning: Still, moment: Moment): Buffer => {
  const length = still.length + warning.length;
  const bytes = Buffer.allocUnsafe(length + MOMENT_BYTES);
  bytes.write(still, 0, 'latin1');
  if (warning !== '') bytes.write(warning, still.length, 'latin1');
  let at = instant(bytes, AS_OF, moment.asOf, length);
  at = instant(bytes, FRESH_UNTIL, moment.freshUntil, at);
  bytes[at] = REVOCATION_SEQ;
  at = varint(bytes, moment.revocationSeq, at + 1);
  bytes[at] = POLICY_REVISION;
  at = varint(bytes, moment.policyRevision, at + 1);
  if (moment.degraded) {
    bytes[at] = DEGRADED;
    bytes[at + 1] = 1;
    at += 2;
  }
  return bytes.subarray(0, instant(bytes, STALENESS, moment.staleness, at));
};
