// Lint before sign: every rule finds its own fault in an otherwise sound certificate.
import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { lint } from './lint.ts';
import { authorityName, leafTbs, serialFrom, validityOf } from './profile.ts';
import { keyIdOf } from './public-key.ts';
import { forgeCodec } from './x509.forge.ts';
import { NO_NAMES, OID, type TbsFields } from './x509.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
const issuer = { subject: authorityName('issuer', 'ab'), keyId: keyIdOf(spki), notAfter: NOW + 86_400_000 };
const tbs = leafTbs({
  issuer,
  serial: serialFrom(Buffer.alloc(16, 0xff)),
  spki,
  keyType: 'ec',
  spiffeId: 'spiffe://test.example/ns/shop/sa/billing',
  dnsNames: ['billing.shop.svc'],
  ipAddresses: ['10.0.0.1', '2001:db8::1'],
  ...validityOf(NOW, 3_600_000, issuer.notAfter),
});
const sound = forgeCodec.parseTbs(tbs) as TbsFields;
const context = { kind: 'leaf', trustDomain: 'test.example', issuer } as const;
const names = { ...NO_NAMES, critical: true, uris: ['spiffe://test.example/ns/shop/sa/billing'] };

describe('lint', () => {
  it('finds nothing in what the profile makes', () => expect(lint(sound, context)).toEqual([]));

  it('reads back every name the profile wrote', () =>
    expect(sound.subjectAltName).toEqual({
      critical: true,
      uris: ['spiffe://test.example/ns/shop/sa/billing'],
      dnsNames: ['billing.shop.svc'],
      ipAddresses: ['10.0.0.1', '2001:db8::1'],
      others: 0,
    }));

  it.each<[string, Partial<TbsFields>]>([
    ['version', { version: 2 }],
    ['serial', { serial: Buffer.alloc(21, 1) }],
    ['serial', { serial: Buffer.alloc(4, 1) }],
    ['serial', { serial: Buffer.alloc(16, 0xff) }],
    ['serial', { serial: Buffer.alloc(16) }],
    ['signature algorithm', { signatureAlgorithmDer: Buffer.from('300d06092a864886f70d01010b0500', 'hex') }],
    ['issuer', { issuer: authorityName('another', 'cd') }],
    ['ends before', { notAfter: NOW - 3_600_000 }],
    ['outlives', { notAfter: issuer.notAfter + 1000 }],
    ['twice', { duplicateExtensions: true }],
    ['unknown extension', { unknownCritical: ['1.2.3'] }],
    ['basic constraints', { basicConstraints: null }],
    ['authority', { basicConstraints: { ca: true, pathLength: null, critical: true } }],
    ['path length', { basicConstraints: { ca: false, pathLength: 0, critical: true } }],
    ['key usage', { keyUsage: null }],
    ['key usage', { keyUsage: { bits: [0], critical: false } }],
    ['leaf signs', { keyUsage: { bits: [0, 5], critical: true } }],
    ['leaf signs', { keyUsage: { bits: [2], critical: true } }],
    ['server and as client', { extendedKeyUsage: null }],
    ['server and as client', { extendedKeyUsage: { purposes: [OID.clientAuth], critical: false } }],
    ['subject key id', { subjectKeyId: null }],
    ['authority key id', { authorityKeyId: Buffer.alloc(20) }],
    ['names are critical', { subjectAltName: { ...names, critical: false } }],
    ['names are critical', { subjectEmpty: false }],
    ['exactly one URI', { subjectAltName: { ...names, uris: [...names.uris, ...names.uris] } }],
    ['SPIFFE ID', { subjectAltName: { ...names, uris: ['spiffe://other.example/ns/shop/sa/billing'] } }],
    ['names no service', { subjectAltName: { ...names, uris: ['spiffe://test.example'] } }],
    ['another kind', { subjectAltName: { ...names, others: 1 } }],
    ['DNS name', { subjectAltName: { ...names, dnsNames: ['a b'] } }],
  ])('finds: %s', (finding, fault) => {
    const found = lint({ ...sound, ...fault }, context);
    expect(found.some((one) => one.includes(finding))).toBe(true);
  });
});
