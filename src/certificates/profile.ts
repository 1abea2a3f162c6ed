// What our certificates look like (RFC 5280 §4, SPIFFE X.509-SVID §3–§4): one profile each for root, intermediate and leaf. Pure.
import { isIPv4, isIPv6 } from 'node:net';
import type { Instant, Millis } from '../base/time.ts';
import * as der from './der.ts';
import { keyIdOf } from './public-key.ts';
import { OID } from './x509.ts';

/** Clocks of peers may be behind: a certificate begins this long before it is made. */
const BACKDATE: Millis = 60_000;
const SECOND = 1000;

export interface Validity {
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

/** From a minute ago to `ttl` ahead, never beyond the issuer's own end; whole seconds. */
export const validityOf = (now: Instant, ttl: Millis, issuerNotAfter: Instant): Validity => ({
  notBefore: Math.floor((now - BACKDATE) / SECOND) * SECOND,
  notAfter: Math.min(Math.floor((now + ttl) / SECOND) * SECOND, issuerNotAfter),
});

/** When to renew: half of what was left when it was issued, up to a tenth sooner, so that a fleet does not come at once. `spread` 0 to 1. */
export const renewAt = (now: Instant, notAfter: Instant, spread: number): Instant =>
  Math.floor((now + (notAfter - now) * (0.5 - 0.1 * spread)) / SECOND) * SECOND;

/** 16 random bytes → a serial of 127 random bits, positive and not zero (RFC 5280 §4.1.2.2). */
export const serialFrom = (random: Uint8Array): Buffer => {
  const serial = Buffer.from(random.subarray(0, 16));
  serial[0] = (serial[0] ?? 0) & 0x7f;
  if (serial.every((byte) => byte === 0)) serial[15] = 1;
  return serial;
};

// Parameters are absent with ECDSA (RFC 5758 §3.2). Our authorities sign with P-256.
export const SIGNATURE_ALGORITHM = der.sequence(der.oid(OID.ecdsaSha256));
const VERSION_3 = der.explicit(0, der.unsigned(Buffer.from([2])));
const EMPTY_NAME = der.sequence();

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octets(value));

const LEAF_BASIC = extension(OID.basicConstraints, true, der.sequence());
const LEAF_USAGE = extension(OID.keyUsage, true, der.namedBits(0));
const RSA_LEAF_USAGE = extension(OID.keyUsage, true, der.namedBits(0, 2));
const LEAF_PURPOSES = extension(OID.extendedKeyUsage, false, der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth)));
const CA_USAGE = extension(OID.keyUsage, true, der.namedBits(5, 6));
const caBasic = (pathLength: number): Buffer =>
  extension(OID.basicConstraints, true, der.sequence(der.boolean(true), der.unsigned(Buffer.from([pathLength]))));

const ipv6Bytes = (address: string): Buffer => {
  // Node's own parser has judged it; here it is only unfolded.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
};

const ipBytes = (address: string): Buffer => {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (isIPv6(address) && !address.includes('%')) return ipv6Bytes(address);
  throw new TypeError('not an IP address');
};

const ia5 = (text: string): Buffer => {
  // A NUL or a letter beyond ASCII would be read differently by different peers.
  if (!/^[\x21-\x7e]+$/.test(text)) throw new TypeError('names in certificates are printable ASCII');
  return Buffer.from(text, 'latin1');
};

const altNames = (critical: boolean, uri: string, dnsNames: readonly string[], ipAddresses: readonly string[]): Buffer =>
  extension(
    OID.subjectAltName,
    critical,
    der.sequence(
      der.implicit(6, ia5(uri)),
      ...dnsNames.map((name) => der.implicit(2, ia5(name))),
      ...ipAddresses.map((address) => der.implicit(7, ipBytes(address))),
    ),
  );

const attribute = (id: string, value: Buffer): Buffer => der.set(der.sequence(der.oid(id), value));

/** CN for readers, serialNumber per key: two authorities never share a name, so that no verifier tries one's key for the other. */
export const authorityName = (commonName: string, authorityId: string): Buffer =>
  der.sequence(attribute(OID.commonName, der.utf8(commonName)), attribute(OID.serialNumber, der.printable(authorityId)));

export interface IssuerNames {
  /** DER of its subject. */
  readonly subject: Buffer;
  readonly keyId: Buffer;
}

interface Common extends Validity {
  readonly serial: Buffer;
  readonly spki: Buffer;
}

const tbs = (issuer: Buffer, subject: Buffer, { serial, spki, notBefore, notAfter }: Common, extensions: readonly Buffer[]): Buffer =>
  der.sequence(
    VERSION_3,
    der.unsigned(serial),
    SIGNATURE_ALGORITHM,
    issuer,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    subject,
    spki,
    der.explicit(3, der.sequence(...extensions)),
  );

const subjectKey = (spki: Buffer): Buffer => extension(OID.subjectKeyIdentifier, false, der.octets(keyIdOf(spki)));
const issuerKey = (keyId: Buffer): Buffer => extension(OID.authorityKeyIdentifier, false, der.sequence(der.implicit(0, keyId)));

export interface LeafWish extends Common {
  readonly issuer: IssuerNames;
  readonly keyType: 'ec' | 'rsa';
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** An X.509-SVID: empty subject, so the names are critical (RFC 5280 §4.1.2.6); one URI; good as server and as client. */
export const leafTbs = (wish: LeafWish): Buffer =>
  tbs(wish.issuer.subject, EMPTY_NAME, wish, [
    LEAF_BASIC,
    wish.keyType === 'rsa' ? RSA_LEAF_USAGE : LEAF_USAGE,
    LEAF_PURPOSES,
    subjectKey(wish.spki),
    issuerKey(wish.issuer.keyId),
    altNames(true, wish.spiffeId, wish.dnsNames, wish.ipAddresses),
  ]);

export interface AuthorityWish extends Common {
  readonly kind: 'root' | 'intermediate';
  readonly subject: Buffer;
  /** null: it signs itself. */
  readonly issuer: IssuerNames | null;
  readonly trustDomain: string;
}

/** Root: may have one authority below it. Intermediate: leaves only. Both carry the trust domain as their name. */
export const authorityTbs = (wish: AuthorityWish): Buffer =>
  tbs(wish.issuer?.subject ?? wish.subject, wish.subject, wish, [
    caBasic(wish.kind === 'root' ? 1 : 0),
    CA_USAGE,
    subjectKey(wish.spki),
    ...(wish.issuer === null ? [] : [issuerKey(wish.issuer.keyId)]),
    altNames(false, `spiffe://${wish.trustDomain}`, [], []),
  ]);

/** The signed bytes with their signature: a certificate. */
export const certificateDer = (signed: Buffer, signature: Buffer): Buffer => der.sequence(signed, SIGNATURE_ALGORITHM, der.bits(signature));
