// What the tables of bad input call by name: credentials, ciphertexts and signing requests, each wrong in one way.
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { OID, pem } from '../../src/certificates/x509.ts';
import { csrDer, p256 } from '../rpc/certificates/setup.ts';
import { object, text } from './access-callers.ts';

export type Values = ReadonlyMap<string, JsonValue>;

const base64url = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const part = (token: string, at: number): JsonObject =>
  JSON.parse(Buffer.from(token.split('.')[at] ?? '', 'base64url').toString()) as JsonObject;

const signed = (header: unknown, payload: unknown, key: KeyObject): string => {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};

/** Tokens that start from a good one of the hub, whose signing key the test holds. */
export const tokenValues = (good: string, key: KeyObject): Record<string, string> => {
  const [header, payload] = [part(good, 0), part(good, 1)];
  const [head = '', body = '', signature = ''] = good.split('.');
  const now = Math.floor(Date.now() / 1000);
  const stranger = p256().privateKey;
  const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  const hmacInput = `${base64url({ ...header, alg: 'HS256' })}.${body}`;
  const with_ = (over: object): string => signed(header, { ...payload, ...over }, key);
  return {
    token: good,
    'token.truncated': good.slice(0, -10),
    'token.half': good.slice(0, Math.floor(good.length / 2)),
    'token.unsigned': `${head}.${body}.`,
    'token.two_parts': `${head}.${body}`,
    'token.four_parts': `${good}.${signature}`,
    'token.alg_none': `${base64url({ ...header, alg: 'none' })}.${body}.`,
    'token.alg_none_signed': `${base64url({ ...header, alg: 'none' })}.${body}.${signature}`,
    'token.hs256': `${hmacInput}.${createHmac('sha256', publicPem).update(hmacInput).digest('base64url')}`,
    'token.foreign_key': signed({ ...header, kid: 'somebody-elses' }, payload, stranger),
    'token.foreign_key_our_kid': signed(header, payload, stranger),
    'token.other_subject': `${head}.${base64url({ ...payload, sub: 'usr_somebody' })}.${signature}`,
    'token.other_tenant': `${head}.${base64url({ ...payload, tenant_id: 'acme' })}.${signature}`,
    'token.typ_jwt': signed({ ...header, typ: 'JWT' }, payload, key),
    'token.typ_missing': signed({ alg: header['alg'], kid: header['kid'] }, payload, key),
    'token.crit': signed({ ...header, crit: ['x'], x: 1 }, payload, key),
    'token.issuer': with_({ iss: 'https://evil.example' }),
    'token.audience_other': with_({ aud: 'billing' }),
    'token.no_audience': with_({ aud: [] }),
    'token.expired': with_({ iat: now - 600, nbf: now - 600, exp: now - 300 }),
    'token.just_expired': with_({ iat: now - 600, nbf: now - 600, exp: now - 5 }),
    'token.not_yet_valid': with_({ iat: now + 600, nbf: now + 600, exp: now + 900 }),
    'token.no_subject': with_({ sub: '' }),
    'token.number_subject': with_({ sub: 7 }),
    'token.too_long_life': with_({ exp: now + 10 * 365 * 86_400 }),
    'token.text_date': with_({ exp: String(now + 60) }),
    'token.twice': signed(header, `{"sub":"usr_a",${JSON.stringify(payload).slice(1)}`, key),
    'token.payload_list': signed(header, [payload], key),
    'token.large': with_({ note: 'x'.repeat(7000) }),
  };
};

/** Ciphertexts that start from a good one. */
export const sealedValues = (good: string): Record<string, string> => {
  const bytes = Buffer.from(good, 'base64');
  const changed = (at: number): string => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return copy.toString('base64');
  };
  return {
    sealed: good,
    'sealed.first_bit': changed(0),
    'sealed.header_bit': changed(8),
    'sealed.key_id_bit': changed(Math.min(20, bytes.length - 1)),
    'sealed.middle_bit': changed(Math.floor(bytes.length / 2)),
    'sealed.last_bit': changed(bytes.length - 1),
    'sealed.truncated': bytes.subarray(0, -1).toString('base64'),
    'sealed.header_only': bytes.subarray(0, 16).toString('base64'),
    'sealed.longer': Buffer.concat([bytes, Buffer.of(0)]).toString('base64'),
    'sealed.twice': Buffer.concat([bytes, bytes]).toString('base64'),
  };
};

const asRequest = (der: Buffer): string => Buffer.from(pem('CERTIFICATE REQUEST', der)).toString('base64');

/** Signing requests for `default/billing`, as the field's base64. `certificate`: some certificate in PEM. */
export const csrValues = (certificate: string): Record<string, string> => {
  const own = 'spiffe://dev.internal/ns/default/sa/';
  const good = csrDer(p256());
  const badSignature = Buffer.from(good);
  badSignature.writeUInt8(badSignature.readUInt8(good.length - 5) ^ 1, good.length - 5);
  const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
  const asking = (wish: Parameters<typeof csrDer>[1]): string => asRequest(csrDer(p256(), wish));
  const [one, other] = [p256(), p256()];
  return {
    csr: asRequest(good),
    'csr.der': good.toString('base64'),
    'csr.garbage': Buffer.from('this is no signing request').toString('base64'),
    'csr.pem_garbage': Buffer.from(pem('CERTIFICATE REQUEST', Buffer.from('nor is this'))).toString('base64'),
    'csr.certificate': Buffer.from(certificate).toString('base64'),
    'csr.public_key': Buffer.from(text(one.publicKey.export({ type: 'spki', format: 'pem' }))).toString('base64'),
    'csr.truncated': good.subarray(0, -20).toString('base64'),
    'csr.trailing': Buffer.concat([good, Buffer.from('more')]).toString('base64'),
    'csr.bad_signature': asRequest(badSignature),
    'csr.another_key': asRequest(csrDer({ publicKey: one.publicKey, privateKey: other.privateKey })),
    'csr.sha1': asking({ hash: 'sha1', signatureOid: '1.2.840.10045.4.1' }),
    'csr.rsa_1024': asRequest(csrDer(rsa(1024))),
    'csr.rsa_2048': asRequest(csrDer(rsa(2048))),
    'csr.ed25519': asRequest(csrDer(generateKeyPairSync('ed25519'), { hash: null, signatureOid: '1.3.101.112' })),
    'csr.secp256k1': asRequest(csrDer(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))),
    'csr.own_name': asking({ uris: [`${own}billing`], dnsNames: ['billing.default.svc'], commonName: 'billing' }),
    'csr.other_service': asking({ uris: [`${own}payments`] }),
    'csr.other_namespace': asking({ uris: ['spiffe://dev.internal/ns/acme/sa/billing'] }),
    'csr.other_domain': asking({ uris: ['spiffe://evil.example/ns/default/sa/billing'] }),
    'csr.two_uris': asking({ uris: [`${own}billing`, `${own}payments`] }),
    'csr.other_dns': asking({ dnsNames: ['payments.acme.svc'] }),
    'csr.wildcard': asking({ dnsNames: ['*.default.svc'] }),
    'csr.hub_name': asking({ dnsNames: ['security-hub.default.svc'] }),
    'csr.email': asking({ emails: ['root@example.com'] }),
    'csr.common_name': asking({ commonName: 'www.example.com' }),
    'csr.signature_oid': asking({ signatureOid: OID.rsaSha256 }),
  };
};

const deep = (levels: number): JsonObject => (levels === 0 ? {} : { a: deep(levels - 1) });

/** `$name`, `$text:<n>` (n letters), `$bytes:<n>` (n bytes as base64), `$list:<n>:<item>`, `$deep:<n>`; anything else stands for itself. */
export const resolve = (value: JsonValue, values: Values): JsonValue => {
  if (Array.isArray(value)) return value.map((one) => resolve(one, values));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, values)]));
  if (typeof value !== 'string' || !value.startsWith('$')) return value;
  const [kind = '', size = '', item = ''] = value.split(':');
  if (kind === '$text') return 'x'.repeat(Number(size));
  if (kind === '$bytes') return Buffer.alloc(Number(size)).toString('base64');
  if (kind === '$deep') return deep(Number(size));
  if (kind === '$list') return Array.from({ length: Number(size) }, (_, at) => resolve(item.replace('#', String(at)), values));
  const found = values.get(value.slice(1));
  if (found === undefined) throw new Error(`no value is called ${value}`);
  return found;
};

/** Sets what stands at dotted paths; null takes it away. */
export const patched = (request: JsonObject, set: JsonObject): JsonObject => {
  const put = (into: JsonValue | undefined, [name = '', ...rest]: readonly string[], value: JsonValue): JsonValue => {
    if (Array.isArray(into))
      return into.map((one, at) => (String(at) === name ? (rest.length === 0 ? value : put(one, rest, value)) : one));
    const whole = into === undefined ? {} : object(into);
    if (rest.length > 0) return { ...whole, [name]: put(whole[name], rest, value) };
    const { [name]: _old, ...others } = whole;
    return value === null ? others : { ...whole, [name]: value };
  };
  return object(Object.entries(set).reduce<JsonValue>((whole, [path, value]) => put(whole, path.split('.'), value), request));
};
