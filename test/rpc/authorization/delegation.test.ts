// Delegation: a part of what the grantor holds at the moment of the question, for a time, through few hands.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { apiKey, createWorld, entryOf, faultOf, resource, seed, subject, USERS, user, workload, type World } from './world.ts';

let database: FreshDatabase;
let clock: TestClock;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'] });
  await world.call('PutResourceType', { resourceType: { name: 'invoices', ownerActions: ['pay'] } }, owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const owner = user('usr_owner');
const person = (id: string) => ({ type: 'user', id });
const inSeconds = (seconds: number) => ({ seconds: Math.floor(clock.now() / 1000) + seconds, nanos: 0 });
const lend = async (by: string, to: string, permissions: readonly string[], over: object = {}) => {
  const request = { grantee: person(to), permissions, expiresAt: inSeconds(200), ...over };
  const { delegation } = await world.call<proto.PutDelegationResponse>('PutDelegation', request, user(by));
  return delegation?.id ?? '';
};
const end = (delegationId: string, by = owner) => world.call('DeleteDelegation', { delegationId }, by);
const ask = (id: string, action: string, type: string, over: object = {}) =>
  world.check(user(id), { action, resource: resource(type), ...over });
const code = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).reasonCode;

describe('a delegation', () => {
  it('lends what it names and nothing else, and the answer names it', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['audit:read']);
    const answer = await ask('usr_plain', 'read', 'audit');
    expect([answer.reasonCode, answer.appliedPolicies]).toEqual(['ALLOWED', [`delegation:${id}`]]);
    expect(await code('usr_plain', 'read', 'users')).toBe('DENIED_DEFAULT');
    await end(id);
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_DEFAULT');
  });

  it('gives nothing once its grantor has lost the right, with everything in memory', async () => {
    await world.call('AssignRole', { subject: person('usr_second'), role: 'admin' }, owner);
    const id = await lend('usr_second', 'usr_plain', ['audit:read']);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    await world.call('UnassignRole', { subject: person('usr_second'), role: 'admin' }, owner);
    const answer = await ask('usr_plain', 'read', 'audit');
    expect(answer.reasonCode).toBe('DENIED_DEFAULT');
    expect(answer.reason).toContain(`delegation:${id} gives nothing: its grantor may not do it either`);
    await end(id);
  });

  it('gives nothing once its grantor is denied', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['audit:read']);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    const { grant } = await world.call<proto.PutGrantResponse>(
      'PutGrant',
      { subject: person('usr_admin'), effect: 2, permission: 'audit:read' },
      owner,
    );
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_EXPLICIT');
    await world.call('DeleteGrant', { grantId: grant?.id ?? '' }, owner);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    await end(id);
  });

  it('gives nothing once its grantor’s right has ended, and no answer outlives it', async () => {
    const ends = inSeconds(20);
    await world.call('AssignRole', { subject: person('usr_second'), role: 'admin', expiresAt: ends }, owner);
    const id = await lend('usr_second', 'usr_plain', ['audit:read']);
    const answer = await ask('usr_plain', 'read', 'audit');
    expect([answer.reasonCode, answer.validUntil?.seconds]).toEqual(['ALLOWED', ends.seconds]);
    clock.set(ends.seconds * 1000);
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_DEFAULT');
    await end(id);
  });

  it('gives nothing while its grantor is suspended', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['audit:read']);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    (USERS as Map<string, string>).set('acme/usr_admin', 'suspended');
    try {
      // Whatever changes in the world, rights that hang on others are looked at again.
      await world.call('PutGroup', { group: { name: 'anything' } }, owner);
      await world.call('AddGroupMembers', { group: 'anything', members: [person('usr_checker')] }, owner);
      expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_DEFAULT');
    } finally {
      (USERS as Map<string, string>).set('acme/usr_admin', 'active');
    }
    await end(id);
  });

  it('begins and ends when it says', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['audit:read'], { notBefore: inSeconds(10), expiresAt: inSeconds(20) });
    const begun = clock.now();
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_DEFAULT');
    clock.set(Math.floor(begun / 1000) * 1000 + 10_000);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    clock.advance(10_000);
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_DEFAULT');
    await end(id);
  });

  it('on one resource lends that one', async () => {
    await world.call('PutGrant', { subject: person('usr_viewer'), effect: 1, permission: 'invoices:approve', resourceId: 'inv-1' }, owner);
    const id = await lend('usr_viewer', 'usr_plain', ['invoices:approve'], { resourceId: 'inv-1' });
    const on = (resourceId: string) => ({ resource: resource('invoices', { id: resourceId }) });
    expect(await code('usr_plain', 'approve', 'invoices', on('inv-1'))).toBe('ALLOWED');
    expect(await code('usr_plain', 'approve', 'invoices', on('inv-2'))).toBe('DENIED_DEFAULT');
    await end(id);
  });

  it('lends what an owner may do, for as long as he is the owner', async () => {
    const id = await lend('usr_viewer', 'usr_plain', ['invoices:pay'], { resourceId: 'inv-7' });
    const asked = (ownerId: string) =>
      world.check(workload(entryOf()), {
        principal: subject('usr_plain'),
        action: 'pay',
        resource: resource('invoices', { id: 'inv-7', ownerId }),
      });
    expect((await asked('usr_viewer')).reasonCode).toBe('ALLOWED');
    expect((await asked('usr_checker')).reasonCode).toBe('DENIED_DEFAULT');
    await end(id);
  });

  it('to a group lends to its members', async () => {
    await world.call('PutGroup', { group: { name: 'deputies' } }, owner);
    await world.call('AddGroupMembers', { group: 'deputies', members: [person('usr_checker')] }, owner);
    const id = await lend('usr_admin', '', ['audit:read'], { grantee: { type: 'group', id: 'deputies' } });
    expect(await code('usr_checker', 'read', 'audit')).toBe('ALLOWED');
    await end(id);
    expect(await code('usr_checker', 'read', 'audit')).toBe('DENIED_DEFAULT');
  });

  it('counts for the hub’s own calls, and cannot be given away for good', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['users:roles', 'audit:read']);
    expect(await world.authorization.holds(user('usr_plain'), 'users:roles')).toBe(true);
    const keep = { subject: person('usr_plain'), effect: 1, permission: 'audit:read' };
    expect(await faultOf(world.call('PutGrant', keep, user('usr_plain')))).toBe('PERMISSION_DENIED/ESCALATION');
    const role = { name: 'kept', permissions: ['audit:read'] };
    expect(await faultOf(world.call('PutRole', { role }, user('usr_plain')))).toBe('PERMISSION_DENIED/ESCALATION');
    await end(id);
  });
});

describe('passing on', () => {
  it('is refused where the delegation does not say so', async () => {
    const id = await lend('usr_admin', 'usr_plain', ['audit:read']);
    expect(await faultOf(lend('usr_plain', 'usr_checker', ['audit:read']))).toBe('FAILED_PRECONDITION/DELEGATION_DEPTH');
    await end(id);
  });

  it('goes as far as it says, and ends where the first hand ends', async () => {
    const first = await lend('usr_admin', 'usr_plain', ['audit:read'], { depth: 1 });
    expect(await faultOf(lend('usr_plain', 'usr_checker', ['audit:read'], { depth: 1 }))).toBe('FAILED_PRECONDITION/DELEGATION_DEPTH');
    const second = await lend('usr_plain', 'usr_checker', ['audit:read']);
    expect(await code('usr_checker', 'read', 'audit')).toBe('ALLOWED');
    await end(first);
    expect(await code('usr_checker', 'read', 'audit')).toBe('DENIED_DEFAULT');
    await end(second);
  });

  it('in a ring gives nobody anything', async () => {
    const first = await lend('usr_admin', 'usr_plain', ['audit:read'], { depth: 2 });
    const second = await lend('usr_plain', 'usr_checker', ['audit:read'], { depth: 1 });
    const third = await lend('usr_checker', 'usr_plain', ['audit:read']);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    await end(first);
    expect([await code('usr_plain', 'read', 'audit'), await code('usr_checker', 'read', 'audit')]).toEqual([
      'DENIED_DEFAULT',
      'DENIED_DEFAULT',
    ]);
    await end(second);
    await end(third);
  });
});

describe('nobody lends', () => {
  it.each<readonly [string, object, string]>([
    ['what he does not hold', { permissions: ['audit:read'] }, 'PERMISSION_DENIED/ESCALATION'],
    ['more than he holds', { permissions: ['config:*'] }, 'PERMISSION_DENIED/ESCALATION'],
    ['what is no permission', { permissions: ['config'] }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['what nobody knows', { permissions: ['ghosts:read'] }, 'NOT_FOUND/RESOURCE_TYPE_UNKNOWN'],
    ['nothing', { permissions: [] }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['to himself', { grantee: person('usr_viewer') }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['to somebody unknown', { grantee: person('usr_ghost') }, 'NOT_FOUND/SUBJECT_UNKNOWN'],
    ['to somebody of another tenant', { grantee: person('usr_foreign') }, 'NOT_FOUND/SUBJECT_UNKNOWN'],
    ['without an end', { expiresAt: undefined }, 'INVALID_ARGUMENT/EXPIRY_INVALID'],
    ['for ever and a day', { expiresAt: { seconds: 4_000_000_000, nanos: 0 } }, 'INVALID_ARGUMENT/EXPIRY_INVALID'],
    ['in the past', { expiresAt: { seconds: 1, nanos: 0 } }, 'INVALID_ARGUMENT/EXPIRY_INVALID'],
    ['on a wildcard', { resourceId: '*' }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
  ])('%s', async (_, over, want) => {
    const request = { grantee: person('usr_plain'), permissions: ['config:read'], expiresAt: inSeconds(100), ...over };
    expect(await faultOf(world.call('PutDelegation', request, user('usr_viewer')))).toBe(want);
  });

  it('through an API key what the key does not carry', async () => {
    const request = { grantee: person('usr_plain'), permissions: ['config:read'], expiresAt: inSeconds(100) };
    expect(await faultOf(world.call('PutDelegation', request, apiKey('usr_viewer', ['conversations:read'])))).toBe(
      'PERMISSION_DENIED/ESCALATION',
    );
  });
});

describe('a list of delegations', () => {
  it('shows everybody his own, and all to whoever may read them', async () => {
    const id = await lend('usr_admin', 'usr_viewer', ['audit:read']);
    const list = async (by: string, request: object = {}) =>
      (await world.call<proto.ListDelegationsResponse>('ListDelegations', request, user(by))).delegations.map((one) => one.id);
    expect(await list('usr_owner')).toContain(id);
    expect(await list('usr_viewer', { grantee: person('usr_viewer') })).toEqual([id]);
    expect(await list('usr_checker')).toEqual([]);
    expect(await list('usr_checker', { grantee: person('usr_viewer') })).toEqual([]);
    expect(await faultOf(end(id, user('usr_checker')))).toBe('NOT_FOUND/DELEGATION_NOT_FOUND');
    await end(id, user('usr_viewer'));
  });
});

describe('another replica', () => {
  it('feels that the grantor lost the right', async () => {
    const there = await createWorld(database);
    await world.call('AssignRole', { subject: person('usr_second'), role: 'admin' }, owner);
    const id = await lend('usr_second', 'usr_plain', ['audit:read']);
    const holds = async () => (await there.authorization.rights('acme', person('usr_plain'))).holds('audit:read');
    await waitFor(holds, 2000, 'the delegation');
    const { revision } = await world.call<proto.UnassignRoleResponse>(
      'UnassignRole',
      { subject: person('usr_second'), role: 'admin' },
      owner,
    );
    await there.platform.feed.catchUp(revision);
    expect(await holds()).toBe(false);
    await end(id);
    await there.platform.stop();
  });
});
