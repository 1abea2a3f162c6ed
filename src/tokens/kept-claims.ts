// Claims as they were read, kept for as long as a token is warm: a hundred thousand of them. What most tokens share is one object for all,
// and so is what most tokens lack; times are the whole seconds that tokens name, because V8 keeps a small whole number in place and anything
// larger as an object of its own.
import type { Instant, Seconds } from '../base/time.ts';
import type { Claims } from './claims.ts';

/** What tokens of one tenant, role and way of login say alike. */
export type Profile = Omit<Claims, Own | Tie | Time>;
type Own = 'subject' | 'tokenId' | 'sessionId' | 'familyId' | 'rsq' | 'limitsSeq';
type Tie = 'deviceId' | 'fingerprint' | 'ipAddress' | 'confirmation' | 'delegation';
type Time = 'expiresAt' | 'notBefore' | 'issuedAt' | 'authTime';

/** What ties a token to a device, an address, a key or those who act for its subject. */
type Ties = Pick<Claims, Tie>;
const UNTIED: Ties = { deviceId: '', fingerprint: '', ipAddress: '', confirmation: null, delegation: null };

const tiesOf = ({ deviceId, fingerprint, ipAddress, confirmation, delegation }: Ties): Ties =>
  deviceId === '' && fingerprint === '' && ipAddress === '' && confirmation === null && delegation === null
    ? UNTIED
    : { deviceId, fingerprint, ipAddress, confirmation, delegation };

/**
 * A class, because there is one for every token: its accessors cost nothing, neither memory nor, once compiled, time. A spread would leave
 * behind what is behind them, and does not compile where claims are wanted: whoever hands these on says KeptClaims, not Claims.
 */
export class KeptClaims implements Claims {
  readonly profile: Profile;
  readonly #ties: Ties;
  readonly subject: Claims['subject'];
  readonly tokenId: Claims['tokenId'];
  readonly sessionId: Claims['sessionId'];
  readonly familyId: Claims['familyId'];
  readonly rsq: Claims['rsq'];
  readonly limitsSeq: Claims['limitsSeq'];
  readonly #expiresAt: Seconds;
  readonly #notBefore: Seconds;
  readonly #issuedAt: Seconds;
  readonly #authTime: Seconds;

  constructor(profile: Profile, own: Pick<Claims, Own | Tie | Time>) {
    this.profile = profile;
    this.#ties = tiesOf(own);
    this.subject = own.subject;
    this.tokenId = own.tokenId;
    this.sessionId = own.sessionId;
    this.familyId = own.familyId;
    this.rsq = own.rsq;
    this.limitsSeq = own.limitsSeq;
    this.#expiresAt = own.expiresAt / 1000;
    this.#notBefore = own.notBefore / 1000;
    this.#issuedAt = own.issuedAt / 1000;
    this.#authTime = own.authTime / 1000;
  }
  get expiresAt(): Instant {
    return this.#expiresAt * 1000;
  }
  get notBefore(): Instant {
    return this.#notBefore * 1000;
  }
  get issuedAt(): Instant {
    return this.#issuedAt * 1000;
  }
  get authTime(): Instant {
    return this.#authTime * 1000;
  }
  get deviceId(): Ties['deviceId'] {
    return this.#ties.deviceId;
  }
  get fingerprint(): Ties['fingerprint'] {
    return this.#ties.fingerprint;
  }
  get ipAddress(): Ties['ipAddress'] {
    return this.#ties.ipAddress;
  }
  get confirmation(): Ties['confirmation'] {
    return this.#ties.confirmation;
  }
  get delegation(): Ties['delegation'] {
    return this.#ties.delegation;
  }
  get issuer(): Profile['issuer'] {
    return this.profile.issuer;
  }
  get audience(): Profile['audience'] {
    return this.profile.audience;
  }
  get clientId(): Profile['clientId'] {
    return this.profile.clientId;
  }
  get tenantId(): Profile['tenantId'] {
    return this.profile.tenantId;
  }
  get role(): Profile['role'] {
    return this.profile.role;
  }
  get permissions(): Profile['permissions'] {
    return this.profile.permissions;
  }
  get scopes(): Profile['scopes'] {
    return this.profile.scopes;
  }
  get mfaVerified(): Profile['mfaVerified'] {
    return this.profile.mfaVerified;
  }
  get riskLevel(): Profile['riskLevel'] {
    return this.profile.riskLevel;
  }
  get riskScore(): Profile['riskScore'] {
    return this.profile.riskScore;
  }
  get riskIndicators(): Profile['riskIndicators'] {
    return this.profile.riskIndicators;
  }
  get authMethod(): Profile['authMethod'] {
    return this.profile.authMethod;
  }
  get acr(): Profile['acr'] {
    return this.profile.acr;
  }
  get amr(): Profile['amr'] {
    return this.profile.amr;
  }
  get restrictions(): Profile['restrictions'] {
    return this.profile.restrictions;
  }
}

/** All of them as members of their own, for whoever makes other claims from them. */
export const spreadable = (claims: Claims): Claims => ({
  issuer: claims.issuer,
  audience: claims.audience,
  clientId: claims.clientId,
  tenantId: claims.tenantId,
  role: claims.role,
  permissions: claims.permissions,
  scopes: claims.scopes,
  mfaVerified: claims.mfaVerified,
  riskLevel: claims.riskLevel,
  riskScore: claims.riskScore,
  riskIndicators: claims.riskIndicators,
  authMethod: claims.authMethod,
  acr: claims.acr,
  amr: claims.amr,
  restrictions: claims.restrictions,
  subject: claims.subject,
  tokenId: claims.tokenId,
  sessionId: claims.sessionId,
  familyId: claims.familyId,
  deviceId: claims.deviceId,
  fingerprint: claims.fingerprint,
  ipAddress: claims.ipAddress,
  confirmation: claims.confirmation,
  delegation: claims.delegation,
  rsq: claims.rsq,
  limitsSeq: claims.limitsSeq,
  expiresAt: claims.expiresAt,
  notBefore: claims.notBefore,
  issuedAt: claims.issuedAt,
  authTime: claims.authTime,
});
