// Workloads on a real Postgres: registered in namespaces the tenant owns, with no more than the caller may give.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '../../../src/base/caller.ts';
import { isPromise } from '../../../src/base/maybe.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import type { NewWorkload } from '../../../src/identity/identity.ts';
import { createWorld, newTenancy, newUser, type Tenancy, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let other: World;
let home: Tenancy;
let elsewhere: Tenancy;
let namespace: string;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  other = await createWorld(database, {}, world);
  home = await newTenancy(world);
  elsewhere = await newTenancy(world);
  namespace = `${home.tenantId}-ns`;
});
afterAll(async () => {
  await Promise.all([world.close(), other.close()]);
  await database.close();
});

const entry = (over: Partial<NewWorkload> = {}): NewWorkload => ({
  tenantId: home.tenantId,
  namespace,
  name: 'billing',
  audiences: ['billing'],
  anyAudience: false,
  tenants: [],
  resourceTypes: ['invoices'],
  calls: ['ValidateToken'],
  permissions: ['authz:check'],
  keyNames: ['default'],
  dnsNames: ['billing.internal', '*.billing.internal'],
  certificateTtlSeconds: 3600,
  asserts: ['department'],
  owner: 'team money',
  ...over,
});
const put = (over: Partial<NewWorkload> = {}, caller = home.admin) => world.identity.putWorkload(entry(over), callAs(caller));

describe('registering a workload', () => {
  it('stores the whole entry and replaces it the next time', async () => {
    await put();
    expect(await world.identity.getWorkload(home.tenantId, namespace, 'billing')).toMatchObject(entry());
    await put({ audiences: [], calls: ['CheckPermission'], owner: '' });
    expect(await world.identity.getWorkload(home.tenantId, namespace, 'billing')).toMatchObject(
      entry({ audiences: [], calls: ['CheckPermission'], owner: '' }),
    );
  });

  it('is refused in a namespace of somebody else and in one nobody has, alike', async () => {
    expect(await outcome(put({ namespace: `${elsewhere.tenantId}-ns` }))).toBe('FAILED_PRECONDITION/NAMESPACE_FORBIDDEN');
    expect(await outcome(put({ namespace: 'nobodys' }))).toBe('FAILED_PRECONDITION/NAMESPACE_FORBIDDEN');
  });

  const bad = [
    { over: { calls: ['ValidateToken', 'NoSuchCall'] }, field: 'workload.calls[1]' },
    { over: { permissions: ['authz:check', 'everything'] }, field: 'workload.permissions[1]' },
    { over: { name: 'Billing' }, field: 'workload.name' },
    { over: { name: 'a/b' }, field: 'workload.name' },
    { over: { dnsNames: ['-bad.internal'] }, field: 'workload.dns_names[0]' },
    { over: { dnsNames: ['payments'] }, field: 'workload.dns_names[0]' },
    { over: { dnsNames: ['ok.internal', '*.internal'] }, field: 'workload.dns_names[1]' },
    { over: { tenants: ['No'] }, field: 'workload.tenants[0]' },
    { over: { resourceTypes: ['*'] }, field: 'workload.resource_types[0]' },
    { over: { audiences: [''] }, field: 'workload.audiences[0]' },
  ];
  it.each(bad)('names $field when it is wrong', async ({ over, field }) => {
    await expect(put(over)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
  });

  it('gives no permission and no tenant that the caller does not have', async () => {
    const clerk = await newUser(world, home, { roles: ['admin'] });
    const caller = userCaller(home.tenantId, clerk);
    expect(await outcome(put({ name: 'escalate', permissions: ['installation:tenants'] }, caller))).toBe(
      'PERMISSION_DENIED/PERMISSION_MISSING',
    );
    expect(await outcome(put({ name: 'escalate', tenants: [elsewhere.tenantId] }, caller))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(put({ name: 'escalate', tenants: [elsewhere.tenantId] }))).toBe('OK');
  });

  it('lets somebody weaker keep what the entry had already', async () => {
    const clerk = await newUser(world, home, { roles: ['admin'] });
    await put({ name: 'kept', permissions: ['installation:tenants'] });
    expect(
      await outcome(put({ name: 'kept', permissions: ['installation:tenants'], owner: 'new' }, userCaller(home.tenantId, clerk))),
    ).toBe('OK');
  });
});

describe('a workload that registers workloads', () => {
  const gitops = (over: Partial<NewWorkload> = {}): Caller => ({
    kind: 'workload',
    tenantId: home.tenantId,
    namespace,
    name: 'gitops',
    spiffeId: 'spiffe://test.internal/gitops',
    entry: entry({ name: 'gitops', permissions: ['workloads:write', 'authz:check'], calls: ['PutWorkload', 'ValidateToken'], ...over }),
  });

  it('gives what its own entry lists, and keeps what stood there', async () => {
    expect(await outcome(put({ name: 'by-gitops' }, gitops()))).toBe('OK');
    await put({ name: 'had-more', keyNames: ['payroll'], calls: ['CheckPermission'], asserts: ['clearance'], anyAudience: true });
    const same = { name: 'had-more', keyNames: ['payroll'], calls: ['CheckPermission'], asserts: ['clearance'], anyAudience: true };
    expect(await outcome(put({ ...same, owner: 'gitops' }, gitops()))).toBe('OK');
  });

  it.each<[string, Partial<NewWorkload>]>([
    ['key', { keyNames: ['payroll'] }],
    ['call', { calls: ['CheckPermission'] }],
    ['audience', { audiences: ['orders'] }],
    ['audience at all', { anyAudience: true }],
    ['audience to exchange for', { exchangeAudiences: ['orders'] }],
    ['resource type', { resourceTypes: ['payrolls'] }],
    ['word', { asserts: ['clearance'] }],
  ])('gives no other %s, to others or itself', async (_what, over) => {
    expect(await outcome(put({ name: 'other', ...over }, gitops()))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await outcome(put({ name: 'gitops', permissions: [], ...over }, gitops()))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await outcome(put({ name: 'other', ...over }, gitops({ ...over, permissions: ['authz:check'] })))).toBe('OK');
    expect(await outcome(put({ name: 'another', ...over }, gitops({ permissions: ['*:*'] })))).toBe('OK');
  });
});

describe('looking a workload up', () => {
  it('answers at once the second time, on every replica, until it changes', async () => {
    await put({ name: 'warm' });
    // The news of the entry itself may still come, and makes it forget.
    const warm = async (): Promise<boolean> => {
      await other.identity.workload(namespace, 'warm');
      return !isPromise(other.identity.workload(namespace, 'warm'));
    };
    await waitFor(warm, 2500, 'an answer at once');
    expect(other.identity.workload(namespace, 'warm')).toMatchObject({ tenantId: home.tenantId, calls: ['ValidateToken'] });
    await put({ name: 'warm', calls: [] });
    await waitFor(async () => (await other.identity.workload(namespace, 'warm'))?.calls.length === 0, 2500, 'the news');
    await world.identity.deleteWorkload({ tenantId: home.tenantId, namespace, name: 'warm' }, callAs(home.admin));
    await waitFor(async () => (await other.identity.workload(namespace, 'warm')) === null, 2500, 'the deletion');
  });

  it('works for the longest names', async () => {
    const name = `a${'b'.repeat(252)}`;
    await other.identity.workload(namespace, name);
    await put({ name });
    await waitFor(async () => (await other.identity.workload(namespace, name)) !== null, 2500, 'the news');
  });

  it('finds nothing in a namespace nobody has', async () => {
    expect(await world.identity.workload('nobodys', 'billing')).toBeNull();
  });

  it('reads one of another tenant as unknown', async () => {
    await put({ name: 'walled' });
    expect(await outcome(world.identity.getWorkload(elsewhere.tenantId, namespace, 'walled'))).toBe('NOT_FOUND/WORKLOAD_NOT_FOUND');
    expect(
      await outcome(world.identity.deleteWorkload({ tenantId: elsewhere.tenantId, namespace, name: 'walled' }, callAs(elsewhere.admin))),
    ).toBe('NOT_FOUND/WORKLOAD_NOT_FOUND');
  });
});

it('lists workloads by namespace and name, complete, page by page', async () => {
  const tenancy = await newTenancy(world);
  const wanted = ['a', 'b', 'c', 'd', 'e'].map((name) => `svc-${name}`);
  for (const name of wanted) await put({ tenantId: tenancy.tenantId, namespace: `${tenancy.tenantId}-ns`, name }, tenancy.admin);
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await world.identity.listWorkloads({ tenantId: tenancy.tenantId, namespace: '', pageSize: 2, pageToken });
    seen.push(...page.items.map((workload) => workload.name));
    pageToken = page.next;
  } while (pageToken !== '');
  expect(seen).toEqual(wanted);
});
