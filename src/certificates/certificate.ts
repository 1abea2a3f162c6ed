// A certificate as we remember it, and how one is found again.
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';

export interface StoredCertificate {
  readonly tenantId: TenantId;
  /** Lower-case hex without leading zeros. */
  readonly serialNumber: string;
  readonly namespace: string;
  readonly service: string;
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly renewAt: Instant;
  /** Of the certificate and of its SubjectPublicKeyInfo, lower-case hex. */
  readonly sha256: string;
  readonly spkiSha256: string;
  readonly authorityId: string;
  /** DER; null where nobody can ask for it again. */
  readonly certificate: Buffer | null;
  /** `<type>:<id>`. */
  readonly issuedBy: string;
  readonly issuedAt: Instant;
  readonly revokedAt: Instant | null;
  readonly revocationReason: string;
}

export type CertificateStatus = 'active' | 'expired' | 'revoked';

export const statusOf = ({ revokedAt, notAfter }: StoredCertificate, now: Instant): CertificateStatus => {
  if (revokedAt !== null) return 'revoked';
  return now >= notAfter + 1000 ? 'expired' : 'active';
};

/** Reasons of RFC 5280 §5.3.1 that fit a service's certificate. */
export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const;

/** '' narrows nothing. */
export interface CertificateFilter {
  readonly namespace: string;
  readonly service: string;
  readonly status: '' | CertificateStatus;
}

/** Where a list goes on: after the certificate issued then, with this serial number. */
export interface Position {
  readonly issuedAt: Instant;
  readonly serialNumber: string;
}
