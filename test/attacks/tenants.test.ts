// Attacks over the walls between tenants, on the built hub.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, reasonOf, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

const entry = (over: object) => ({ workload: { namespace: 'victim-ns', name: 'payments', calls: ['ValidateToken'], ...over } });

describe('a tenant named inside a message', () => {
  it('registers no workload in another tenant, whatever its owner holds at home', async () => {
    const answer = await world.evil('WorkloadService/PutWorkload', entry({ tenantId: 'victim', permissions: ['users:write'] }));
    expect([answer.status, reasonOf(answer)]).toEqual([403, 'TENANT_FORBIDDEN']);
    expect((await world.victim('WorkloadService/GetWorkload', { namespace: 'victim-ns', name: 'payments' })).status).toBe(404);
  });

  it('replaces no entry of another tenant', async () => {
    expect((await world.victim('WorkloadService/PutWorkload', entry({ name: 'ledger', permissions: ['audit:read'] }))).status).toBe(200);
    const answer = await world.evil('WorkloadService/PutWorkload', entry({ tenantId: 'victim', name: 'ledger', permissions: ['*:*'] }));
    expect(reasonOf(answer)).toBe('TENANT_FORBIDDEN');
    const { body } = await world.victim('WorkloadService/GetWorkload', { namespace: 'victim-ns', name: 'ledger' });
    expect(body.workload.permissions).toEqual(['audit:read']);
  });

  it('is open to whoever runs the installation', async () => {
    expect((await world.operator('WorkloadService/PutWorkload', entry({ tenantId: 'victim', name: 'gateway' }))).status).toBe(200);
  });
});
