// A throwaway certificate authority for TLS tests: RSA, because node-forge reads no EC keys.
import { generateKeyPairSync, sign } from 'node:crypto';
import forge from 'node-forge';

export interface Issued {
  readonly key: string;
  readonly certificate: string;
}

export interface Authority {
  readonly pem: string;
  /** A leaf for localhost, and for `uri` where one is given. */
  issue(about: { readonly uri?: string; readonly serial?: string; readonly seconds?: number }): Issued;
}

const pair = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });

const DNS = 2;
const URI = 6;
const IP = 7;

export const createAuthority = (name: string): Authority => {
  const own = pair();
  const subject = [{ name: 'commonName', value: name }];
  const make = (publicKey: string, serial: string, seconds: number, names: typeof subject, extensions: object[]): string => {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
    certificate.serialNumber = serial;
    certificate.validity.notBefore = new Date(Date.now() - 60_000);
    certificate.validity.notAfter = new Date(Date.now() + seconds * 1000);
    certificate.setSubject(names);
    certificate.setIssuer(subject);
    certificate.setExtensions(extensions);
    // node-forge's own RSA takes a second a signature here.
    const signer = {
      sign: (): string =>
        sign('sha256', Buffer.from(forge.asn1.toDer(certificate.tbsCertificate).getBytes(), 'latin1'), own.privateKey).toString('latin1'),
    };
    certificate.sign(signer as unknown as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
    return forge.pki.certificateToPem(certificate);
  };
  const pem = make(own.publicKey, '01', 3600, subject, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ]);
  const leaf = pair();
  return {
    pem,
    issue({ uri, serial = '02', seconds = 3600 }) {
      const altNames = [
        { type: DNS, value: 'localhost' },
        { type: IP, ip: '127.0.0.1' },
        ...(uri === undefined ? [] : [{ type: URI, value: uri }]),
      ];
      const certificate = make(
        leaf.publicKey,
        serial,
        seconds,
        [{ name: 'commonName', value: `leaf ${serial}` }],
        [
          { name: 'basicConstraints', cA: false },
          { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
          { name: 'subjectAltName', altNames },
        ],
      );
      return { key: leaf.privateKey, certificate };
    },
  };
};
