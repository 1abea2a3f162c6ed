// Window of the certificates capability: CertificateService, and the handler of IssueServiceCert among the six calls.
import type { Call } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { durationOf, millisOf, timestampOf } from '../base/proto-time.ts';
import { type Instant, type Millis, minutes, seconds } from '../base/time.ts';
import type { Duration } from '../gen/google/protobuf/duration.ts';
import * as proto from '../gen/securityhub/v1/certificate.ts';
import type * as hub from '../gen/securityhub/v1/security_hub.ts';
import type { Warning } from '../gen/securityhub/v1/token.ts';
import { type Service, service } from '../server/rpc/define.ts';
import {
  type Attestation,
  type Certificates,
  type CertificateStatus,
  type Issued,
  type KeyType,
  statusOf,
  type StoredCertificate,
} from './certificates.ts';

/** 0 asks for nothing, like leaving it out. */
const lifeOf = (given: Duration | undefined): Millis | null => {
  const life = millisOf(given);
  return life === 0 ? null : life;
};

const KEY_TYPES: Partial<Record<proto.KeyType, KeyType>> = {
  [proto.KeyType.KEY_TYPE_UNSPECIFIED]: 'ecdsa-p256',
  [proto.KeyType.KEY_TYPE_ECDSA_P256]: 'ecdsa-p256',
  [proto.KeyType.KEY_TYPE_ECDSA_P384]: 'ecdsa-p384',
  [proto.KeyType.KEY_TYPE_RSA_2048]: 'rsa-2048',
  [proto.KeyType.KEY_TYPE_RSA_3072]: 'rsa-3072',
};

const generateOf = (wish: proto.GenerateKey | undefined): KeyType | null => {
  if (wish === undefined) return null;
  const type = KEY_TYPES[wish.type];
  if (type === undefined) throw badField('generate_key.type', 'is no kind of key');
  return type;
};

const attestationOf = (given: hub.Attestation | undefined): Attestation | null => {
  switch (given?.proof?.$case) {
    case 'joinToken':
      return { kind: 'join_token', token: given.proof.value };
    case 'expiredCertificate':
      return { kind: 'expired_certificate', pem: given.proof.value };
    case 'kubernetesToken':
      return { kind: 'kubernetes_token' };
    default:
      return null;
  }
};

const warnings = (replayed: boolean, secret: string): Warning[] =>
  replayed ? [{ code: 'ALREADY_CREATED', message: `made by an earlier call with this idempotency key; ${secret} is not shown again` }] : [];

const printIssued = (issued: Issued): hub.IssueServiceCertResponse & proto.RenewServiceCertResponse => ({
  certificatePem: issued.certificatePem,
  privateKeyPem: issued.privateKeyPem,
  trustBundlePem: issued.trustBundlePem,
  spiffeId: issued.spiffeId,
  serialNumber: issued.serialNumber,
  notBefore: timestampOf(issued.notBefore),
  notAfter: timestampOf(issued.notAfter),
  renewAt: timestampOf(issued.renewAt),
  warnings: warnings(issued.replayed, 'a private key'),
});

const printCertificate = (one: StoredCertificate, now: Instant): proto.ServiceCertificate => ({
  serialNumber: one.serialNumber,
  tenantId: one.tenantId,
  namespace: one.namespace,
  service: one.service,
  spiffeId: one.spiffeId,
  dnsNames: [...one.dnsNames],
  ipAddresses: [...one.ipAddresses],
  notBefore: timestampOf(one.notBefore),
  notAfter: timestampOf(one.notAfter),
  status: statusOf(one, now),
  sha256: one.sha256,
  issuedBy: one.issuedBy,
  revokedAt: one.revokedAt === null ? undefined : timestampOf(one.revokedAt),
  revocationReason: one.revocationReason,
});

const STATUSES: readonly string[] = ['', 'active', 'expired', 'revoked'] satisfies ('' | CertificateStatus)[];
const statusFilter = (text: string): '' | CertificateStatus => {
  if (!STATUSES.includes(text)) throw badField('status', 'must be active, expired or revoked');
  return text as '' | CertificateStatus;
};

/** The sixth call. Its row is open to all: who is entitled is decided behind the door. */
export const issueServiceCertHandler =
  (door: Pick<Certificates, 'issue'>) =>
  async (request: hub.IssueServiceCertRequest, call: Call): Promise<hub.IssueServiceCertResponse> => {
    const { tenantId, service: name, namespace, csr, dnsNames, ipAddresses, idempotencyKey } = request;
    const generate = generateOf(request.generateKey);
    const attestation = attestationOf(request.attestation);
    const ttl = lifeOf(request.ttl);
    const wish = { tenantId, namespace, service: name, csr, generate, dnsNames, ipAddresses, ttl, attestation, idempotencyKey };
    return printIssued(await door.issue(wish, call));
  };

export const certificateServices = (door: Certificates): readonly Service[] => [
  service(proto.CertificateServiceService, {
    renewServiceCert: {
      access: 'holder',
      audit: 'in-transaction',
      limit: 'issue',
      deadline: seconds(10),
      idempotency: 'keyed',
      async handle(request, call) {
        const { csr, idempotencyKey } = request;
        const wish = { csr, generate: generateOf(request.generateKey), ttl: lifeOf(request.ttl), idempotencyKey };
        return printIssued(await door.renew(wish, call));
      },
    },
    revokeCertificate: {
      access: 'holder',
      audit: 'in-transaction',
      limit: 'vital',
      budget: 'revoke',
      deadline: seconds(5),
      idempotency: 'idempotent',
      async handle(request, call) {
        const { certificate, revision, effectiveBy } = await door.revoke(request, call);
        return { certificate: printCertificate(certificate, call.now), revision, effectiveBy: timestampOf(effectiveBy) };
      },
    },
    listCertificates: {
      access: { permission: 'certificates:read', across: true },
      audit: 'none',
      limit: 'manage',
      deadline: seconds(5),
      idempotency: 'safe',
      async handle(request, call) {
        const { namespace, service: name, pageSize, pageToken } = request;
        const tenantId = tenantOf(call.caller, request.tenantId, true);
        const filter = { namespace, service: name, status: statusFilter(request.status) };
        const { certificates, nextPageToken } = await door.list({ tenantId, filter, pageSize, pageToken }, call.now);
        return { certificates: certificates.map((one) => printCertificate(one, call.now)), nextPageToken };
      },
    },
    getTrustBundle: {
      access: 'anonymous',
      audit: 'none',
      limit: 'manage',
      deadline: seconds(2),
      idempotency: 'safe',
      handle(_request, call) {
        const { trustDomain, pem, sequence } = door.bundle(call.now);
        return { trustDomain, trustBundlePem: pem, sequence, refreshHint: durationOf(minutes(5)) };
      },
    },
    createJoinToken: {
      access: { permission: 'certificates:issue', across: true },
      audit: 'in-transaction',
      limit: 'manage',
      deadline: seconds(5),
      inPerson: true,
      idempotency: 'keyed',
      async handle(request, call) {
        const tenantId = tenantOf(call.caller, request.tenantId, true);
        const name = { namespace: request.namespace, service: request.service };
        const wish = { tenantId, name, ttl: lifeOf(request.ttl), idempotencyKey: request.idempotencyKey };
        const { joinToken, spiffeId, expiresAt, replayed, revision } = await door.createJoinToken(wish, call);
        return { joinToken, spiffeId, expiresAt: timestampOf(expiresAt), revision, warnings: warnings(replayed, 'the token') };
      },
    },
  }),
];
