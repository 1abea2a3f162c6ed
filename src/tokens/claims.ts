// The claims of our access tokens (RFC 9068 §2.2 and our own): as we know them, as a token carries them, and when they count.
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Restrictions } from '../base/constraints.ts';
import { CLOCK_SKEW, type Instant, type Millis, type Seconds } from '../base/time.ts';
import { printConfirmation } from './confirmation.ts';
import { type Delegation, printActors } from './delegation.ts';
import { restrictionClaims } from './restrictions.ts';

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
