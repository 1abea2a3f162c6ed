// Certificates as data: what the reader finds in one, and what the rules (lint, path) ask about. Pure.
import type { Instant } from '../base/time.ts';

/** Object identifiers that stand in our certificates. */
export const OID = {
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ecdsaSha384: '1.2.840.10045.4.3.3',
  ecdsaSha512: '1.2.840.10045.4.3.4',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha384: '1.2.840.113549.1.1.12',
  rsaSha512: '1.2.840.113549.1.1.13',
  extensionRequest: '1.2.840.113549.1.9.14',
} as const;

/** The hash of each signature algorithm we read; anything else is refused. */
export const SIGNATURE_HASH: Readonly<Record<string, { readonly hash: string; readonly key: 'ec' | 'rsa' }>> = {
  [OID.ecdsaSha256]: { hash: 'sha256', key: 'ec' },
  [OID.ecdsaSha384]: { hash: 'sha384', key: 'ec' },
  [OID.ecdsaSha512]: { hash: 'sha512', key: 'ec' },
  [OID.rsaSha256]: { hash: 'sha256', key: 'rsa' },
  [OID.rsaSha384]: { hash: 'sha384', key: 'rsa' },
  [OID.rsaSha512]: { hash: 'sha512', key: 'rsa' },
};

/** Subject alternative names; what is neither URI, DNS name nor address is counted only. */
export interface Names {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** As text: 10.0.0.1, 2001:db8::1. */
  readonly ipAddresses: readonly string[];
  readonly others: number;
}

export const NO_NAMES: Names = { uris: [], dnsNames: [], ipAddresses: [], others: 0 };

/** The part of a certificate that is signed. Extensions are null where absent. */
export interface TbsFields {
  readonly version: number;
  /** Content octets of the INTEGER. */
  readonly serial: Buffer;
  /** Lower-case hex without leading zeros. */
  readonly serialNumber: string;
  readonly signatureAlgorithm: string;
  /** DER of the AlgorithmIdentifier. */
  readonly signatureAlgorithmDer: Buffer;
  /** DER of the Name. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly subjectEmpty: boolean;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null; readonly critical: boolean } | null;
  /** Positions of the bits that are set: 0 digitalSignature, 2 keyEncipherment, 5 keyCertSign, 6 cRLSign. */
  readonly keyUsage: { readonly bits: readonly number[]; readonly critical: boolean } | null;
  readonly extendedKeyUsage: { readonly purposes: readonly string[]; readonly critical: boolean } | null;
  readonly subjectAltName: (Names & { readonly critical: boolean }) | null;
  readonly subjectKeyId: Buffer | null;
  readonly authorityKeyId: Buffer | null;
  /** Critical extensions that we do not read. */
  readonly unknownCritical: readonly string[];
  readonly duplicateExtensions: boolean;
}

export interface Certificate {
  readonly der: Buffer;
  /** The signed bytes as they came, not encoded anew. */
  readonly tbs: Buffer;
  readonly fields: TbsFields;
  /** Outer AlgorithmIdentifier, which must equal the inner one (RFC 5280 §4.1.1.2). */
  readonly signatureAlgorithmDer: Buffer;
  readonly signature: Buffer;
}

/** A certificate signing request (RFC 2986), its signature not yet checked. */
export interface SigningRequest {
  /** The signed bytes as they came. */
  readonly info: Buffer;
  readonly spki: Buffer;
  readonly signatureAlgorithm: string;
  readonly signature: Buffer;
  readonly commonNames: readonly string[];
  readonly requested: Names;
}

/** Port: reading DER and PEM. Each answers null for what is not strict DER of that shape, is too long or too deep. */
export interface Codec {
  parseCertificate(der: Uint8Array): Certificate | null;
  parseTbs(tbs: Uint8Array): TbsFields | null;
  /** PEM or DER, at most 16 KiB. */
  parseRequest(bytes: Uint8Array): SigningRequest | null;
  /** 1 to 8 certificates of at most 16 KiB each, in their order; their DER. */
  readPem(text: string): readonly Buffer[] | null;
}

/** PEM of one object (RFC 7468). */
export const pem = (label: string, der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};

export const certificatePem = (ders: readonly Uint8Array[]): string => ders.map((der) => pem('CERTIFICATE', der)).join('');

/** The form serial numbers have everywhere with us: lower-case hex without leading zeros. */
export const canonicalSerial = (hex: string): string => hex.toLowerCase().replace(/^0+(?=.)/, '');
