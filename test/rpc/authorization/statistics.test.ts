// How much a tenant has of everything: counted as it stands, without what has ended, without the neighbours'.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { days } from '../../../src/base/time.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { createWorld, resource, seed, subject, user, type World } from './world.ts';

let database: FreshDatabase;
let clock: TestClock;
let world: World;

const owner = user('usr_owner');
const person = (id: string) => ({ type: 'user', id });
const statistics = (by = owner) => world.call<proto.GetAuthorizationStatisticsResponse>('GetAuthorizationStatistics', { tenantId: '' }, by);

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'], usr_second: ['viewer'] });
  await seed(world, 'other', { usr_foreign: ['owner'] });
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

describe('the statistics of a tenant', () => {
  it('begin with what it was given at its start', async () => {
    expect(await statistics()).toEqual({
      roles: 0,
      resourceTypes: 0,
      resources: 0,
      groups: 0,
      memberships: 0,
      assignments: 4,
      grants: 0,
      denies: 0,
      delegations: 0,
      policies: 0,
      holders: { owner: 1, admin: 1, viewer: 2 },
      decisions: {},
    });
  });

  it('count one more of each that comes, and one less of each that ends', async () => {
    const soon = { seconds: Math.floor(clock.now() / 1000) + 60, nanos: 0 };
    await world.call('PutResourceType', { resourceType: { name: 'invoices' } }, owner);
    await world.call('PutResources', { resources: [{ type: 'invoices', id: 'i1' }] }, owner);
    await world.call('PutRole', { role: { name: 'clerk', permissions: ['invoices:read'] } }, owner);
    await world.call('PutGroup', { group: { name: 'clerks', description: '' } }, owner);
    await world.call('AddGroupMembers', { group: 'clerks', members: [person('usr_plain')] }, owner);
    await world.call('AssignRole', { subject: { type: 'group', id: 'clerks' }, role: 'clerk' }, owner);
    await world.call('AssignRole', { subject: person('usr_plain'), role: 'member', expiresAt: soon }, owner);
    await world.call('PutGrant', { subject: person('usr_plain'), effect: 1, permission: 'audit:read', expiresAt: soon }, owner);
    await world.call('PutGrant', { subject: person('usr_plain'), effect: 2, permission: 'audit:export' }, owner);
    await world.call('PutDelegation', { grantee: person('usr_plain'), permissions: ['users:read'], expiresAt: soon }, user('usr_admin'));
    const spec = { resource: 'invoices', rules: [{ name: 'r', effect: 'deny', actions: ['shred'] }] };
    const content = JSON.stringify({ apiVersion: 'securityhub/v1', kind: 'ResourcePolicy', metadata: { name: 'p' }, spec });
    await world.call('ApplyPolicies', { sources: [{ name: 'p.json', content }] }, owner);
    const one = { roles: 1, resourceTypes: 1, resources: 1, groups: 1, memberships: 1, grants: 1, denies: 1, delegations: 1, policies: 1 };
    expect(await statistics()).toMatchObject({ ...one, assignments: 6, holders: { owner: 1, admin: 1, viewer: 2, clerk: 1, member: 1 } });
    clock.advance(61_000);
    expect(await statistics()).toMatchObject({ ...one, assignments: 5, grants: 0, delegations: 0, holders: { clerk: 1, viewer: 2 } });
  });

  it('tell what was decided in the last 24 hours, and why', async () => {
    for (const action of ['read', 'read', 'delete'])
      await world.check(owner, { principal: subject('usr_viewer'), action, resource: resource('conversations', { id: 'c1' }) });
    const made = async (): Promise<Readonly<Record<string, number>>> => (await statistics()).decisions;
    await waitFor(async () => (await made())['ALLOWED'] === 2, 5000, 'the decisions are written');
    expect(await made()).toEqual({ ALLOWED: 2, DENIED_DEFAULT: 1 });
    clock.advance(days(1) + 1000);
    await waitFor(() => world.platform.feed.state().kind === 'fresh', 5000, 'news is fresh');
    expect(await made()).toEqual({});
  });
});
