// A certificate that signs itself, for TLS tests that need any certificate at all.
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import type { ServerIdentity } from '../../src/server/grpc/credentials.ts';

const HOUR = 3_600_000;

/** For localhost and 127.0.0.1, valid now unless told otherwise; `name` tells one from another. */
export const selfSigned = (
  name: string,
  {
    notBefore = Date.now() - 60_000,
    notAfter = Date.now() + HOUR,
    spiffeId = `spiffe://test/ns/default/sa/${name}`,
  }: { readonly notBefore?: number; readonly notAfter?: number; readonly spiffeId?: string } = {},
): ServerIdentity => {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
  certificate.serialNumber = '01';
  certificate.validity.notBefore = new Date(notBefore);
  certificate.validity.notAfter = new Date(notAfter);
  const subject = [{ name: 'commonName', value: name }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  const altNames = [
    { type: 2, value: 'localhost' },
    { type: 6, value: spiffeId },
    { type: 7, ip: '127.0.0.1' },
  ];
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true },
    { name: 'subjectAltName', altNames },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(pair.privateKey), forge.md.sha256.create());
  const chain = forge.pki.certificateToPem(certificate);
  return { key: pair.privateKey, chain, ca: chain };
};
