// Rules of policies that ask for a principal and a role at once: who gives the one gives what the rule allows whoever has the other.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, subject, user, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

const owner = user('usr_owner');
/** Holds everything but admin:billing, which the rules allow. */
const admin = user('usr_admin');
const person = (id: string) => ({ type: 'user', id });
const group = (id: string) => ({ type: 'group', id });
const ESCALATION = 'PERMISSION_DENIED/ESCALATION';

const allowing = (name: string, principals: readonly string[], roles: readonly string[]) => ({
  name: `${name}.json`,
  content: JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'PrincipalPolicy',
    metadata: { name },
    spec: { principals, rules: [{ name: 'pay', effect: 'allow', resource: 'admin', actions: ['billing'], roles }] },
  }),
});
const apply = (...sources: readonly object[]) => world.call('ApplyPolicies', { sources, prune: true, acknowledgeRisk: true }, owner);

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'] });
  await world.call('PutRole', { role: { name: 'treasurer', permissions: ['config:read'] } }, owner);
  await world.call('PutGroup', { group: { name: 'finance', description: '' } }, owner);
  await world.call('PutGroup', { group: { name: 'treasury', description: '' } }, owner);
  await world.call('AssignRole', { subject: group('treasury'), role: 'treasurer' }, owner);
  await world.call('AddGroupMembers', { group: 'finance', members: [person('usr_second')] }, owner);
  await apply(allowing('one', ['user:usr_viewer'], ['treasurer']), allowing('many', ['group:finance'], ['treasurer']));
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const assign = (to: { readonly type: string; readonly id: string }, by = admin) =>
  world.call('AssignRole', { subject: to, role: 'treasurer' }, by);
const unassign = (id: string) => world.call('UnassignRole', { subject: person(id), role: 'treasurer' }, owner);
const join = (id: string, name: string, by = admin) => world.call('AddGroupMembers', { group: name, members: [person(id)] }, by);
const leave = (id: string, name: string) => world.call('RemoveGroupMembers', { group: name, members: [person(id)] }, owner);

describe('a rule for a principal with a role', () => {
  it('is given with the role to whom it names, by nobody who does not hold what it allows', async () => {
    expect(await faultOf(assign(person('usr_viewer')))).toBe(ESCALATION);
    await assign(person('usr_plain'));
    await unassign('usr_plain');
  });

  it('is given with the role to a member of the group it names', async () => {
    expect(await faultOf(assign(person('usr_second')))).toBe(ESCALATION);
  });

  it('is given with the role to a group, which anybody may be a member of', async () => {
    expect(await faultOf(assign(group('finance')))).toBe(ESCALATION);
  });

  it('is given with the membership of a group that has the role', async () => {
    expect(await faultOf(join('usr_viewer', 'treasury'))).toBe(ESCALATION);
    await join('usr_plain', 'treasury');
    await leave('usr_plain', 'treasury');
  });

  it('is given with the membership of the group it names', async () => {
    await assign(person('usr_plain'), owner);
    expect(await faultOf(join('usr_plain', 'finance'))).toBe(ESCALATION);
    await unassign('usr_plain');
  });

  it('counts in checks, trees and lists for those who are both, and for nobody else', async () => {
    await assign(person('usr_viewer'), owner);
    await assign(person('usr_plain'), owner);
    const asked = { action: 'billing', resource: resource('admin') };
    const check = async (id: string) => (await world.check(owner, { principal: subject(id), ...asked })).allowed;
    const tree = async (id: string) =>
      (await world.call<proto.GetUserPermissionsResponse>('GetUserPermissions', { subject: person(id) }, owner)).permissions.some(
        ({ permission }) => permission === 'admin:billing',
      );
    const { subjects } = await world.call<proto.ListSubjectsResponse>('ListSubjects', { ...asked, subjectType: 'user' }, owner);
    const listed = subjects.map((one) => one.subject?.id);
    for (const [id, want] of [
      ['usr_viewer', true],
      ['usr_plain', false],
      ['usr_second', false],
    ] as const)
      expect([id, await check(id), await tree(id), listed.includes(id)]).toEqual([id, want, want, want]);
    await unassign('usr_viewer');
    expect([await check('usr_viewer'), await tree('usr_viewer')]).toEqual([false, false]);
    await unassign('usr_plain');
  });

  it('is given no more once the policy is gone', async () => {
    await apply(allowing('many', ['group:finance'], ['treasurer']));
    await assign(person('usr_viewer'));
    await unassign('usr_viewer');
    await apply();
    await assign(group('finance'));
  });
});
