// IssueServiceCert on real Postgres: what is issued, to whom, and every refusal.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { minutes } from '../../../src/base/time.ts';
import type { IssueServiceCertRequest } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { KeyType } from '../../../src/gen/securityhub/v1/certificate.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { type FreshDatabase, freshDatabase, outcome } from '../../harness.ts';
import {
  anonymous,
  createGround,
  csrDer,
  csrPem,
  entry,
  type Ground,
  leafOf,
  openssl,
  operator,
  p256,
  plainUser,
  TRUST_DOMAIN,
  workloadCaller,
} from './setup.ts';

let database: FreshDatabase;
let ground: Ground;
beforeAll(async () => {
  database = await freshDatabase();
  ground = await createGround({ database });
});
afterAll(async () => {
  await ground.stop();
  await database.close();
});

const good = (): Partial<IssueServiceCertRequest> => ({ namespace: 'shop', service: 'billing', csr: csrPem(p256()) });

const verified = (issued: { certificatePem: string; trustBundlePem: string }): string =>
  openssl({ 'chain.pem': issued.certificatePem, 'leaf.pem': leafOf(issued.certificatePem), 'roots.pem': issued.trustBundlePem }, [
    'verify',
    '-x509_strict',
    '-policy_check',
    '-CAfile',
    'roots.pem',
    '-untrusted',
    'chain.pem',
    '-purpose',
    'sslserver',
    'leaf.pem',
  ]);

describe('a certificate from a signing request', () => {
  const keys = {
    'P-256': () => p256(),
    'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    'RSA 2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  for (const [name, make] of Object.entries(keys))
    it(`for ${name} is one that openssl finds strictly correct`, async () => {
      const issued = await ground.issue(operator(), { ...good(), csr: csrPem(make()) });
      expect(verified(issued)).toContain('leaf.pem: OK');
    });

  it('is for the key of the request and for the name the caller is entitled to', async () => {
    const pair = p256();
    const issued = await ground.issue(operator(), { ...good(), csr: csrDer(pair) });
    const leaf = new X509Certificate(issued.certificatePem);
    expect(leaf.publicKey.equals(pair.publicKey)).toBe(true);
    expect(issued.spiffeId).toBe(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/billing`);
    expect(leaf.subjectAltName).toBe(
      `URI:${issued.spiffeId}, DNS:billing.shop.svc, DNS:billing.shop.svc.cluster.local, DNS:billing.example.com`,
    );
    expect(leaf.serialNumber.toLowerCase().replace(/^0+/, '')).toBe(issued.serialNumber);
    expect(issued.privateKeyPem).toBe('');
  });

  it('has the profile: no subject, critical names, both purposes, one hour, a minute of backdate', async () => {
    const issued = await ground.issue(operator(), good());
    const text = openssl({ 'leaf.pem': leafOf(issued.certificatePem) }, ['x509', '-in', 'leaf.pem', '-noout', '-text']);
    expect(text).toMatch(/Subject: *\n/);
    expect(text).toContain('X509v3 Subject Alternative Name: critical');
    expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: *\s+TLS Web Server Authentication, TLS Web Client Authentication/);
    const { notBefore, notAfter, renewAt } = issued;
    expect((notAfter?.seconds ?? 0) - (notBefore?.seconds ?? 0)).toBe(3660);
    expect(renewAt?.seconds).toBeGreaterThan((notBefore?.seconds ?? 0) + 1200);
    expect(renewAt?.seconds).toBeLessThan((notAfter?.seconds ?? 0) - 1700);
  });

  it('is stored with its audit event before it is answered', async () => {
    const issued = await ground.issue(operator(), good());
    const [row] = await database.sql<{ service: string; issued_by: string; certificate: unknown }>(
      'SELECT service, issued_by, certificate FROM certificates WHERE serial_number = $1',
      [issued.serialNumber],
    );
    expect(row).toEqual({ service: 'billing', issued_by: 'user:usr_operator', certificate: null });
    const event = ground.platform.audit.entries.find(({ resource }) => resource === `certificate:${issued.serialNumber}`);
    expect(event).toMatchObject({ type: 'certificate.issued', method: 'securityhub.v1.SecurityHub/IssueServiceCert' });
  });

  it('made by openssl is read as well', async () => {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const uri = `subjectAltName=URI:spiffe://${TRUST_DOMAIN}/ns/shop/sa/billing,DNS:billing.shop.svc`;
    const csr = openssl({ 'key.pem': key }, ['req', '-new', '-key', 'key.pem', '-subj', '/O=Acme/CN=billing', '-addext', uri]);
    expect(await outcome(ground.issue(workloadCaller(), { csr: Buffer.from(csr) }))).toBe('OK');
  });
});

describe('the life of a certificate', () => {
  const life = async (ttl: number): Promise<number> => {
    const issued = await ground.issue(operator(), { ...good(), ttl: { seconds: ttl, nanos: 0 } });
    return (issued.notAfter?.seconds ?? 0) - (issued.notBefore?.seconds ?? 0) - 60;
  };
  it('is what was asked for', async () => expect(await life(600)).toBe(600));
  it('is capped at the most, and not_after says so', async () => expect(await life(10 ** 7)).toBe(86_400));
  it('is refused below the least', async () =>
    expect(await outcome(ground.issue(operator(), { ...good(), ttl: { seconds: 1, nanos: 0 } }))).toBe('INVALID_ARGUMENT/REQUEST_INVALID'));
});

describe('a generated key', () => {
  const types = [
    [KeyType.KEY_TYPE_UNSPECIFIED, 'ec', 'prime256v1'],
    [KeyType.KEY_TYPE_ECDSA_P384, 'ec', 'secp384r1'],
    [KeyType.KEY_TYPE_RSA_2048, 'rsa', 2048],
    [KeyType.KEY_TYPE_RSA_3072, 'rsa', 3072],
  ] as const;
  for (const [type, kind, size] of types)
    it(`of type ${type} fits its certificate`, async () => {
      const issued = await ground.issue(operator(), { ...good(), csr: Buffer.alloc(0), generateKey: { type } });
      const key = createPrivateKey(issued.privateKeyPem);
      expect(new X509Certificate(issued.certificatePem).checkPrivateKey(key)).toBe(true);
      expect(key.asymmetricKeyType).toBe(kind);
      const { namedCurve, modulusLength } = createPublicKey(key).asymmetricKeyDetails ?? {};
      expect(namedCurve ?? modulusLength).toBe(size);
    });

  it('is refused in production unless allowed', async () => {
    const strict = await createGround({ database, sealer: ground.platform.sealer, production: true });
    const allowed = await createGround({
      database,
      sealer: ground.platform.sealer,
      production: true,
      config: { allowGeneratedKeys: true },
    });
    const wish = { ...good(), csr: Buffer.alloc(0), generateKey: { type: KeyType.KEY_TYPE_ECDSA_P256 } };
    expect(await outcome(strict.issue(operator(), wish))).toBe('FAILED_PRECONDITION/KEY_GENERATION_DISABLED');
    expect(await outcome(allowed.issue(operator(), wish))).toBe('OK');
    await Promise.all([strict.stop(), allowed.stop()]);
  });

  it('is stored nowhere', async () => {
    const issued = await ground.issue(operator(), {
      ...good(),
      csr: Buffer.alloc(0),
      generateKey: { type: KeyType.KEY_TYPE_ECDSA_P256 },
      idempotencyKey: 'k-secret',
    });
    const secret = createPrivateKey(issued.privateKeyPem).export({ type: 'pkcs8', format: 'der' }).toString('hex');
    const rows = await database.sql<{ text: string }>(
      "SELECT encode(certificate, 'hex') AS text FROM certificates WHERE certificate IS NOT NULL",
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.some(({ text }) => text.includes(secret.slice(72, 136)))).toBe(false);
    expect(JSON.stringify(ground.platform.audit.entries)).not.toContain('PRIVATE');
  });
});

interface Case {
  readonly title: string;
  readonly caller?: Caller;
  readonly request: () => Partial<IssueServiceCertRequest>;
  readonly wanted: string;
}

const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
};
const billing = workloadCaller();
const withCsr = (csr: Buffer): Partial<IssueServiceCertRequest> => ({ ...good(), csr });

const CASES: readonly Case[] = [
  { title: 'no key at all', request: () => withCsr(Buffer.alloc(0)), wanted: 'INVALID_ARGUMENT/REQUEST_INVALID' },
  {
    title: 'a CSR and a wish for a key',
    request: () => ({ ...good(), generateKey: { type: 1 } }),
    wanted: 'INVALID_ARGUMENT/REQUEST_INVALID',
  },
  { title: 'text that is no CSR', request: () => withCsr(Buffer.from('hello')), wanted: 'INVALID_ARGUMENT/CSR_INVALID' },
  { title: 'bytes that are no CSR', request: () => withCsr(Buffer.from('3003020105', 'hex')), wanted: 'INVALID_ARGUMENT/CSR_INVALID' },
  { title: '1 MB', request: () => withCsr(Buffer.alloc(1 << 20, 0x30)), wanted: 'INVALID_ARGUMENT/CSR_INVALID' },
  {
    title: 'a megabyte of PEM dashes',
    request: () => withCsr(Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----\n${'-'.repeat(1 << 20)}`)),
    wanted: 'INVALID_ARGUMENT/CSR_INVALID',
  },
  {
    title: '60 KB of nested sequences',
    request: () => withCsr(Buffer.concat(Array.from({ length: 4000 }, () => Buffer.from('3080', 'hex')))),
    wanted: 'INVALID_ARGUMENT/CSR_INVALID',
  },
  {
    title: 'a CSR with bytes behind it',
    request: () => withCsr(Buffer.concat([csrDer(p256()), Buffer.from([0])])),
    wanted: 'INVALID_ARGUMENT/CSR_INVALID',
  },
  { title: 'a CSR of another version', request: () => withCsr(csrDer(p256(), { version: 1 })), wanted: 'INVALID_ARGUMENT/CSR_INVALID' },
  { title: 'a bad signature', request: () => withCsr(flipped(csrDer(p256()))), wanted: 'INVALID_ARGUMENT/CSR_INVALID' },
  {
    title: 'a CSR signed by another key',
    request: () => withCsr(csrDer({ publicKey: p256().publicKey, privateKey: p256().privateKey })),
    wanted: 'INVALID_ARGUMENT/CSR_INVALID',
  },
  {
    title: 'SHA-1',
    request: () => withCsr(csrDer(p256(), { hash: 'sha1', signatureOid: '1.2.840.10045.4.1' })),
    wanted: 'INVALID_ARGUMENT/CSR_INVALID',
  },
  {
    title: 'RSA of 1024 bits',
    request: () => withCsr(csrDer(generateKeyPairSync('rsa', { modulusLength: 1024 }))),
    wanted: 'INVALID_ARGUMENT/KEY_WEAK',
  },
  {
    title: 'RSA with the exponent 3',
    request: () => withCsr(csrDer(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }))),
    wanted: 'INVALID_ARGUMENT/KEY_WEAK',
  },
  {
    title: 'P-224',
    request: () => withCsr(csrDer(generateKeyPairSync('ec', { namedCurve: 'secp224r1' }))),
    wanted: 'INVALID_ARGUMENT/KEY_WEAK',
  },
  {
    title: 'secp256k1',
    request: () => withCsr(csrDer(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))),
    wanted: 'INVALID_ARGUMENT/KEY_WEAK',
  },
  {
    title: 'Ed25519',
    request: () => withCsr(csrDer(generateKeyPairSync('ed25519'), { hash: null, signatureOid: '1.3.101.112' })),
    wanted: 'INVALID_ARGUMENT/KEY_WEAK',
  },
  {
    title: 'somebody else’s SPIFFE ID',
    request: () => withCsr(csrPem(p256(), { uris: [`spiffe://${TRUST_DOMAIN}/ns/shop/sa/payments`] })),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'two URIs, one of them its own',
    request: () => withCsr(csrPem(p256(), { uris: [`spiffe://${TRUST_DOMAIN}/ns/shop/sa/billing`, 'https://example.com'] })),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'somebody else’s DNS name in the CSR',
    caller: billing,
    request: () => ({ csr: csrPem(p256(), { dnsNames: ['payments.shop.svc'] }) }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'an e-mail address in the CSR',
    caller: billing,
    request: () => ({ csr: csrPem(p256(), { emails: ['a@example.com'] }) }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'a common name spelt like another’s DNS name',
    caller: billing,
    request: () => ({ csr: csrPem(p256(), { commonName: 'payments.shop.svc' }) }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'a common name that is only a label',
    caller: billing,
    request: () => ({ csr: csrPem(p256(), { commonName: 'billing 1' }) }),
    wanted: 'OK',
  },
  { title: 'a service for itself', caller: billing, request: () => ({ csr: csrPem(p256()) }), wanted: 'OK' },
  { title: 'a service for itself, named in full', caller: billing, request: good, wanted: 'OK' },
  {
    title: 'a service for its neighbour',
    caller: workloadCaller({ entry: entry({ calls: ['IssueServiceCert'] }) }),
    request: () => ({ ...good(), service: 'payments' }),
    wanted: 'PERMISSION_DENIED/PERMISSION_MISSING',
  },
  {
    title: 'a service for its neighbour, without the call in its entry',
    caller: billing,
    request: () => ({ ...good(), service: 'payments' }),
    wanted: 'PERMISSION_DENIED/CALL_NOT_ALLOWED',
  },
  { title: 'a user without the right', caller: plainUser(), request: good, wanted: 'PERMISSION_DENIED/PERMISSION_MISSING' },
  { title: 'nobody', caller: anonymous, request: good, wanted: 'UNAUTHENTICATED/CREDENTIALS_MISSING' },
  {
    title: 'another tenant’s namespace',
    request: () => ({ ...good(), namespace: 'other' }),
    wanted: 'PERMISSION_DENIED/NAMESPACE_FORBIDDEN',
  },
  { title: 'a namespace of nobody', request: () => ({ ...good(), namespace: 'nowhere' }), wanted: 'PERMISSION_DENIED/NAMESPACE_FORBIDDEN' },
  { title: 'another tenant', request: () => ({ ...good(), tenantId: 'other' }), wanted: 'PERMISSION_DENIED/TENANT_FORBIDDEN' },
  {
    title: 'the hub’s own namespace, though the tables give it away',
    request: () => ({ ...good(), namespace: 'security-hub', service: 'security-hub' }),
    wanted: 'PERMISSION_DENIED/NAMESPACE_FORBIDDEN',
  },
  {
    title: 'the hub’s own name elsewhere',
    request: () => ({ ...good(), service: 'security-hub' }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'the hub’s own DNS name',
    request: () => ({ ...good(), dnsNames: ['hub.shop.svc'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'a service called like the hub inside a name',
    request: () => ({ ...good(), dnsNames: ['security-hub.shop.svc'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'a service that may do more than its caller',
    request: () => ({ ...good(), service: 'mighty' }),
    wanted: 'PERMISSION_DENIED/ESCALATION',
  },
  {
    title: 'a registered name of one label, which is another service in every namespace',
    caller: billing,
    request: () => ({ csr: csrPem(p256()), dnsNames: ['billing'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  { title: 'no namespace from a user', request: () => ({ ...good(), namespace: '' }), wanted: 'INVALID_ARGUMENT/REQUEST_INVALID' },
  { title: 'no service from a user', request: () => ({ ...good(), service: '' }), wanted: 'INVALID_ARGUMENT/REQUEST_INVALID' },
  { title: 'a DNS name of its namespace', request: () => ({ ...good(), dnsNames: ['a.b.shop.svc.cluster.local'] }), wanted: 'OK' },
  {
    title: 'a DNS name of the world',
    request: () => ({ ...good(), dnsNames: ['www.example.org'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  { title: 'a DNS name that is none', request: () => ({ ...good(), dnsNames: ['a b'] }), wanted: 'INVALID_ARGUMENT/REQUEST_INVALID' },
  {
    title: 'a wildcard over the namespace',
    request: () => ({ ...good(), dnsNames: ['*.shop.svc'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'localhost on a developer’s machine',
    caller: billing,
    request: () => ({ csr: csrPem(p256()), dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }),
    wanted: 'OK',
  },
  { title: 'an address for an operator', request: () => ({ ...good(), ipAddresses: ['10.1.2.3', '2001:DB8::1'] }), wanted: 'OK' },
  {
    title: 'an address for a service',
    caller: billing,
    request: () => ({ csr: csrPem(p256()), ipAddresses: ['10.1.2.3'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'everybody’s address',
    request: () => ({ ...good(), ipAddresses: ['0.0.0.0'] }),
    wanted: 'PERMISSION_DENIED/IDENTITY_FORBIDDEN',
  },
  {
    title: 'an address that is none',
    request: () => ({ ...good(), ipAddresses: ['10.1.2.300'] }),
    wanted: 'INVALID_ARGUMENT/REQUEST_INVALID',
  },
  {
    title: 'a Kubernetes token where no cluster is configured',
    caller: anonymous,
    request: () => ({ ...good(), attestation: { proof: { $case: 'kubernetesToken', value: 'x' } } }),
    wanted: 'FAILED_PRECONDITION/ATTESTATION_NOT_CONFIGURED',
  },
];

describe('IssueServiceCert answers', () => {
  it.each(CASES)('$wanted to $title', async ({ caller, request: wish, wanted }) => {
    const before = performance.now();
    expect(await outcome(ground.issue(caller ?? operator(), wish()))).toBe(wanted);
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it('changes nothing when it refuses', async () => {
    const count = async (): Promise<unknown> => (await database.sql('SELECT count(*) FROM certificates'))[0];
    const before = await count();
    for (const one of CASES.filter(({ wanted }) => wanted !== 'OK')) await outcome(ground.issue(one.caller ?? operator(), one.request()));
    expect(await count()).toEqual(before);
  });
});

describe('in production', () => {
  it('nobody gets localhost or a loopback address', async () => {
    const strict = await createGround({ database, sealer: ground.platform.sealer, production: true });
    expect(await outcome(strict.issue(operator(), { ...good(), dnsNames: ['localhost'] }))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
    expect(await outcome(strict.issue(operator(), { ...good(), ipAddresses: ['127.0.0.1'] }))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
    await strict.stop();
  });
});

describe('a suspended tenant', () => {
  it('gets no certificates', async () => {
    const other = await createGround({ database, sealer: ground.platform.sealer, suspended: () => true });
    expect(await outcome(other.issue(operator(), good()))).toBe('PERMISSION_DENIED/TENANT_SUSPENDED');
    await other.stop();
  });
});

describe('an idempotency key', () => {
  it('answers the same certificate again, without the private key', async () => {
    const wish = { ...good(), csr: Buffer.alloc(0), generateKey: { type: KeyType.KEY_TYPE_ECDSA_P256 }, idempotencyKey: 'k1' };
    const first = await ground.issue(operator(), wish);
    const again = await ground.issue(operator(), wish, { now: Date.now() + minutes(1) });
    expect(again.certificatePem).toBe(first.certificatePem);
    expect(again.privateKeyPem).toBe('');
    expect(again.warnings.map(({ code }) => code)).toEqual(['ALREADY_CREATED']);
  });

  it('belongs to one request', async () => {
    await ground.issue(operator(), { ...good(), idempotencyKey: 'k2' });
    expect(await outcome(ground.issue(operator(), { ...good(), idempotencyKey: 'k2' }))).toBe('FAILED_PRECONDITION/IDEMPOTENCY_KEY_REUSED');
  });
});
