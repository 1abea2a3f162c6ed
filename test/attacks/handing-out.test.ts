// Attempts of whoever hands out roles, memberships and types to get at more than he holds, or out of what limits him. Through the whole hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

const PASSWORD = 'quite a Long passw0rd!';
const ESCALATION = 'PERMISSION_DENIED/ESCALATION';
let database: FreshDatabase;
let hub: Hub;

interface Person {
  readonly id: string;
  readonly token: string;
}
const user = async (username: string, roles: string[]): Promise<Person> => {
  const { user: made } = await hub.ask('UserService/CreateUser', { username, password: PASSWORD, roles });
  const { tokens } = await hub.ask('AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD }, '');
  return { id: (made as { readonly id: string }).id, token: (tokens as { readonly accessToken: string }).accessToken };
};
const authorization = (method: string, request: JsonObject, by?: Person) =>
  hub.outcome(`AuthorizationService/${method}`, request, by?.token);
const role = (name: string, permissions: string[], over: JsonObject = {}) =>
  authorization('PutRole', { role: { name, permissions, ...over } });
const assign = (id: string, name: string, by?: Person, type = 'user') =>
  authorization('AssignRole', { subject: { type, id }, role: name }, by);
const unassign = (id: string, name: string, by?: Person) =>
  authorization('UnassignRole', { subject: { type: 'user', id }, role: name }, by);
const join = (group: string, id: string, by?: Person) => authorization('AddGroupMembers', { group, members: [{ type: 'user', id }] }, by);
const leave = (group: string, id: string, by?: Person) =>
  authorization('RemoveGroupMembers', { group, members: [{ type: 'user', id }] }, by);
const allowed = async (id: string, type: string, action: string, over: JsonObject = {}): Promise<unknown> =>
  (await hub.ask('SecurityHub/CheckPermission', { subject: { type: 'user', id }, action, resource: { type, id: 'r1', ...over } }))[
    'allowed'
  ];

/** Hands out roles, and may do nothing else. */
let clerk: Person;
beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri, CERT_ALLOW_GENERATED_KEYS: 'true' });
  await role('clerk', ['users:roles', 'users:read', 'users:write', 'certificates:issue']);
  clerk = await user('clerk', ['clerk']);
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

describe('what is lent to a group', () => {
  it('is nobody’s who could let himself in', async () => {
    await authorization('PutGroup', { group: { name: 'on-call' } });
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    expect(
      await authorization('PutDelegation', { grantee: { type: 'group', id: 'on-call' }, permissions: ['audit:read'], expiresAt }),
    ).toBe('OK');
    expect(await join('on-call', clerk.id, clerk)).toBe(ESCALATION);
    expect(await allowed(clerk.id, 'audit', 'read')).toBe(false);
    expect(await join('on-call', clerk.id)).toBe('OK');
    expect(await allowed(clerk.id, 'audit', 'read')).toBe(true);
    expect(await leave('on-call', clerk.id)).toBe('OK');
  });
});

describe('what a policy gives', () => {
  const policy = (name: string, rule: JsonObject): JsonObject => ({
    name: `${name}.json`,
    content: JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'ResourcePolicy',
      metadata: { name },
      spec: { resource: 'audit', rules: [{ name: 'gives', effect: 'allow', actions: ['read'], ...rule }] },
    }),
  });
  const apply = (...sources: JsonObject[]) => authorization('ApplyPolicies', { sources, acknowledgeRisk: true, prune: true });

  it('to a role or a group is given with it', async () => {
    await role('auditor', []);
    await authorization('PutGroup', { group: { name: 'auditors' } });
    expect(await apply(policy('to-role', { roles: ['auditor'] }), policy('to-group', { principals: ['group:auditors'] }))).toBe('OK');
    expect([await assign(clerk.id, 'auditor', clerk), await join('auditors', clerk.id, clerk)]).toEqual([ESCALATION, ESCALATION]);
    expect(await hub.outcome('UserService/CreateUser', { username: 'puppet', password: PASSWORD, roles: ['auditor'] }, clerk.token)).toBe(
      ESCALATION,
    );
    const eve = await user('eve', ['viewer']);
    expect([await assign(eve.id, 'auditor'), await allowed(eve.id, 'audit', 'read')]).toEqual(['OK', true]);
    expect(await unassign(eve.id, 'auditor')).toBe('OK');
    expect([await join('auditors', eve.id), await allowed(eve.id, 'audit', 'read')]).toEqual(['OK', true]);
  });

  it('to somebody is not had by taking his password or his name', async () => {
    const strong = await user('strong', ['viewer']);
    await hub.ask('WorkloadService/PutWorkload', { workload: { namespace: 'default', name: 'collector' } });
    expect(await apply(policy('to-some', { principals: [`user:${strong.id}`, 'service:default/collector'] }))).toBe('OK');
    const take = { userId: strong.id, newPassword: 'another Long passw0rd!' };
    expect(await hub.outcome('UserService/SetPassword', take, clerk.token)).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    const become = { namespace: 'default', service: 'collector', generateKey: {} };
    expect(await hub.outcome('SecurityHub/IssueServiceCert', become, clerk.token)).toBe(ESCALATION);
    expect([await hub.outcome('UserService/SetPassword', take), await hub.outcome('SecurityHub/IssueServiceCert', become)]).toEqual([
      'OK',
      'OK',
    ]);
  });
});

describe('a role that limits whoever has it', () => {
  const limits = { constraints: { requireMfaFor: ['conversations:*'] } };

  it('is not thrown off by somebody who only hands out roles', async () => {
    await role('limited', [], limits);
    await role('limited-by-inheritance', [], { inherits: ['limited'] });
    await authorization('PutGroup', { group: { name: 'limited' } });
    expect([await assign(clerk.id, 'limited'), await assign(clerk.id, 'limited-by-inheritance')]).toEqual(['OK', 'OK']);
    expect([await assign('limited', 'limited', undefined, 'group'), await join('limited', clerk.id)]).toEqual(['OK', 'OK']);
    const refused = 'PERMISSION_DENIED/PERMISSION_MISSING';
    expect([
      await unassign(clerk.id, 'limited', clerk),
      await unassign(clerk.id, 'limited-by-inheritance', clerk),
      await leave('limited', clerk.id, clerk),
      await authorization('DeleteGroup', { group: 'limited' }, clerk),
      await authorization('DeleteRole', { name: 'limited-by-inheritance' }, clerk),
      await authorization('PutRole', { role: { name: 'limited', permissions: [] } }, clerk),
    ]).toEqual(Array(6).fill(refused));
    expect(await authorization('PutRole', { role: { name: 'limited', description: 'the same', permissions: [], ...limits } }, clerk)).toBe(
      'OK',
    );
    expect([
      await leave('limited', clerk.id),
      await unassign(clerk.id, 'limited'),
      await unassign(clerk.id, 'limited-by-inheritance'),
    ]).toEqual(['OK', 'OK', 'OK']);
  });
});

describe('a resource type', () => {
  const put = (over: JsonObject, by?: Person, name = 'payrolls') =>
    authorization(
      'PutResourceType',
      { resourceType: { name, actions: ['read', 'pay'], defaultClassification: 'restricted', ...over } },
      by,
    );

  it('is not opened further by somebody who only configures', async () => {
    const dora = await user('dora', ['developer']);
    await put({});
    expect([
      await put({ ownerActions: ['pay'] }, dora),
      await put({ ownerActions: ['*'] }, dora),
      await put({ defaultClassification: 'public' }, dora),
      await put({ parentTypes: ['conversations'] }, dora),
    ]).toEqual(Array(4).fill(ESCALATION));
    expect(await put({ description: 'more words', actions: ['read', 'pay', 'list'], attributes: { iban: 'string' } }, dora)).toBe('OK');
    expect(await put({ defaultClassification: 'top_secret' }, dora)).toBe('OK');
    expect(await put({ ownerActions: ['read'] }, dora, 'drafts')).toBe('OK');
    expect(await put({ ownerActions: ['pay'], parentTypes: ['conversations'], defaultClassification: 'public' })).toBe('OK');
  });
});
