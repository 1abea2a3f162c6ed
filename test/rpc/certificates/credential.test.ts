// A certificate as the credential asked about: ValidateToken.certificate_chain, with certificates that this hub issued and others.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hours, minutes } from '../../../src/base/time.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { selfSigned } from '../../wire/self-signed.ts';

let database: FreshDatabase;
let clock: TestClock;
let hub: Hub;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await openHub({ POSTGRES_URI: database.uri }, { clock });
  await hub.ask('WorkloadService/PutWorkload', {
    workload: { namespace: 'default', name: 'billing', permissions: ['conversations:read'], calls: ['ValidateToken'] },
  });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

interface Issued {
  readonly certificatePem: string;
  readonly trustBundlePem: string;
  readonly serialNumber: string;
  readonly spiffeId: string;
}
const issue = async (service = 'billing', ttl = '3600s'): Promise<Issued> =>
  (await hub.ask('SecurityHub/IssueServiceCert', {
    namespace: 'default',
    service,
    ttl,
    generateKey: { type: 'KEY_TYPE_ECDSA_P256' },
  })) as unknown as Issued;
const validate = (certificateChain: string, over: JsonObject = {}) => hub.ask('SecurityHub/ValidateToken', { certificateChain, ...over });
const codes = (answer: JsonObject): unknown[] => (answer['reasons'] as JsonObject[]).map((reason) => reason['code']);
const blocks = (pem: string): string[] => pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];

/** The same service, namespace and trust domain, of an authority that is not ours. */
const elsewhere = async (): Promise<string> => {
  const other = await freshDatabase();
  const theirs = await openHub({ POSTGRES_URI: other.uri });
  const issued = await theirs.ask('SecurityHub/IssueServiceCert', { namespace: 'default', service: 'billing', generateKey: {} });
  await theirs.stop();
  await other.close();
  return (issued as unknown as Issued).certificatePem;
};

describe('a certificate of ours', () => {
  it('is its workload: a service with the rights of its entry', async () => {
    const { certificatePem, spiffeId, serialNumber } = await issue();
    const answer = await validate(certificatePem, { requiredPermissions: ['conversations:read'] });
    expect(answer).toMatchObject({ valid: true, verdict: 'VERDICT_VALID', tokenType: 'TOKEN_TYPE_CERTIFICATE', reasons: [] });
    expect(answer['claims']).toMatchObject({ subject: spiffeId, tokenId: serialNumber, tenantId: 'dev', authMethod: 'certificate' });
    expect(answer['subject']).toMatchObject({
      type: 'service',
      id: 'default/billing',
      tenantId: 'dev',
      status: 'active',
      permissions: ['conversations:read'],
    });
  });

  it('may do nothing that its entry does not give', async () => {
    const { certificatePem } = await issue();
    expect(codes(await validate(certificatePem, { requiredPermissions: ['conversations:write'] }))).toEqual(['PERMISSION_MISSING']);
  });

  it('of a workload nobody registered is good, and may do nothing', async () => {
    const { certificatePem } = await issue('stranger');
    expect(await validate(certificatePem)).toMatchObject({ valid: true, subject: { id: 'default/stranger', permissions: [], roles: [] } });
  });

  it('counts without its intermediates: they are ours', async () => {
    const [leaf = ''] = blocks((await issue()).certificatePem);
    expect(await validate(leaf)).toMatchObject({ valid: true });
  });

  it('is not rescued by a token beside it', async () => {
    const { certificatePem } = await issue();
    await expect(validate(certificatePem, { token: hub.bootstrap.access_token })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [expect.objectContaining({ field: 'certificate_chain' })],
    });
  });
});

describe('a certificate that is not good', () => {
  it('because it was revoked is refused from the next call on', async () => {
    const { certificatePem, serialNumber } = await issue();
    expect(await validate(certificatePem)).toMatchObject({ valid: true });
    await hub.ask('CertificateService/RevokeCertificate', { serialNumber, reason: 'keyCompromise' });
    expect(codes(await validate(certificatePem))).toEqual(['TOKEN_REVOKED']);
  });

  it.each<[string, () => Promise<string> | string, string]>([
    ['signed itself', () => selfSigned('billing').chain, 'CLAIM_INVALID'],
    ['comes from another installation of the same name', elsewhere, 'ISSUER_MISMATCH'],
    [
      'has an authority of ours in front',
      async () => {
        const { certificatePem } = await issue();
        return blocks(certificatePem).toReversed().join('');
      },
      'CLAIM_INVALID',
    ],
    ['is the authority itself', async () => (await issue()).trustBundlePem, 'CLAIM_INVALID'],
    ['was cut off', async () => (await issue()).certificatePem.slice(0, 300), 'TOKEN_MALFORMED'],
    ['is no PEM', () => 'MIIB', 'TOKEN_MALFORMED'],
    ['is larger than any chain', async () => (await issue()).certificatePem.repeat(20), 'TOKEN_MALFORMED'],
    [
      'had a byte changed',
      async () => {
        const [leaf = '', ...rest] = blocks((await issue()).certificatePem);
        const der = Buffer.from(leaf.replace(/-----[^-]+-----|\s/g, ''), 'base64');
        der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
        return [`-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`, ...rest].join('');
      },
      'SIGNATURE_INVALID',
    ],
  ])('because it %s is refused by name', async (_, chain, reason) => {
    const answer = await validate(await chain());
    expect(answer).toMatchObject({ valid: false, verdict: 'VERDICT_INVALID', tokenType: 'TOKEN_TYPE_CERTIFICATE' });
    expect(codes(answer)).toEqual([reason]);
    expect(answer['claims']).toBeUndefined();
  });

  it('because it is beyond all bounds is the caller’s mistake', async () => {
    await expect(validate('x'.repeat(65_537))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('because it has ended is refused', async () => {
    const { certificatePem } = await issue('billing', '3600s');
    clock.advance(hours(1) + minutes(1));
    await waitFor(() => hub.app.platform.feed.age() < 10_000, 5000, 'the next poll');
    expect(codes(await validate(certificatePem))).toEqual(['TOKEN_EXPIRED']);
  });
});
