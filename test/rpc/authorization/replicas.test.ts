// Two replicas on one database: what one changes, the other feels; what is read is never put together from two moments.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs, type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';
import { createWorld, resource, seed, user, type World } from './world.ts';

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
    await here.authorization.assignRole('acme', { subject: viewer, role: 'viewer', expiresAt: null }, owner);
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
    await here.authorization.assignRole('acme', { subject: viewer, role: 'clerk', expiresAt: null }, owner);
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

describe('rights', () => {
  it('never join a widened role with an assignment that ended before', async () => {
    // Over and over: take the role from the viewer, then widen it; then narrow it, then give it back.
    // Whoever sees the wide role together with the assignment has seen a moment that never was.
    const narrow = { name: 'tide', description: '', permissions: ['config:read'], inherits: [] };
    const wide = { ...narrow, permissions: ['config:read', 'admin:billing'] };
    await here.authorization.putRole('acme', narrow, owner);
    let done = false;
    const writer = (async () => {
      for (let round = 0; round < 15; round += 1) {
        await here.authorization.assignRole('acme', { subject: viewer, role: 'tide', expiresAt: null }, owner);
        await here.authorization.unassignRole('acme', viewer, 'tide', owner);
        await here.authorization.putRole('acme', wide, owner);
        await here.authorization.putRole('acme', narrow, owner);
      }
      done = true;
    })();
    const seen = new Set<boolean>();
    while (!done) {
      for (const world of [here, there]) {
        // The busiest moments may be refused, never answered wrongly.
        seen.add(await holds(world, 'admin:billing').catch(() => false));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect([...seen]).toEqual([false]);
  });
});
