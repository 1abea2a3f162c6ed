// Two replicas on one database: what one changes, the other feels; what is read is never put together from two moments.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/policy.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, user, type World } from './world.ts';

let database: FreshDatabase;
let here: World;
let there: World;

beforeAll(async () => {
  database = await freshDatabase();
  [here, there] = await Promise.all([createWorld(database, { redis: true }), createWorld(database)]);
  await seed(here, 'acme', { usr_owner: ['owner'], usr_viewer: ['viewer'] });
});
afterAll(async () => {
  await Promise.all([here.platform.stop(), there.platform.stop()]);
  await database.close();
});

const owner = callAs(user('usr_owner'));
const viewer = { type: 'user', id: 'usr_viewer' };
const holds = async (world: World, permission: string): Promise<boolean> =>
  (await world.authorization.rights('acme', viewer)).holds(permission);

describe('another replica', () => {
  it('denies within two seconds, without Redis, what a taken role gave', async () => {
    expect(await holds(there, 'config:read')).toBe(true);
    await here.authorization.unassignRole('acme', viewer, 'viewer', owner);
    await waitFor(async () => !(await holds(there, 'config:read')), 2000, 'the role to be gone');
    await here.authorization.assignRole('acme', { subject: viewer, role: 'viewer', notBefore: null, expiresAt: null }, owner);
    await waitFor(() => holds(there, 'config:read'), 2000, 'the role to be back');
  });

  it('denies at once to whoever names the revision of the change', async () => {
    await holds(there, 'config:read');
    const deny = { subject: viewer, effect: 'deny', permission: 'config:read', resourceId: '', expiresAt: null, reason: '' } as const;
    const { result, revision } = await here.authorization.putGrant('acme', deny, owner);
    const answer = await there.check(user('usr_viewer'), { action: 'read', resource: resource('config'), minPolicyRevision: revision });
    expect(answer.reasonCode).toBe('DENIED_EXPLICIT');
    expect(answer.policyRevision).toBeGreaterThanOrEqual(revision);
    await here.authorization.deleteGrant('acme', result.id, owner);
  });

  it('knows a new resource type, and what a changed role gives', async () => {
    const role = { name: 'clerk', description: '', permissions: ['audit:read'], inherits: [] };
    await here.authorization.putRole('acme', role, owner);
    await here.authorization.assignRole('acme', { subject: viewer, role: 'clerk', notBefore: null, expiresAt: null }, owner);
    await waitFor(() => holds(there, 'audit:read'), 2000, 'the role');
    await here.authorization.putRole('acme', { ...role, permissions: ['workloads:read'] }, owner);
    await waitFor(
      async () => !(await holds(there, 'audit:read')) && (await holds(there, 'workloads:read')),
      2000,
      'the change of the role',
    );
    await here.authorization.putResourceType(
      'acme',
      { name: 'ships', description: '', actions: [], ownerActions: [], defaultClassification: '' },
      owner,
    );
    await waitFor(async () => (await there.authorization.snapshot('acme')).type('ships') !== undefined, 2000, 'the type');
  });
});

describe('policies', () => {
  const policyOf = (type: string, role: string): string => `apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: ${type} }
spec:
  resource: ${type}
  rules:
    - { name: sail, effect: allow, actions: [read], roles: [${role}], condition: resource.masts > 1 }
`;
  const declare = (name: string, masts: string) =>
    here.call('PutResourceType', { resourceType: { name, attributes: { masts } } }, user('usr_owner'));
  const sources = (type: string, role = 'sailor') => ({ sources: [{ name: type, content: policyOf(type, role) }] });

  it('name at once, on any replica, the types and roles that another has just made', async () => {
    await there.authorization.snapshot('acme');
    await declare('barques', 'int');
    await here.call('PutRole', { role: { name: 'sailor' } }, user('usr_owner'));
    const applied = await there.call<proto.ApplyPoliciesResponse>('ApplyPolicies', sources('barques'), user('usr_owner'));
    expect(applied.version?.policies).toBe(1);
  });

  it('are held against types and roles as they are, however lately another replica changed them', async () => {
    await here.call('PutRole', { role: { name: 'pilot' } }, user('usr_owner'));
    await declare('luggers', 'int');
    expect(await faultOf(there.call('ApplyPolicies', { ...sources('luggers', 'pilot'), dryRun: true }, user('usr_owner')))).toMatch(
      /^no fault/,
    );
    await declare('luggers', 'string');
    expect(await faultOf(there.call('ApplyPolicies', sources('luggers', 'pilot'), user('usr_owner')))).toBe(
      'INVALID_ARGUMENT/POLICY_INVALID',
    );
    await declare('luggers', 'int');
    await here.call('DeleteRole', { name: 'pilot' }, user('usr_owner'));
    const { problems } = await there.call<proto.ValidatePoliciesResponse>(
      'ValidatePolicies',
      sources('luggers', 'pilot'),
      user('usr_owner'),
    );
    expect(problems.map(({ message }) => message)).toEqual(['no such role: pilot']);
  });
});

it('resources are registered at once, on any replica, under a type that another has just made', async () => {
  await there.authorization.snapshot('acme');
  await here.call('PutResourceType', { resourceType: { name: 'docks' } }, user('usr_owner'));
  const put = there.call('PutResources', { resources: [{ type: 'docks', id: 'd1' }] }, user('usr_owner'));
  expect(await faultOf(put)).toMatch(/^no fault/);
});

describe('rights', () => {
  it('never join a widened role with an assignment that ended before', async () => {
    const narrow = { name: 'tide', description: '', permissions: ['config:read'], inherits: [] };
    for (let round = 0; round < 5; round += 1) {
      await here.authorization.putRole('acme', narrow, owner);
      const { revision } = await here.authorization.assignRole(
        'acme',
        { subject: viewer, role: 'tide', notBefore: null, expiresAt: null },
        owner,
      );
      await there.platform.feed.catchUp(revision);
      expect((await there.authorization.rights('acme', viewer)).roles).toContain('tide');
      // First the role goes from the viewer, then it is widened: at no moment did the viewer hold the wide one.
      await here.authorization.unassignRole('acme', viewer, 'tide', owner);
      await here.authorization.putRole('acme', { ...narrow, permissions: ['admin:billing'] }, owner);
      // The other replica, which has not polled yet, forgets its roles (and nothing else) by a change of its own, and reads them anew.
      await there.authorization.putRole('acme', { ...narrow, name: `foam-${round}` }, owner);
      expect(await holds(there, 'admin:billing')).toBe(false);
    }
  });
});
