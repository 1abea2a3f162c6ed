// Attacks on the authority, on the built hub: names of others, and work for nobody.
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
  '*.svc',
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
