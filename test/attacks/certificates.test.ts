// Attacks on the authority, on the built hub: names of others, and work for nobody.
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { publicKeyOf } from '../../src/certificates/public-key.ts';
import { type Answer, createWorld, reasonOf, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

const FOREIGN = [
  'payments.victim-ns.svc',
  'payments.victim-ns.svc.cluster.local',
  'payments.victim-ns.svc.k8s.corp',
  'payments.victim-ns',
  '*.victim-ns.svc',
  '*.svc.cluster.local',
  'payments.nobodys-ns.svc',
];

const issue = (request: object): Promise<Answer> =>
  world.evil('SecurityHub/IssueServiceCert', { namespace: 'evil-ns', service: 'shop', generateKey: {}, ...request });

describe("another tenant's names", () => {
  beforeAll(async () => {
    const workload = { namespace: 'evil-ns', name: 'shop', dnsNames: [...FOREIGN, 'shop.example.com', '*.evil-ns.svc'] };
    expect((await world.evil('WorkloadService/PutWorkload', { workload })).status).toBe(200);
  });

  it.each(['*.svc', 'payments', '*'])('cannot be registered where they belong to every namespace: %s', async (name) => {
    const answer = await world.evil('WorkloadService/PutWorkload', { workload: { namespace: 'evil-ns', name: 'wide', dnsNames: [name] } });
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'REQUEST_INVALID']);
  });

  it.each(FOREIGN)('are not certified because somebody registered them: %s', async (name) => {
    const answer = await issue({ dnsNames: [name] });
    expect([answer.status, reasonOf(answer)]).toEqual([403, 'IDENTITY_FORBIDDEN']);
  });

  it('do not come along unasked', async () => {
    const { body } = await issue({});
    const names = new X509Certificate(body.certificatePem).subjectAltName?.split(', ').filter((one) => one.startsWith('DNS:'));
    expect(names?.toSorted()).toEqual(
      ['shop.evil-ns.svc', 'shop.evil-ns.svc.cluster.local', 'shop.example.com', '*.evil-ns.svc'].map((one) => `DNS:${one}`).toSorted(),
    );
  });
});

describe('work for nobody', () => {
  it('makes no RSA key for a stranger who shows a certificate of ours', async () => {
    const { body } = await issue({});
    const attestation = { expiredCertificate: body.certificatePem };
    const began = performance.now();
    const asked = Array.from({ length: 20 }, () =>
      world.anonymous('SecurityHub/IssueServiceCert', { generateKey: { type: 'KEY_TYPE_RSA_3072' }, attestation }),
    );
    const reasons = new Set((await Promise.all(asked)).map(reasonOf));
    // Twenty such keys would take the one thread seconds.
    expect([[...reasons], performance.now() - began < 1000]).toEqual([['ATTESTATION_INVALID'], true]);
  });

  it('checks no signature under an exponent that was made to be slow', async () => {
    const modulus = randomBytes(384);
    modulus[0] = 0xff;
    modulus[383] = 0xff;
    const exponent = randomBytes(383);
    exponent[0] = 0x7f;
    exponent[382] = 0x01;
    const key = createPublicKey({
      format: 'jwk',
      key: { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') },
    });
    expect(publicKeyOf(key.export({ type: 'spki', format: 'der' }))).toMatchObject({ ok: false, problem: 'weak' });
  });
});
