// The certificate that the other end of a connection showed, as rights and bindings are measured by it.
import { createHash, type X509Certificate } from 'node:crypto';
import type { PeerCertificate } from './call.ts';

/**
 * The one URI among the names of a certificate, null where there is none or more than one (SPIFFE X.509-SVID §2).
 * Node quotes a name that holds a comma, so that it cannot pass for two; a quoted URI is none of ours.
 */
export const uriOf = (subjectAltName: string | undefined): string | null => {
  const names = subjectAltName?.matchAll(/(?:^|, )(?<kind>[^:,"]+):(?<value>"(?:[^"\\]|\\.)*"|[^,]*)/g) ?? [];
  const uris = [...names].flatMap(({ groups }) => (groups?.['kind'] === 'URI' ? [groups['value'] ?? ''] : []));
  const [uri, ...more] = uris;
  return uri === undefined || more.length > 0 || uri.startsWith('"') ? null : uri;
};

export const describeCertificate = (certificate: X509Certificate): PeerCertificate => ({
  der: certificate.raw,
  sha256: createHash('sha256').update(certificate.raw).digest('hex'),
  spkiSha256: createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex'),
  spiffeId: uriOf(certificate.subjectAltName),
  serialNumber: certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, ''),
  notBefore: Date.parse(certificate.validFrom),
  notAfter: Date.parse(certificate.validTo),
});
