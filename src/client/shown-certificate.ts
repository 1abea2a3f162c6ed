// The certificate that the other end of a connection showed, in the words in which ValidateToken is told of it.
import type { X509Certificate } from 'node:crypto';
import { describeCertificate } from '../base/peer-certificate.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';

export type ShownCertificate = Pick<RequestContext, 'peerCertificateSha256' | 'peerSpkiSha256' | 'peerSpiffeId'>;

export const NOTHING_SHOWN: ShownCertificate = { peerCertificateSha256: '', peerSpkiSha256: '', peerSpiffeId: '' };

/** `vouched`: by an authority that the service trusts; anybody can write a name into a certificate, but only its owner has the key. */
export const shownCertificate = (certificate: X509Certificate, vouched: boolean): ShownCertificate => {
  const { sha256, spkiSha256, spiffeId } = describeCertificate(certificate);
  return { peerCertificateSha256: sha256, peerSpkiSha256: spkiSha256, peerSpiffeId: vouched ? (spiffeId ?? '') : '' };
};
