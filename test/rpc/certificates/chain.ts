// Chains with one thing wrong: certificates of any shape, built from a description.
import { type KeyObject, sign } from 'node:crypto';
import * as der from '../../../src/certificates/der.ts';
import { keyIdOf } from '../../../src/certificates/public-key.ts';
import { OID } from '../../../src/certificates/x509.ts';
import { p256 } from './setup.ts';

/** Every member overrides what a correct certificate of its place has. */
export interface Shape {
  readonly version?: number;
  /** Hex of the INTEGER's content. */
  readonly serial?: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean | null;
  readonly caCritical?: boolean;
  readonly pathLength?: number | null;
  readonly keyUsage?: readonly number[] | null;
  readonly purposes?: readonly string[] | null;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly unknownExtension?: 'critical' | 'plain';
  readonly repeatedExtension?: boolean;
  readonly authorityKeyId?: 'wrong' | 'absent';
  readonly outerAlgorithm?: 'different';
  readonly algorithm?: 'sha1' | 'sha384';
  readonly signature?: 'broken' | 'foreign';
  readonly issuerName?: 'wrong';
}

export interface Made {
  readonly der: Buffer;
  readonly pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly name: Buffer;
  readonly keyId: Buffer;
}

const ALGORITHMS = {
  sha256: ['sha256', OID.ecdsaSha256],
  sha384: ['sha384', OID.ecdsaSha384],
  sha1: ['sha1', '1.2.840.10045.4.1'],
} as const;

const nameOf = (text: string): Buffer =>
  text === '' ? der.sequence() : der.sequence(der.set(der.sequence(der.oid(OID.commonName), der.utf8(text))));

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octets(value));

const DEFAULTS = {
  root: { ca: true, pathLength: 1, keyUsage: [5, 6], purposes: null, uris: ['spiffe://test.example'] },
  intermediate: { ca: true, pathLength: 0, keyUsage: [5, 6], purposes: null, uris: ['spiffe://test.example'] },
  leaf: {
    ca: false,
    pathLength: null,
    keyUsage: [0],
    purposes: [OID.serverAuth, OID.clientAuth],
    uris: ['spiffe://test.example/ns/shop/sa/billing'],
  },
} as const;

export const NOW = Date.UTC(2026, 10, 21, 12);

/** `issuer` null: it signs itself. */
export const build = (place: keyof typeof DEFAULTS, issuer: Made | null, given: Shape = {}): Made => {
  const shape = { ...DEFAULTS[place], ...given };
  const pair = p256();
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  const keyId = keyIdOf(spki);
  const name = nameOf(place === 'leaf' ? '' : `${place} ${keyId.toString('hex')}`);
  const [hash, algorithmId] = ALGORITHMS[shape.algorithm ?? 'sha256'];
  const algorithm = der.sequence(der.oid(algorithmId));
  const basic = [
    ...(shape.ca === true ? [der.boolean(true)] : []),
    ...(shape.pathLength === null ? [] : [der.unsigned(Buffer.from([shape.pathLength]))]),
  ];
  const alternative = [
    ...shape.uris.map((text) => der.implicit(6, Buffer.from(text))),
    ...(shape.dnsNames ?? []).map((text) => der.implicit(2, Buffer.from(text))),
  ];
  const authorityKey = shape.authorityKeyId === 'wrong' ? Buffer.alloc(20, 7) : issuer?.keyId;
  const extensions = [
    ...(shape.ca === null ? [] : [extension(OID.basicConstraints, shape.caCritical ?? true, der.sequence(...basic))]),
    ...(shape.keyUsage === null ? [] : [extension(OID.keyUsage, true, der.namedBits(...shape.keyUsage))]),
    ...(shape.purposes === null ? [] : [extension(OID.extendedKeyUsage, false, der.sequence(...shape.purposes.map(der.oid)))]),
    extension(OID.subjectKeyIdentifier, false, der.octets(keyId)),
    ...(authorityKey === undefined || shape.authorityKeyId === 'absent'
      ? []
      : [extension(OID.authorityKeyIdentifier, false, der.sequence(der.implicit(0, authorityKey)))]),
    ...(alternative.length === 0 ? [] : [extension(OID.subjectAltName, place === 'leaf', der.sequence(...alternative))]),
    ...(shape.unknownExtension === undefined ? [] : [extension('1.2.3.4', shape.unknownExtension === 'critical', der.sequence())]),
    ...(shape.repeatedExtension === true ? [extension(OID.subjectKeyIdentifier, false, der.octets(keyId))] : []),
  ];
  const tbs = der.sequence(
    ...(shape.version === 1 ? [] : [der.explicit(0, der.unsigned(Buffer.from([(shape.version ?? 3) - 1])))]),
    der.element(0x02, Buffer.from(shape.serial ?? '4a0102030405060708090a0b0c0d0e0f', 'hex')),
    algorithm,
    shape.issuerName === 'wrong' ? nameOf('somebody else') : (issuer?.name ?? name),
    der.sequence(der.time(shape.notBefore ?? NOW - 3_600_000), der.time(shape.notAfter ?? NOW + 3_600_000)),
    name,
    spki,
    der.explicit(3, der.sequence(...extensions)),
  );
  const signer = shape.signature === 'foreign' ? p256().privateKey : (issuer?.pair.privateKey ?? pair.privateKey);
  const signature = sign(hash, tbs, signer);
  if (shape.signature === 'broken') signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
  const outer = shape.outerAlgorithm === 'different' ? der.sequence(der.oid(OID.ecdsaSha384)) : algorithm;
  return { der: der.sequence(tbs, outer, der.bits(signature)), pair, name, keyId };
};
