// Certificates wired on real stores with plain ports, signing requests of every kind, and the openssl of this machine.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../../../src/base/call.ts';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import { systemRandom } from '../../../src/base/random.ts';
import type { Sealer } from '../../../src/base/sealer.ts';
import { type Clock, days, hours, minutes } from '../../../src/base/time.ts';
import { type CertificatesWire, wireCertificates } from '../../../src/certificates/certificates.wire.ts';
import * as der from '../../../src/certificates/der.ts';
import { OID, pem } from '../../../src/certificates/x509.ts';
import { createSealer } from '../../../src/encryption/sealer.ts';
import type { IssueServiceCertRequest } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { describeCertificate } from '../../../src/base/peer-certificate.ts';
import { callAs, workloadEntry } from '../../callers.ts';
import { createTestPlatform, type FreshDatabase, type TestPlatform } from '../../harness.ts';
import { X509Certificate } from 'node:crypto';

export const TRUST_DOMAIN = 'test.example';
export const TENANT = 'acme';

export const entry = (over: Partial<WorkloadEntry> = {}): WorkloadEntry =>
  // The last name as it may stand in entries of earlier releases.
  workloadEntry({ name: 'billing', dnsNames: ['billing.example.com', 'billing'], certificateTtlSeconds: 0, ...over });

export const workloadCaller = (over: Partial<Extract<Caller, { kind: 'workload' }>> = {}): Caller => {
  const namespace = over.namespace ?? 'shop';
  const name = over.name ?? 'billing';
  return {
    kind: 'workload',
    tenantId: TENANT,
    namespace,
    name,
    spiffeId: `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${name}`,
    entry: null,
    ...over,
  };
};

/** May issue, revoke and read certificates of its tenant. */
export const operator = (tenantId = TENANT): Caller => ({
  kind: 'user',
  tenantId,
  userId: 'usr_operator',
  sessionId: 'ses_1',
  tokenId: 'tok_1',
  clientId: '',
  scopes: [],
  mfaVerified: true,
  authMethod: 'password',
  riskLevel: 'low',
  riskScore: 0,
  expiresAt: Date.now() + hours(1),
});
export const plainUser = (): Caller => ({ ...operator(), userId: 'usr_plain' }) as Caller;
export const anonymous: Caller = { kind: 'anonymous' };

export interface Ground {
  readonly platform: TestPlatform;
  readonly wire: CertificatesWire;
  /** The answer, or the fault, of the sixth call. */
  issue(caller: Caller, over?: Partial<IssueServiceCertRequest>, call?: Partial<Call>): ReturnType<CertificatesWire['issueServiceCert']>;
  stop(): Promise<void>;
}

export interface GroundOptions {
  readonly database: FreshDatabase;
  readonly sealer?: Sealer;
  readonly clock?: Clock;
  readonly production?: boolean;
  readonly config?: Partial<Parameters<typeof wireCertificates>[1]>;
  readonly suspended?: () => boolean;
  readonly owners?: Readonly<Record<string, string>>;
  readonly redis?: boolean;
}

export const sealerOf = (): Sealer => createSealer(randomBytes(32), systemRandom);

const request = (over: Partial<IssueServiceCertRequest> = {}): IssueServiceCertRequest => ({
  tenantId: '',
  service: '',
  namespace: '',
  csr: Buffer.alloc(0),
  generateKey: undefined,
  dnsNames: [],
  ipAddresses: [],
  ttl: undefined,
  attestation: undefined,
  idempotencyKey: '',
  ...over,
});

/** Namespaces: shop and back belong to acme, other to the tenant `other`. */
export const createGround = async (options: GroundOptions): Promise<Ground> => {
  const base = await createTestPlatform({
    database: options.database,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.redis === undefined ? {} : { redis: options.redis }),
  });
  const platform: TestPlatform = { ...base, sealer: options.sealer ?? base.sealer, production: options.production ?? false };
  const owners = options.owners ?? { shop: TENANT, back: TENANT, other: 'other', 'security-hub': TENANT };
  const wire = wireCertificates(
    platform,
    {
      trustDomain: TRUST_DOMAIN,
      life: hours(1),
      leastLife: minutes(5),
      mostLife: hours(24),
      allowGeneratedKeys: false,
      retention: days(30),
      rootLife: days(3650),
      intermediateLife: days(90),
      serverLife: hours(24),
      serverNames: ['hub.shop.svc'],
      serviceName: 'security-hub',
      ...options.config,
    },
    {
      namespaceOwner: (namespace) => owners[namespace] ?? null,
      tenant: () => ({ status: options.suspended?.() === true ? 'suspended' : 'active' }),
      workload: (namespace, name) => (namespace === 'shop' && name === 'billing' ? entry() : null),
      outranks: (_caller, _tenantId, { service }) => service !== 'mighty',
      holds: (caller) => caller.kind === 'user' && caller.userId === 'usr_operator',
    },
  );
  const stop = async (): Promise<void> => {
    await wire.close();
    await platform.stop();
  };
  try {
    await wire.start();
    await platform.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    platform,
    wire,
    issue: async (caller, over = {}, call = {}) =>
      wire.issueServiceCert(
        request(over),
        callAs(caller, { now: platform.clock.now(), method: 'securityhub.v1.SecurityHub/IssueServiceCert', ...call }),
      ),
    stop,
  };
};

export interface CsrWish {
  readonly commonName?: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly emails?: readonly string[];
  readonly hash?: string | null;
  readonly signatureOid?: string;
  readonly version?: number;
}

export const p256 = (): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

const signatureAlgorithm = (oid: string): Buffer =>
  oid.startsWith('1.2.840.113549') ? der.sequence(der.oid(oid), Buffer.from([5, 0])) : der.sequence(der.oid(oid));

/** A request signed by `pair`, DER. */
export const csrDer = (pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }, wish: CsrWish = {}): Buffer => {
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  const rsa = pair.publicKey.asymmetricKeyType === 'rsa';
  const subject =
    wish.commonName === undefined
      ? der.sequence()
      : der.sequence(der.set(der.sequence(der.oid(OID.commonName), der.utf8(wish.commonName))));
  const names = [
    ...(wish.uris ?? []).map((text) => der.implicit(6, Buffer.from(text))),
    ...(wish.dnsNames ?? []).map((text) => der.implicit(2, Buffer.from(text))),
    ...(wish.emails ?? []).map((text) => der.implicit(1, Buffer.from(text))),
  ];
  const extension = der.sequence(der.oid(OID.subjectAltName), der.octets(der.sequence(...names)));
  const attributes =
    names.length === 0 ? der.explicit(0) : der.explicit(0, der.sequence(der.oid(OID.extensionRequest), der.set(der.sequence(extension))));
  const info = der.sequence(der.unsigned(Buffer.from([wish.version ?? 0])), subject, spki, attributes);
  const hash = wish.hash === undefined ? 'sha256' : wish.hash;
  const oid = wish.signatureOid ?? (rsa ? OID.rsaSha256 : OID.ecdsaSha256);
  return der.sequence(info, signatureAlgorithm(oid), der.bits(sign(hash, info, pair.privateKey)));
};

export const csrPem = (...given: Parameters<typeof csrDer>): Buffer => Buffer.from(pem('CERTIFICATE REQUEST', csrDer(...given)));

/** The connection's certificate, as the transport would describe it. */
export const peerOf = (certificatePem: string): Call['peer'] => ({
  transport: 'tcp',
  address: '10.0.0.9',
  loopback: false,
  certificate: describeCertificate(new X509Certificate(certificatePem)),
});

/** Runs openssl over files in a folder of their own. Fails, naming the package, where there is none. */
export const openssl = (files: Readonly<Record<string, string>>, args: readonly string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'hub-certificates-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return execFileSync('openssl', [...args], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === 'ENOENT')
      throw new Error('this test needs the command openssl: install the package openssl', { cause: thrown });
    throw thrown;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

export const leafOf = (chain: string): string => `${chain.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`;
