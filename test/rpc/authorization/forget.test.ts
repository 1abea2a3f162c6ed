// A service that goes: what it was given goes with it, what was taken from it stays, and nobody takes more than he could one by one.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Caller } from '../../../src/base/caller.ts';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, seed, user, workload, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_second: ['owner'] });
  await world.call('PutGrant', { subject: person('usr_roles'), effect: 1, permission: 'workloads:write' }, owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});
beforeEach(() => forget(owner));

const owner = user('usr_owner');
/** May delete workloads, and next to nothing else. */
const keeper = user('usr_roles');
const person = (id: string) => ({ type: 'user', id });
const BILLING = 'default/billing';
const service = { type: 'service', id: BILLING };
const inAnHour = () => ({ seconds: Math.floor(world.platform.clock.now() / 1000) + 3600, nanos: 0 });

const forget = async (by: Caller) => {
  let events: readonly object[] = [];
  await world.platform.write('acme', async (tx) => {
    const felt = await world.authorization.forgetService(tx, 'acme', BILLING, callAs(by, { now: world.platform.clock.now() }));
    events = felt.events;
    return { result: null, changes: felt.changes };
  });
  return events;
};
const rights = () => world.authorization.rights('acme', service);
const holds = async (permission: string) => (await rights()).holds(permission);
const give = (role: string) => world.call('AssignRole', { subject: service, role }, owner);
const grant = async (permission: string, effect: 1 | 2 = 1) =>
  (await world.call<proto.PutGrantResponse>('PutGrant', { subject: service, effect, permission }, owner)).grant?.id ?? '';
const join = async (group: string) => {
  await world.call('PutGroup', { group: { name: group, description: '' } }, owner);
  await world.call('AddGroupMembers', { group, members: [service] }, owner);
};

describe('a service that goes', () => {
  it('leaves roles, grants and memberships behind it', async () => {
    await give('viewer');
    await grant('audit:export');
    await join('auditors');
    await world.call('AssignRole', { subject: { type: 'group', id: 'auditors' }, role: 'admin' }, owner);
    const before = await rights();
    expect([before.roles, before.groups, before.holds('audit:export')]).toEqual([['admin', 'viewer'], ['auditors'], true]);
    await forget(owner);
    const after = await rights();
    expect([after.roles, after.groups, after.permissions, after.holds('audit:export')]).toEqual([[], [], [], false]);
  });

  it('stays denied what was denied to it', async () => {
    const id = await grant('encryption_key:*', 2);
    await forget(owner);
    expect(await world.authorization.holds(workload(), 'encryption_key:encrypt')).toBe(false);
    await world.call('DeleteGrant', { grantId: id }, owner);
  });

  it('is lent nothing any more', async () => {
    await world.call('PutDelegation', { grantee: service, permissions: ['audit:read'], expiresAt: inAnHour() }, user('usr_admin'));
    expect(await holds('audit:read')).toBe(true);
    await forget(owner);
    expect(await holds('audit:read')).toBe(false);
  });

  it('lends nothing any more to somebody whose rights are in memory', async () => {
    await give('admin');
    await world.call('PutDelegation', { grantee: person('usr_plain'), permissions: ['audit:read'], expiresAt: inAnHour() }, workload());
    const plain = async () => (await world.authorization.rights('acme', person('usr_plain'))).holds('audit:read');
    expect(await plain()).toBe(true);
    await forget(owner);
    // The next of its name holds the same again, and has lent nobody anything.
    await give('admin');
    expect(await plain()).toBe(false);
  });

  it('loses a clearance that shows it more, and keeps one that shows it less', async () => {
    const cleared = async (clearance: string) => {
      await world.call('SetClearance', { subject: service, clearance }, owner);
      await forget(owner);
      return world.authorization.clearanceName(await rights());
    };
    expect([await cleared('restricted'), await cleared('public')]).toEqual(['internal', 'public']);
    await world.call('SetClearance', { subject: service, clearance: '' }, owner);
  });

  it('says in one event what it had', async () => {
    await give('viewer');
    await join('listed');
    const id = await grant('audit:read', 2);
    expect(await forget(owner)).toMatchObject([
      {
        type: 'subject.rights_removed',
        resource: `service:${BILLING}`,
        details: { roles: ['viewer'], groups: ['listed'], rows: 2, denies_kept: 1 },
      },
    ]);
    expect(await forget(owner)).toEqual([]);
    await world.call('DeleteGrant', { grantId: id }, owner);
  });
});

describe('who could not take it one by one', () => {
  const given: readonly (readonly [string, () => Promise<unknown>, string])[] = [
    ['a role beyond his own', () => give('admin'), 'PERMISSION_DENIED/ESCALATION'],
    ['a grant beyond his own', () => grant('audit:export'), 'PERMISSION_DENIED/ESCALATION'],
    [
      "a membership that sheds a group's deny",
      async () => {
        await join('barred');
        await world.call('PutGrant', { subject: { type: 'group', id: 'barred' }, effect: 2, permission: 'token:read' }, owner);
      },
      'PERMISSION_DENIED/ESCALATION',
    ],
    [
      'a clearance beyond his own',
      () => world.call('SetClearance', { subject: service, clearance: 'restricted' }, owner),
      'PERMISSION_DENIED/ESCALATION',
    ],
    [
      'a role that limits it',
      async () => {
        const bound = { name: 'bound', permissions: ['workloads:write'], constraints: { requireMfaFor: ['token:*'] } };
        await world.call('PutRole', { role: bound }, owner);
        await give('bound');
      },
      'PERMISSION_DENIED/PERMISSION_MISSING',
    ],
  ];
  for (const [what, prepare, fault] of given)
    it(`takes nothing with ${what}`, async () => {
      await prepare();
      const before = await rights();
      expect(await faultOf(forget(keeper))).toBe(fault);
      const after = await rights();
      expect([after.roles, after.groups, after.permissions, after.index.clearance]).toEqual([
        before.roles,
        before.groups,
        before.permissions,
        before.index.clearance,
      ]);
    });

  it('takes what he holds himself', async () => {
    await grant('workloads:write');
    await forget(keeper);
    expect(await holds('workloads:write')).toBe(false);
  });

  it('is not hindered by what has ended', async () => {
    await world.call('AssignRole', { subject: service, role: 'admin', expiresAt: inAnHour() }, owner);
    await world.platform.write('acme', async (tx) => {
      const late = callAs(keeper, { now: world.platform.clock.now() + 7_200_000 });
      const { changes } = await world.authorization.forgetService(tx, 'acme', BILLING, late);
      return { result: null, changes };
    });
    expect((await rights()).roles).toEqual([]);
  });
});
