// The windows of identity and API keys: what a request's fields become, what an answer shows, what a row lets owners do.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '../../../src/base/call.ts';
import * as apiKey from '../../../src/gen/securityhub/v1/api_key.ts';
import * as authentication from '../../../src/gen/securityhub/v1/authentication.ts';
import * as tenant from '../../../src/gen/securityhub/v1/tenant.ts';
import * as user from '../../../src/gen/securityhub/v1/user.ts';
import * as workload from '../../../src/gen/securityhub/v1/workload.ts';
import type { AnyRow } from '../../../src/server/rpc/define.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome } from '../../harness.ts';
import { createWorld, from, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let home: Tenancy;
let elsewhere: Tenancy;
let admin: Call;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  home = await newTenancy(world);
  elsewhere = await newTenancy(world);
  admin = callAs(home.admin);
});
afterAll(async () => {
  await world.close();
  await database.close();
});

interface Codec<T> {
  fromPartial(fields: object): T;
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Through the bytes on both ways, as over the wire. */
const ask = async <Q, S>(path: string, request: Codec<Q>, response: Codec<S>, fields: object, call: Call): Promise<S> => {
  const found = world.services.flatMap(({ methods }) => methods).find(({ method }) => method.path === `/securityhub.v1.${path}`);
  if (found === undefined || !('handle' in found.row)) throw new Error(`${path} has no row`);
  const asked = found.method.requestDeserialize(Buffer.from(request.encode(request.fromPartial(fields)).finish()));
  return response.decode(found.method.responseSerialize(await found.row.handle(asked, call)));
};

const createUser = (fields: object, call = admin) =>
  ask('UserService/CreateUser', user.CreateUserRequest, user.CreateUserResponse, fields, call);
const getUser = (fields: object, call = admin) => ask('UserService/GetUser', user.GetUserRequest, user.GetUserResponse, fields, call);
const createKey = (fields: object, call = admin) =>
  ask('ApiKeyService/CreateApiKey', apiKey.CreateApiKeyRequest, apiKey.CreateApiKeyResponse, fields, call);
const revokeKey = (fields: object, call = admin) =>
  ask('ApiKeyService/RevokeApiKey', apiKey.RevokeApiKeyRequest, apiKey.RevokeApiKeyResponse, fields, call);
const getTenant = (fields: object, call = admin) =>
  ask('TenantService/GetTenant', tenant.GetTenantRequest, tenant.GetTenantResponse, fields, call);

describe('AuthenticationService', () => {
  it('logs in and out', async () => {
    await newUser(world, home, { username: 'ann' });
    const fields = { tenantId: home.tenantId, username: 'ann', password: PASSWORD, scopes: ['config:read'], device: { deviceId: 'd1' } };
    const { tokens } = await ask(
      'AuthenticationService/Login',
      authentication.LoginRequest,
      authentication.LoginResponse,
      fields,
      from('10.0.0.1'),
    );
    expect(tokens).toMatchObject({ tokenType: 'Bearer', scope: 'config:read' });
    expect(tokens?.expiresAt?.seconds).toBeGreaterThan(Date.now() / 1000);
    const out = { refreshToken: tokens?.refreshToken };
    const left = await ask(
      'AuthenticationService/Logout',
      authentication.LogoutRequest,
      authentication.LogoutResponse,
      out,
      from('10.0.0.1'),
    );
    expect(left.seq).toBeGreaterThan(0);
  });
});

describe('UserService', () => {
  it('creates a user in the caller’s tenant and shows it whole', async () => {
    const fields = { username: 'bob', email: 'bob@example.com', password: PASSWORD, roles: ['viewer'], metadata: { team: 'a' } };
    const { user: made, revision } = await createUser(fields);
    expect(made).toMatchObject({
      tenantId: home.tenantId,
      username: 'bob',
      email: 'bob@example.com',
      roles: ['viewer'],
      status: 'active',
      metadata: { team: 'a' },
    });
    expect(made?.lastLoginAt).toBeUndefined();
    expect(made?.lockedUntil).toBeUndefined();
    expect(revision).toBeGreaterThan(0);
  });

  it('shows a user to himself, and others only with users:read', async () => {
    const mine = await newUser(world, home);
    const theirs = await newUser(world, home);
    const call = callAs(userCaller(home.tenantId, mine));
    expect((await getUser({}, call)).user?.id).toBe(mine);
    expect(await outcome(getUser({ userId: theirs }, call))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect((await getUser({ userId: theirs })).user?.id).toBe(theirs);
  });

  it('lets nobody but the installation look into another tenant', async () => {
    const theirs = await newUser(world, elsewhere, {}, callAs(elsewhere.admin));
    const reader = callAs(userCaller(home.tenantId, await newUser(world, home, { roles: ['admin'] })));
    expect(await outcome(getUser({ tenantId: elsewhere.tenantId, userId: theirs }, reader))).toBe('PERMISSION_DENIED/TENANT_FORBIDDEN');
    expect((await getUser({ tenantId: elsewhere.tenantId, userId: theirs })).user?.id).toBe(theirs);
  });

  it('asks a caller who is no user whom it means', async () => {
    const service = callAs({ kind: 'workload', tenantId: home.tenantId, spiffeId: '', namespace: 'n', name: 'w', entry: null });
    expect(await outcome(getUser({}, service))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });

  it('lists, suspends, reactivates and sets passwords', async () => {
    const userId = await newUser(world, home);
    const named = { userId, reason: 'test' };
    const suspended = await ask('UserService/SuspendUser', user.SuspendUserRequest, user.SuspendUserResponse, named, admin);
    expect(suspended.user?.status).toBe('suspended');
    const asked = { status: 'suspended', pageSize: 10 };
    const listed = await ask('UserService/ListUsers', user.ListUsersRequest, user.ListUsersResponse, asked, admin);
    expect(listed.users.map(({ id }) => id)).toContain(userId);
    const active = await ask('UserService/ReactivateUser', user.ReactivateUserRequest, user.ReactivateUserResponse, named, admin);
    expect(active.user?.status).toBe('active');
    const set = { userId, newPassword: 'a new long passphrase!' };
    expect((await ask('UserService/SetPassword', user.SetPasswordRequest, user.SetPasswordResponse, set, admin)).revision).toBeGreaterThan(
      0,
    );
  });
});

describe('TenantService', () => {
  it('creates, shows, lists, suspends and reactivates', async () => {
    const fields = { id: 'acme', displayName: 'Acme', namespaces: ['acme'] };
    const made = await ask('TenantService/CreateTenant', tenant.CreateTenantRequest, tenant.CreateTenantResponse, fields, admin);
    expect(made.tenant).toMatchObject({
      id: 'acme',
      displayName: 'Acme',
      namespaces: ['acme'],
      status: 'active',
      defaultKeyName: 'default',
    });
    const listed = await ask('TenantService/ListTenants', tenant.ListTenantsRequest, tenant.ListTenantsResponse, {}, admin);
    expect(listed.tenants.map(({ id }) => id)).toContain('acme');
    const named = { tenantId: 'acme' };
    const off = await ask('TenantService/SuspendTenant', tenant.SuspendTenantRequest, tenant.SuspendTenantResponse, named, admin);
    expect(off.tenant?.status).toBe('suspended');
    const on = await ask('TenantService/ReactivateTenant', tenant.ReactivateTenantRequest, tenant.ReactivateTenantResponse, named, admin);
    expect(on.tenant?.status).toBe('active');
  });

  it('shows anyone known the own tenant, and others to the installation only', async () => {
    const plain = callAs(userCaller(home.tenantId, await newUser(world, home)));
    expect((await getTenant({}, plain)).tenant?.id).toBe(home.tenantId);
    expect(await outcome(getTenant({ tenantId: elsewhere.tenantId }, plain))).toBe('PERMISSION_DENIED/TENANT_FORBIDDEN');
    expect((await getTenant({ tenantId: elsewhere.tenantId })).tenant?.id).toBe(elsewhere.tenantId);
  });
});

describe('WorkloadService', () => {
  it('registers, shows, lists and deletes, with the SPIFFE ID of the trust domain', async () => {
    const namespace = `${home.tenantId}-ns`;
    const entry = { namespace, name: 'billing', calls: ['ValidateToken'], certificateTtl: { seconds: 600 } };
    const put = await ask(
      'WorkloadService/PutWorkload',
      workload.PutWorkloadRequest,
      workload.PutWorkloadResponse,
      { workload: entry },
      admin,
    );
    expect(put.workload).toMatchObject({
      tenantId: home.tenantId,
      spiffeId: `spiffe://test.internal/ns/${namespace}/sa/billing`,
      certificateTtl: { seconds: 600, nanos: 0 },
    });
    const named = { namespace, name: 'billing' };
    const got = await ask('WorkloadService/GetWorkload', workload.GetWorkloadRequest, workload.GetWorkloadResponse, named, admin);
    expect(got.workload).toEqual(put.workload);
    const listed = await ask(
      'WorkloadService/ListWorkloads',
      workload.ListWorkloadsRequest,
      workload.ListWorkloadsResponse,
      { namespace },
      admin,
    );
    expect(listed.workloads).toEqual([put.workload]);
    const gone = await ask('WorkloadService/DeleteWorkload', workload.DeleteWorkloadRequest, workload.DeleteWorkloadResponse, named, admin);
    expect(gone.revision).toBeGreaterThan(0);
    expect(await outcome(ask('WorkloadService/PutWorkload', workload.PutWorkloadRequest, workload.PutWorkloadResponse, {}, admin))).toBe(
      'INVALID_ARGUMENT/REQUEST_INVALID',
    );
  });
});

describe('ApiKeyService', () => {
  it('shows the secret once, and says so the second time', async () => {
    const fields = { name: 'ci', permissions: ['users:read'], ttl: { seconds: 3600 }, idempotencyKey: 'k' };
    const first = await createKey(fields);
    expect(first.secret).toMatch(/^shk_/);
    expect(first.warnings).toEqual([]);
    expect((first.apiKey?.expiresAt?.seconds ?? 0) - (first.apiKey?.createdAt?.seconds ?? 0)).toBe(3600);
    const again = await createKey(fields);
    expect(again).toMatchObject({
      secret: '',
      warnings: [{ code: 'ALREADY_CREATED' }],
      apiKey: { id: first.apiKey?.id, prefix: first.apiKey?.prefix },
    });
    expect(first.secret.startsWith(first.apiKey?.prefix ?? '?')).toBe(true);
  });

  it('creates only in the own tenant, since a key belongs to its creator', async () => {
    expect(await outcome(createKey({ tenantId: elsewhere.tenantId, name: 'x' }))).toBe('PERMISSION_DENIED/TENANT_FORBIDDEN');
  });

  it('lists, shows and revokes, and says from when it holds', async () => {
    const { apiKey: made } = await createKey({ name: 'short' });
    const id = made?.id ?? '';
    const got = await ask('ApiKeyService/GetApiKey', apiKey.GetApiKeyRequest, apiKey.GetApiKeyResponse, { apiKeyId: id }, admin);
    expect(got.apiKey).toMatchObject({ id, status: 'active', createdBy: admin.caller.kind === 'user' ? admin.caller.userId : '' });
    expect(got.apiKey?.expiresAt).toBeUndefined();
    const gone = await revokeKey({ apiKeyId: id, reason: 'leaked' });
    expect(gone.apiKey?.status).toBe('revoked');
    expect(gone.effectiveBy?.seconds).toBeGreaterThan(0);
    const asked = { status: 'revoked' };
    const listed = await ask('ApiKeyService/ListApiKeys', apiKey.ListApiKeysRequest, apiKey.ListApiKeysResponse, asked, admin);
    expect(listed.apiKeys.map((key) => key.id)).toContain(id);
  });

  it('lets nobody but the installation revoke in another tenant', async () => {
    const { apiKey: made } = await createKey({ name: 'theirs' }, callAs(elsewhere.admin));
    const keeper = callAs(userCaller(home.tenantId, await newUser(world, home, { roles: ['admin'] })));
    const named = { tenantId: elsewhere.tenantId, apiKeyId: made?.id };
    expect(await outcome(revokeKey(named, keeper))).toBe('PERMISSION_DENIED/TENANT_FORBIDDEN');
    expect(await outcome(revokeKey(named))).toBe('OK');
  });
});

describe('text that no table can hold', () => {
  const NUL = 'a\u0000b';
  const cases: readonly [string, () => Promise<unknown>][] = [
    ['a user id', () => getUser({ userId: NUL })],
    ['the id of a key', () => revokeKey({ apiKeyId: NUL })],
    ['an idempotency key', () => createKey({ name: 'x', idempotencyKey: NUL })],
    [
      'a login name',
      () => {
        const fields = { tenantId: home.tenantId, username: NUL, password: PASSWORD };
        return ask('AuthenticationService/Login', authentication.LoginRequest, authentication.LoginResponse, fields, from('10.0.0.9'));
      },
    ],
  ];
  it.each(cases)('is refused in %s', async (_, work) => {
    expect(await outcome(work())).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });
});

it('every row that changes something writes its event with it, and none but login and logout is open to anyone', () => {
  const rows = world.services.flatMap(({ methods }) =>
    methods.map(({ method, row }) => ({ name: method.path.split('/')[2] ?? '', row: row as AnyRow })),
  );
  const reads = /^(Get|List)/;
  expect(rows.filter(({ name, row }) => !reads.test(name) && row.audit !== 'in-transaction').map(({ name }) => name)).toEqual([]);
  expect(rows.filter(({ row }) => row.access === 'anonymous').map(({ name }) => name)).toEqual(['Login', 'Logout']);
});
