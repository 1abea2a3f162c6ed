// Roles, assignments, grants and types on a real Postgres: what is stored decides, and the guards hold.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { apiKey, createWorld, faultOf, seed, user, workload, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_roles: ['manager', 'custom'] });
  await world.call('PutGrant', grantOf('usr_roles', 'users:roles'), owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const owner = user('usr_owner');
const admin = user('usr_admin');

const role = (name: string, permissions: readonly string[], inherits: readonly string[] = []) => ({
  tenantId: '',
  role: { name, description: '', permissions, inherits, builtIn: false },
});
const assignment = (id: string, name: string, expiresAt?: { seconds: number; nanos: number }, type = 'user') => ({
  tenantId: '',
  subject: { type, id },
  role: name,
  expiresAt,
});
const grantOf = (id: string, permission: string, over: object = {}) => ({
  tenantId: '',
  subject: { type: 'user', id },
  permission,
  resourceId: '',
  effect: 1,
  expiresAt: undefined,
  reason: 'a test',
  ...over,
});
const typeOf = (name: string, over: object = {}) => ({
  tenantId: '',
  resourceType: { name, description: '', actions: ['read'], ownerActions: [], defaultClassification: '', ...over },
});
const holds = async (id: string, permission: string): Promise<boolean> =>
  (await world.authorization.rights('acme', { type: 'user', id })).holds(permission);

describe('a role', () => {
  it('gives its permissions to whoever is assigned it, and takes them when it is taken', async () => {
    await world.call('PutRole', role('scribe', ['conversations:export']), owner);
    await world.call('AssignRole', assignment('usr_plain', 'scribe'), owner);
    expect(await holds('usr_plain', 'conversations:export')).toBe(true);
    await world.call('UnassignRole', assignment('usr_plain', 'scribe'), owner);
    expect(await holds('usr_plain', 'conversations:export')).toBe(false);
  });

  it('gives at once what is put into it later', async () => {
    await world.call('PutRole', role('growing', ['users:read']), owner);
    await world.call('AssignRole', assignment('usr_viewer', 'growing'), owner);
    expect(await holds('usr_viewer', 'audit:read')).toBe(false);
    await world.call('PutRole', role('growing', ['users:read', 'audit:read']), owner);
    expect(await holds('usr_viewer', 'audit:read')).toBe(true);
  });

  it('answers as stored: permissions in one spelling, sorted, each once', async () => {
    const { role: stored } = await world.call<proto.PutRoleResponse>('PutRole', role('tidy', ['b:x', '*', 'a:x', 'b:x']), owner);
    expect(stored?.permissions).toEqual(['*:*', 'a:x', 'b:x']);
  });

  it('may speak of types that nobody has declared yet, and is told which', async () => {
    const put = (...permissions: string[]) =>
      world.call<proto.PutRoleResponse>('PutRole', role('early', ['*:read', 'users:read', ...permissions]), owner);
    expect((await put('shipmnts:read', 'parcels:*')).undeclaredTypes).toEqual(['parcels', 'shipmnts']);
    await world.call('PutResourceType', typeOf('parcels'), owner);
    expect((await put('parcels:*')).undeclaredTypes).toEqual([]);
  });

  it('is told which actions its types have not', async () => {
    await world.call('PutResourceType', typeOf('letters', { ownerActions: ['burn'] }), owner);
    await world.call('PutResourceType', typeOf('notes', { actions: [] }), owner);
    const permissions = ['letters:raed', 'letters:read', 'letters:burn', 'letters:*', 'notes:anything', 'users:wrtie', 'strange:read'];
    const answer = await world.call<proto.PutRoleResponse>('PutRole', role('slips', permissions), owner);
    expect(answer).toMatchObject({ undeclaredTypes: ['strange'], undeclaredPermissions: ['letters:raed', 'users:wrtie'] });
  });

  it('takes its assignments with it', async () => {
    await world.call('PutRole', role('passing', ['audit:read']), owner);
    await world.call('AssignRole', assignment('usr_plain', 'passing'), owner);
    expect(await holds('usr_plain', 'audit:read')).toBe(true);
    await world.call('DeleteRole', { tenantId: '', name: 'passing' }, owner);
    expect(await holds('usr_plain', 'audit:read')).toBe(false);
    await world.call('PutRole', role('passing', ['audit:read']), owner);
    expect(await holds('usr_plain', 'audit:read')).toBe(false);
  });

  it('writes what happened into the audit log', async () => {
    await world.call('PutRole', role('logged', ['audit:read']), owner);
    const event = world.platform.audit.entries.findLast((entry) => entry.type === 'role.put');
    expect(event).toMatchObject({ tenantId: 'acme', resource: 'role:logged', actor: { type: 'user', id: 'usr_owner' } });
  });

  const refusals: readonly (readonly [string, string, object, string])[] = [
    ['a built-in name', 'PutRole', role('viewer', []), 'FAILED_PRECONDITION/ROLE_BUILT_IN'],
    ['itself as a parent', 'PutRole', role('selfish', [], ['selfish']), 'INVALID_ARGUMENT/ROLE_CYCLE'],
    ['a parent that does not exist', 'PutRole', role('orphan', [], ['nobody']), 'INVALID_ARGUMENT/ROLE_NOT_FOUND'],
    ['a permission that is none', 'PutRole', role('broken', ['users']), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['every right over the installation', 'PutRole', role('broken', ['installation:*']), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    [
      'a deny on a wildcard, which no resource is',
      'PutGrant',
      grantOf('usr_plain', 'users:read', { effect: 2, resourceId: '*' }),
      'INVALID_ARGUMENT/REQUEST_INVALID',
    ],
    ['a name with a comma', 'PutRole', role('a,b', []), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['deleting a built-in one', 'DeleteRole', { tenantId: '', name: 'owner' }, 'FAILED_PRECONDITION/ROLE_BUILT_IN'],
    ['deleting what does not exist', 'DeleteRole', { tenantId: '', name: 'nobody' }, 'NOT_FOUND/ROLE_NOT_FOUND'],
    ['assigning what does not exist', 'AssignRole', assignment('usr_plain', 'nobody'), 'NOT_FOUND/ROLE_NOT_FOUND'],
    ['a subject that does not exist', 'AssignRole', assignment('usr_ghost', 'viewer'), 'NOT_FOUND/SUBJECT_UNKNOWN'],
    ['a subject of another tenant', 'AssignRole', assignment('usr_foreign', 'viewer'), 'NOT_FOUND/SUBJECT_UNKNOWN'],
    ['an end in the past', 'AssignRole', assignment('usr_plain', 'viewer', { seconds: 1, nanos: 0 }), 'INVALID_ARGUMENT/EXPIRY_INVALID'],
    ['a group that does not exist', 'AssignRole', assignment('g', 'viewer', undefined, 'group'), 'NOT_FOUND/SUBJECT_UNKNOWN'],
    ['an API key as subject', 'AssignRole', assignment('key_1', 'viewer', undefined, 'api_key'), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['no role at all', 'PutRole', { tenantId: '', role: undefined }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
  ];
  for (const [what, method, request, want] of refusals)
    it(`refuses ${what}`, async () => expect(await faultOf(world.call(method, request, owner))).toBe(want));

  it('says which role or type there is none of, and what to do', async () => {
    const said = (method: string, request: object): Promise<string> =>
      world.call(method, request, owner).then(
        () => 'done',
        (thrown: unknown) => (thrown as Error).message,
      );
    expect(await said('PutRole', role('orphan', [], ['viewer', 'nobody']))).toMatch(/nobody, which does not exist: make it with PutRole/);
    expect(await said('AssignRole', assignment('usr_plain', 'nobody'))).toBe('no such role: nobody');
    expect(await said('PutGrant', grantOf('usr_plain', 'ghosts:read'))).toMatch(/^no such resource type: ghosts; declare it/);
  });

  it('refuses a ring over two roles, and changes nothing', async () => {
    await world.call('PutRole', role('ring-a', ['audit:read']), owner);
    await world.call('PutRole', role('ring-b', [], ['ring-a']), owner);
    expect(await faultOf(world.call('PutRole', role('ring-a', [], ['ring-b']), owner))).toBe('INVALID_ARGUMENT/ROLE_CYCLE');
    const { roles } = await world.call<proto.ListRolesResponse>('ListRoles', { tenantId: '', pageSize: 1000, pageToken: '' }, owner);
    expect(roles.find((each) => each.name === 'ring-a')).toMatchObject({ permissions: ['audit:read'], inherits: [] });
  });

  it('refuses two rings made at once: one of them stands, never both', async () => {
    await world.call('PutRole', role('left', []), owner);
    await world.call('PutRole', role('right', []), owner);
    const both = await Promise.all([
      faultOf(world.call('PutRole', role('left', [], ['right']), owner)),
      faultOf(world.call('PutRole', role('right', [], ['left']), owner)),
    ]);
    expect(both.filter((each) => each === 'INVALID_ARGUMENT/ROLE_CYCLE')).toHaveLength(1);
  });

  it('stays while others inherit from it', async () => {
    await world.call('PutRole', role('base-role', []), owner);
    await world.call('PutRole', role('heir', [], ['base-role']), owner);
    expect(await faultOf(world.call('DeleteRole', { tenantId: '', name: 'base-role' }, owner))).toBe('FAILED_PRECONDITION/ROLE_IN_USE');
  });
});

describe('nobody', () => {
  const escalations: readonly (readonly [string, string, object])[] = [
    ['makes himself owner', 'AssignRole', assignment('usr_roles', 'owner')],
    ['makes himself admin', 'AssignRole', assignment('usr_roles', 'admin')],
    ['makes an operator who is none', 'AssignRole', assignment('usr_roles', 'operator')],
    ['defines a role beyond his rights', 'PutRole', role('mighty', ['audit:read'])],
    ['defines a role that inherits beyond his rights', 'PutRole', role('mighty', [], ['developer'])],
    ['grants beyond his rights', 'PutGrant', grantOf('usr_roles', 'audit:read')],
    ['grants a wildcard over what he holds in part', 'PutGrant', grantOf('usr_roles', 'users:*')],
    ['grants the installation', 'PutGrant', grantOf('usr_roles', 'installation:tenants')],
    ['denies what he does not hold', 'PutGrant', grantOf('usr_admin', 'audit:read', { effect: 2 })],
    ['takes a role beyond his rights from its owner', 'UnassignRole', assignment('usr_owner', 'owner')],
  ];
  for (const [what, method, request] of escalations)
    it(what, async () => expect(await faultOf(world.call(method, request, user('usr_roles')))).toBe('PERMISSION_DENIED/ESCALATION'));

  it('gives anything away for a user whose token names no scopes, or beyond those it names', async () => {
    const acting = (scopes: readonly string[]) => userCaller('acme', 'usr_owner', { delegated: true, scopes });
    const grant = grantOf('usr_viewer', 'users:read');
    expect(await faultOf(world.call('PutGrant', grant, acting([])))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('AssignRole', assignment('usr_viewer', 'admin'), acting([])))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('PutGrant', grant, acting(['users:roles', 'audit:read'])))).toBe('PERMISSION_DENIED/ESCALATION');
    await world.call('PutGrant', grant, acting(['users:roles', 'users:read']));
  });

  it('gives, as an admin, what only owners have', async () => {
    expect(await faultOf(world.call('AssignRole', assignment('usr_admin', 'owner'), admin))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('PutGrant', grantOf('usr_admin', 'admin:billing'), admin))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('gives the installation, as an owner', async () => {
    expect(await faultOf(world.call('AssignRole', assignment('usr_owner', 'operator'), owner))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('PutRole', role('keeper', ['installation:tenants']), owner))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('widens through a role that he may not hold, though he only adds what he holds', async () => {
    await world.call('PutRole', role('secret-role', ['admin:billing']), owner);
    expect(await faultOf(world.call('PutRole', role('secret-role', ['users:read']), admin))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('DeleteRole', { tenantId: '', name: 'secret-role' }, admin))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('frees somebody from a deny that he could not have set', async () => {
    const { grant } = await world.call<proto.PutGrantResponse>('PutGrant', grantOf('usr_plain', 'admin:billing', { effect: 2 }), owner);
    expect(await faultOf(world.call('DeleteGrant', { tenantId: '', grantId: grant?.id }, admin))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('gives with an API key what the key does not carry', async () => {
    const key = apiKey('usr_owner', ['users:roles', 'users:read']);
    expect(await faultOf(world.call('PutGrant', grantOf('usr_plain', 'audit:read'), key))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await faultOf(world.call('PutGrant', grantOf('usr_plain', 'users:read'), key))).toContain('no fault');
  });

  it('gives with a scoped token what its scopes do not cover', async () => {
    const scoped = user('usr_owner', ['users:*']);
    expect(await faultOf(world.call('PutGrant', grantOf('usr_plain', 'audit:read'), scoped))).toBe('PERMISSION_DENIED/ESCALATION');
  });
});

describe('the last owner', () => {
  it('keeps its role against everybody', async () => {
    expect(await faultOf(world.call('UnassignRole', assignment('usr_owner', 'owner'), owner))).toBe('FAILED_PRECONDITION/LAST_OWNER');
  });

  it('does not become temporary', async () => {
    const soon = { seconds: Math.floor(Date.now() / 1000) + 60, nanos: 0 };
    expect(await faultOf(world.call('AssignRole', assignment('usr_owner', 'owner', soon), owner))).toBe('FAILED_PRECONDITION/LAST_OWNER');
  });

  it('is not locked out by a deny', async () => {
    const deny = grantOf('usr_owner', 'users:*', { effect: 2 });
    expect(await faultOf(world.call('PutGrant', deny, owner))).toBe('FAILED_PRECONDITION/LAST_OWNER');
    expect(await holds('usr_owner', 'users:roles')).toBe(true);
  });

  it('is not forgotten, nor suspended', async () => {
    const forget = world.platform.write('acme', async (tx) => ({
      result: await world.authorization.requireOtherOwner(tx, 'acme', 'usr_owner'),
    }));
    expect(await faultOf(forget)).toBe('FAILED_PRECONDITION/LAST_OWNER');
  });

  it('does not go when the only other owner is suspended', async () => {
    await seed(world, 'acme', { usr_suspended: ['owner'] });
    expect(await faultOf(world.call('UnassignRole', assignment('usr_owner', 'owner'), owner))).toBe('FAILED_PRECONDITION/LAST_OWNER');
    await world.call('UnassignRole', assignment('usr_suspended', 'owner'), owner);
  });

  it('may go when there is another one, but of two who remove each other at once one stays', async () => {
    await world.call('AssignRole', assignment('usr_second', 'owner'), owner);
    const both = await Promise.all([
      faultOf(world.call('UnassignRole', assignment('usr_owner', 'owner'), user('usr_second'))),
      faultOf(world.call('UnassignRole', assignment('usr_second', 'owner'), owner)),
    ]);
    // Whoever comes second is the last owner, or has heard by then that it is none any more.
    expect(both.filter((each) => /^(FAILED_PRECONDITION\/LAST_OWNER|PERMISSION_DENIED\/ESCALATION)$/.test(each))).toHaveLength(1);
    expect(both.filter((each) => each.startsWith('no fault'))).toHaveLength(1);
    const owners = await database.sql(`SELECT subject_id FROM role_assignment WHERE tenant_id = 'acme' AND role = 'owner'`);
    expect(owners).toHaveLength(1);
    // Back to how it was.
    await seed(world, 'acme', { usr_owner: ['owner'] });
    await world.call('UnassignRole', assignment('usr_second', 'owner'), owner);
  });
});

describe('the first owner of a tenant', () => {
  it('is named by whoever runs the installation, the second is not', async () => {
    await seed(world, 'acme', { usr_checker: ['operator'] });
    const operator = user('usr_checker');
    const give = (userId: string) =>
      faultOf(
        world.platform.write('young', async (tx) => {
          await world.authorization.assignRoles(tx, 'young', { type: 'user', id: userId }, ['owner'], callAs(operator));
          return { result: null };
        }),
      );
    expect(await give('usr_1')).toContain('no fault');
    expect(await give('usr_2')).toBe('PERMISSION_DENIED/ESCALATION');
  });
});

describe('a grant', () => {
  it('is replaced by the next one for the same permission, under one id', async () => {
    const first = await world.call<proto.PutGrantResponse>('PutGrant', grantOf('usr_plain', 'config:read'), owner);
    const second = await world.call<proto.PutGrantResponse>('PutGrant', grantOf('usr_plain', 'config:read', { reason: 'again' }), owner);
    expect(second.grant).toMatchObject({ id: first.grant?.id, reason: 'again' });
  });

  it('ends when it is deleted', async () => {
    const { grant } = await world.call<proto.PutGrantResponse>('PutGrant', grantOf('usr_plain', 'workloads:read'), owner);
    expect(await holds('usr_plain', 'workloads:read')).toBe(true);
    await world.call('DeleteGrant', { tenantId: '', grantId: grant?.id }, owner);
    expect(await holds('usr_plain', 'workloads:read')).toBe(false);
    expect(await faultOf(world.call('DeleteGrant', { tenantId: '', grantId: grant?.id }, owner))).toBe('NOT_FOUND/GRANT_NOT_FOUND');
  });

  it('names only resource types that exist', async () =>
    expect(await faultOf(world.call('PutGrant', grantOf('usr_plain', 'ghosts:read'), owner))).toBe('NOT_FOUND/RESOURCE_TYPE_UNKNOWN'));
});

describe('a resource type', () => {
  it('is the tenant’s own: a neighbour knows nothing of it', async () => {
    await world.call('PutResourceType', typeOf('parcels', { ownerActions: ['read', '*'] }), owner);
    expect((await world.authorization.snapshot('acme')).type('parcels')).toMatchObject({
      ownerActions: ['*', 'read'],
      defaultClassification: 'internal',
    });
    expect((await world.authorization.snapshot('other')).type('parcels')).toBeUndefined();
  });

  it('lets an admin grant it as soon as it is there', async () => {
    await world.call('PutResourceType', typeOf('letters'), owner);
    expect(await faultOf(world.call('PutGrant', grantOf('usr_plain', 'letters:read'), admin))).toContain('no fault');
  });

  const refusals: readonly (readonly [string, object, string])[] = [
    ['a built-in name', typeOf('users'), 'FAILED_PRECONDITION/RESOURCE_TYPE_BUILT_IN'],
    ['a wildcard as name', typeOf('*'), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a wildcard as action', typeOf('boxes', { actions: ['*'] }), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['an attribute of no type', typeOf('boxes', { attributes: { weight: 'integer' } }), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['an attribute that every resource has', typeOf('boxes', { attributes: { owner_id: 'string' } }), 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a classification that does not exist', typeOf('boxes', { defaultClassification: 'cosmic' }), 'INVALID_ARGUMENT/REQUEST_INVALID'],
  ];
  for (const [what, request, want] of refusals)
    it(`refuses ${what}`, async () => expect(await faultOf(world.call('PutResourceType', request, owner))).toBe(want));
});

describe('a list', () => {
  const pagesOf = async <T>(method: string, query: object, items: (page: never) => readonly T[]): Promise<T[]> => {
    const all: T[] = [];
    for (let pageToken = ''; ; ) {
      const page = await world.call<{ nextPageToken: string }>(method, { tenantId: '', pageSize: 2, pageToken, ...query }, owner);
      all.push(...items(page as never));
      pageToken = page.nextPageToken;
      if (pageToken === '') return all;
    }
  };

  it('of roles holds the built-in ones and the own ones once each, in order', async () => {
    const names = await pagesOf('ListRoles', {}, (page: proto.ListRolesResponse) => page.roles.map((each) => each.name));
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(expect.arrayContaining(['owner', 'viewer', 'api_user', 'operator', 'growing']));
  });

  it('of resource types holds both kinds', async () => {
    const names = await pagesOf('ListResourceTypes', {}, (page: proto.ListResourceTypesResponse) =>
      page.resourceTypes.map((each) => each.name),
    );
    expect(names).toEqual(expect.arrayContaining(['conversations', 'parcels']));
  });

  it('of assignments goes through all pages, and narrows by subject and role', async () => {
    const all = await pagesOf(
      'ListAssignments',
      { subject: undefined, role: '' },
      (page: proto.ListAssignmentsResponse) => page.assignments,
    );
    const count = await database.sql<{ n: number }>(`SELECT count(*)::int AS n FROM role_assignment WHERE tenant_id = 'acme'`);
    expect(all).toHaveLength(count[0]?.n ?? -1);
    const owners = await pagesOf(
      'ListAssignments',
      { subject: undefined, role: 'owner' },
      (page: proto.ListAssignmentsResponse) => page.assignments,
    );
    expect(owners.map((each) => each.subject?.id)).toEqual(['usr_owner']);
    const his = await pagesOf(
      'ListAssignments',
      { subject: { type: 'user', id: 'usr_roles' }, role: '' },
      (page: proto.ListAssignmentsResponse) => page.assignments,
    );
    expect(his.map((each) => each.role)).toEqual(['custom', 'manager']);
  });

  it('of grants narrows by permission', async () => {
    const grants = await pagesOf(
      'ListGrants',
      { subject: undefined, permission: 'users:roles' },
      (page: proto.ListGrantsResponse) => page.grants,
    );
    expect(grants).toMatchObject([{ subject: { type: 'user', id: 'usr_roles' }, effect: 1, createdBy: 'user:usr_owner' }]);
  });

  it('does not go on with the token of another list', async () => {
    const { nextPageToken } = await world.call<proto.ListRolesResponse>('ListRoles', { tenantId: '', pageSize: 1, pageToken: '' }, owner);
    const stolen = world.call('ListResourceTypes', { tenantId: '', pageSize: 1, pageToken: nextPageToken }, owner);
    expect(await faultOf(stolen)).toBe('INVALID_ARGUMENT/PAGE_TOKEN_INVALID');
  });
});

describe('what a caller holds', () => {
  const table: readonly (readonly [string, Parameters<World['authorization']['holds']>[0], string, boolean])[] = [
    ['a user by a role', admin, 'audit:read', true],
    ['a user beyond its roles', admin, 'admin:billing', false],
    ['a user beyond its scopes', user('usr_owner', ['config:read']), 'audit:read', false],
    ['a user within its scopes', user('usr_owner', ['config:*']), 'config:write', true],
    ['an API key within its list and its owner', apiKey('usr_admin', ['audit:*']), 'audit:read', true],
    ['an API key beyond its list', apiKey('usr_owner', ['audit:*']), 'config:read', false],
    ['an API key beyond its owner', apiKey('usr_admin', ['*:*']), 'admin:billing', false],
    ['an API key with an empty list', apiKey('usr_owner', []), 'config:read', false],
    ['a workload by its entry', workload(), 'encryption_key:encrypt', true],
    ['a workload beyond its entry', workload(), 'encryption_key:decrypt', false],
    ['a workload nobody registered', workload(null), 'encryption_key:encrypt', false],
    ['nobody', { kind: 'anonymous' }, 'config:read', false],
  ];
  for (const [who, caller, permission, want] of table)
    it(`${want ? 'includes' : 'excludes'} ${permission} for ${who}`, async () =>
      expect(await world.authorization.holds(caller, permission)).toBe(want));

  it('loses a workload what is denied to it, though its entry lists it', async () => {
    const deny = { ...grantOf('default/billing', 'encryption_key:*', { effect: 2 }), subject: { type: 'service', id: 'default/billing' } };
    const { grant } = await world.call<proto.PutGrantResponse>('PutGrant', deny, owner);
    expect(await world.authorization.holds(workload(), 'encryption_key:encrypt')).toBe(false);
    await world.call('DeleteGrant', { tenantId: '', grantId: grant?.id }, owner);
  });
});
