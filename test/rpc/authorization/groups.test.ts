// Groups: what they hold, their members hold; who lets whom in; and that it is felt at once and everywhere.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, user, type World } from './world.ts';

let database: FreshDatabase;
let clock: TestClock;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_second: ['owner'], usr_roles: ['viewer'], usr_admin: ['admin'] });
  await world.call('PutGrant', { subject: { type: 'user', id: 'usr_roles' }, effect: 1, permission: 'users:roles' }, owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const owner = user('usr_owner');
const person = (id: string) => ({ type: 'user', id });
const group = (id: string) => ({ type: 'group', id });
const put = (name: string) => world.call('PutGroup', { group: { name, description: 'a test' } }, owner);
const add = (name: string, id: string, over: object = {}) =>
  world.call('AddGroupMembers', { group: name, members: [person(id)], ...over }, owner);
const remove = (name: string, id: string) => world.call('RemoveGroupMembers', { group: name, members: [person(id)] }, owner);
const give = (name: string, role: string) => world.call('AssignRole', { subject: group(name), role }, owner);
const grant = (name: string, permission: string, over: object = {}) =>
  world.call('PutGrant', { subject: group(name), effect: 1, permission, ...over }, owner);
const code = async (id: string, action: string, type: string, over: object = {}) =>
  (await world.check(user(id), { action, resource: resource(type), ...over })).reasonCode;

describe('a member of a group', () => {
  it('holds the roles of the group as long as it is one', async () => {
    await put('readers');
    await give('readers', 'viewer');
    expect(await code('usr_plain', 'read', 'config')).toBe('DENIED_DEFAULT');
    await add('readers', 'usr_plain');
    expect(await code('usr_plain', 'read', 'config')).toBe('ALLOWED');
    expect((await world.authorization.rights('acme', person('usr_plain'))).groups).toEqual(['readers']);
    await remove('readers', 'usr_plain');
    expect(await code('usr_plain', 'read', 'config')).toBe('DENIED_DEFAULT');
  });

  it('feels a role that the group gets and loses, with everything in memory', async () => {
    await put('writers');
    await add('writers', 'usr_plain');
    expect(await code('usr_plain', 'write', 'conversations')).toBe('DENIED_DEFAULT');
    await give('writers', 'member');
    expect(await code('usr_plain', 'write', 'conversations')).toBe('ALLOWED');
    await world.call('UnassignRole', { subject: group('writers'), role: 'member' }, owner);
    expect(await code('usr_plain', 'write', 'conversations')).toBe('DENIED_DEFAULT');
  });

  it('is denied what the group is denied', async () => {
    await put('watched');
    await grant('watched', 'audit:read', { effect: 2 });
    await world.call('PutGrant', { subject: person('usr_plain'), effect: 1, permission: 'audit:read' }, owner);
    expect(await code('usr_plain', 'read', 'audit')).toBe('ALLOWED');
    await add('watched', 'usr_plain');
    expect(await code('usr_plain', 'read', 'audit')).toBe('DENIED_EXPLICIT');
    await remove('watched', 'usr_plain');
  });

  it('is one until the end that was set, and no answer outlives it', async () => {
    await put('guests');
    await give('guests', 'viewer');
    const ends = Math.floor(clock.now() / 1000) + 10;
    await add('guests', 'usr_viewer', { expiresAt: { seconds: ends, nanos: 0 } });
    const answer = await world.check(user('usr_viewer'), { action: 'read', resource: resource('config') });
    expect([answer.reasonCode, answer.validUntil?.seconds]).toEqual(['ALLOWED', ends]);
    clock.set(ends * 1000);
    expect(await code('usr_viewer', 'read', 'config')).toBe('DENIED_DEFAULT');
  });

  it('loses everything with the group', async () => {
    await put('doomed');
    await grant('doomed', 'workloads:read');
    await add('doomed', 'usr_plain');
    expect(await code('usr_plain', 'read', 'workloads')).toBe('ALLOWED');
    await world.call('DeleteGroup', { group: 'doomed' }, owner);
    expect(await code('usr_plain', 'read', 'workloads')).toBe('DENIED_DEFAULT');
    await put('doomed');
    await add('doomed', 'usr_plain');
    expect(await code('usr_plain', 'read', 'workloads')).toBe('DENIED_DEFAULT');
  });
});

describe('a group', () => {
  it('takes one seat for each member, and shares no exclusive roles among them', async () => {
    await world.call('PutRole', { role: { name: 'seat', permissions: ['config:read'], maxHolders: 2 } }, owner);
    await world.call('PutRole', { role: { name: 'other-seat', permissions: ['config:read'], exclusiveWith: ['seat'] } }, owner);
    await put('crew');
    await give('crew', 'seat');
    await add('crew', 'usr_plain');
    await add('crew', 'usr_viewer');
    expect(await faultOf(add('crew', 'usr_checker'))).toBe('FAILED_PRECONDITION/ROLE_FULL');
    expect(await faultOf(world.call('AssignRole', { subject: person('usr_plain'), role: 'other-seat' }, owner))).toBe(
      'FAILED_PRECONDITION/ROLE_EXCLUSIVE',
    );
    await remove('crew', 'usr_viewer');
    await world.call('AssignRole', { subject: person('usr_viewer'), role: 'other-seat' }, owner);
    expect(await faultOf(add('crew', 'usr_viewer'))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
  });

  it('adds all of the members or none', async () => {
    await put('whole');
    const members = [person('usr_plain'), person('usr_ghost')];
    expect(await faultOf(world.call('AddGroupMembers', { group: 'whole', members }, owner))).toBe('NOT_FOUND/SUBJECT_UNKNOWN');
    const { members: there } = await world.call<proto.ListGroupMembersResponse>('ListGroupMembers', { group: 'whole' }, owner);
    expect(there).toEqual([]);
  });

  it('lists its members page by page, and a member its groups', async () => {
    await put('many');
    const members = ['usr_plain', 'usr_viewer', 'usr_checker', 'usr_roles'].map(person);
    await world.call('AddGroupMembers', { group: 'many', members }, owner);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await world.call<proto.ListGroupMembersResponse>('ListGroupMembers', { group: 'many', pageSize: 3, pageToken }, owner);
      seen.push(...page.members.map(({ member }) => member?.id ?? ''));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual(['usr_checker', 'usr_plain', 'usr_roles', 'usr_viewer']);
    const { groups } = await world.call<proto.ListGroupsResponse>('ListGroups', { member: person('usr_checker') }, owner);
    expect(groups.map(({ name }) => name)).toEqual(['many']);
  });

  it.each<readonly [string, string, object, string]>([
    [
      'that does not exist gets no members',
      'AddGroupMembers',
      { group: 'nowhere', members: [person('usr_plain')] },
      'NOT_FOUND/GROUP_NOT_FOUND',
    ],
    ['that does not exist is not deleted', 'DeleteGroup', { group: 'nowhere' }, 'NOT_FOUND/GROUP_NOT_FOUND'],
    ['holds no groups', 'AddGroupMembers', { group: 'readers', members: [group('writers')] }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['has no name with a comma', 'PutGroup', { group: { name: 'a,b' } }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['is not that of another tenant', 'AssignRole', { subject: group('elsewhere'), role: 'viewer' }, 'NOT_FOUND/SUBJECT_UNKNOWN'],
    [
      'lets nobody of another tenant in',
      'AddGroupMembers',
      { group: 'readers', members: [person('usr_foreign')] },
      'NOT_FOUND/SUBJECT_UNKNOWN',
    ],
  ])('%s', async (_, method, request, want) => expect(await faultOf(world.call(method, request, owner))).toBe(want));
});

describe('nobody', () => {
  it('lets himself into a group that gives more than he holds, nor out of one that denies', async () => {
    await put('mighty');
    await give('mighty', 'admin');
    const join = { group: 'mighty', members: [person('usr_roles')] };
    expect(await faultOf(world.call('AddGroupMembers', join, user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION');
    await put('barred');
    await grant('barred', 'audit:read', { effect: 2 });
    await add('barred', 'usr_roles');
    const leave = { group: 'barred', members: [person('usr_roles')] };
    expect(await faultOf(world.call('RemoveGroupMembers', leave, user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('DeleteGroup', { group: 'barred' }, user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('puts somebody stronger under the denies of a group', async () => {
    await put('small-deny');
    await world.call('PutGrant', { subject: group('small-deny'), effect: 2, permission: 'config:read' }, owner);
    const trap = { group: 'small-deny', members: [person('usr_admin')] };
    expect(await faultOf(world.call('AddGroupMembers', trap, user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('locks the last owner out through a group', async () => {
    await put('locked');
    await grant('locked', 'users:roles', { effect: 2 });
    await add('locked', 'usr_second');
    expect(await faultOf(add('locked', 'usr_owner'))).toBe('FAILED_PRECONDITION/LAST_OWNER');
    await remove('locked', 'usr_second');
  });
});

describe('clearance', () => {
  const set = (id: string, clearance: string, by = owner) => world.call('SetClearance', { subject: person(id), clearance }, by);
  const ask = async (id: string, classification: string) =>
    (
      await world.check(owner, {
        principal: { $case: 'subject', value: { ...person(id) } as never },
        action: 'read',
        resource: resource('config', { classification }),
      })
    ).reasonCode;

  it('of one subject stands above what its roles say, higher and lower, until it is taken back', async () => {
    await world.call('PutGrant', { subject: person('usr_checker'), effect: 1, permission: 'config:read' }, owner);
    expect(await ask('usr_checker', 'confidential')).toBe('DENIED_CLASSIFICATION');
    await set('usr_checker', 'confidential');
    expect(await ask('usr_checker', 'confidential')).toBe('ALLOWED');
    expect(await ask('usr_checker', 'restricted')).toBe('DENIED_CLASSIFICATION');
    await set('usr_checker', 'public');
    expect(await ask('usr_checker', '')).toBe('DENIED_CLASSIFICATION');
    await set('usr_checker', '');
    expect(await ask('usr_checker', '')).toBe('ALLOWED');
  });

  it('is given by nobody beyond his own', async () => {
    expect(await faultOf(set('usr_plain', 'confidential', user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(set('usr_plain', 'top_secret', user('usr_admin')))).toBe('PERMISSION_DENIED/ESCALATION');
    const role = { name: 'spy', permissions: [], clearance: 'top_secret' };
    expect(await faultOf(world.call('PutRole', { role }, user('usr_admin')))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(set('usr_plain', 'cosmic'))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });
});

describe('another replica', () => {
  it('feels a membership and a role of the group within two seconds', async () => {
    const there = await createWorld(database);
    const holds = async () => (await there.authorization.rights('acme', person('usr_checker'))).holds('analytics:export');
    await put('far');
    await add('far', 'usr_checker');
    expect(await holds()).toBe(false);
    await grant('far', 'analytics:export');
    await waitFor(holds, 2000, 'the grant of the group');
    await remove('far', 'usr_checker');
    await waitFor(async () => !(await holds()), 2000, 'the end of the membership');
    await there.platform.stop();
  });
});
