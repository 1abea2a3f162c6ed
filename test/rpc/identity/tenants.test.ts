// Tenants on a real Postgres: who owns which namespace, what a suspension does, what the caches know.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { createWorld, from, logInAs, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let other: World;
let home: Tenancy;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  other = await createWorld(database, {}, world);
  home = await newTenancy(world);
});
afterAll(async () => {
  await Promise.all([world.close(), other.close()]);
  await database.close();
});

const blank = { displayName: '', namespaces: [] as readonly string[], defaultKeyName: '', idempotencyKey: '' };
const create = (tenantId: string, over: Partial<typeof blank> = {}) =>
  world.identity.createTenant({ ...blank, ...over, tenantId }, callAs(home.admin));

describe('creating a tenant', () => {
  it('gives it its namespaces and defaults', async () => {
    const { tenant, revision } = await create('acme', { namespaces: ['acme-b', 'acme-a', 'acme-a'] });
    expect(tenant).toMatchObject({
      tenantId: 'acme',
      displayName: 'acme',
      status: 'active',
      namespaces: ['acme-a', 'acme-b'],
      defaultKeyName: 'default',
    });
    expect(revision).toBeGreaterThan(0);
    expect(world.entries.at(-1)).toMatchObject({ type: 'tenant.created', tenantId: 'acme', resource: 'tenant:acme' });
  });

  it.each([['-a'], ['a-'], ['A'], ['a_b'], [''], ['x'.repeat(64)], ['installation']])('refuses the id %j', async (id) => {
    await expect(create(id)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'id' }] });
  });

  it('refuses an id that is there', async () => {
    await create('twice');
    expect(await outcome(create('twice'))).toBe('ALREADY_EXISTS/TENANT_EXISTS');
  });

  it('refuses the namespace of another tenant and leaves nothing behind', async () => {
    await create('first', { namespaces: ['shared-ns'] });
    expect(await outcome(create('second', { namespaces: ['own-ns', 'shared-ns'] }))).toBe('ALREADY_EXISTS/NAMESPACE_TAKEN');
    expect(await outcome(world.identity.getTenant('second'))).toBe('NOT_FOUND/TENANT_NOT_FOUND');
    expect(await world.identity.namespaceOwner('own-ns')).toBeNull();
  });

  it('lets exactly one of many that want the same namespace have it', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) => outcome(create(`racer-${index}`, { namespaces: ['raced-ns'] }))),
    );
    expect(outcomes.filter((one) => one === 'OK')).toHaveLength(1);
    expect(outcomes.filter((one) => one === 'ALREADY_EXISTS/NAMESPACE_TAKEN')).toHaveLength(7);
  });

  it('answers the same tenant to the same idempotency key, and refuses another request under it', async () => {
    const first = await create('keyed', { idempotencyKey: 'k1' });
    const again = await create('keyed', { idempotencyKey: 'k1' });
    expect(again.tenant).toEqual(first.tenant);
    expect(await outcome(create('keyed', { idempotencyKey: 'k1', displayName: 'Other' }))).toBe(
      'FAILED_PRECONDITION/IDEMPOTENCY_KEY_REUSED',
    );
  });
});

describe('looking a tenant up', () => {
  it('answers at once the second time', async () => {
    await create('warm', { namespaces: ['warm-ns'] });
    await world.identity.tenant('warm');
    await world.identity.namespaceOwner('warm-ns');
    expect(world.identity.tenant('warm')).toMatchObject({ status: 'active', namespaces: ['warm-ns'], defaultKeyName: 'default' });
    expect(world.identity.namespaceOwner('warm-ns')).toBe('warm');
  });

  it('forgets that there was none when it is created, on every replica', async () => {
    expect(await other.identity.tenant('later')).toBeNull();
    expect(await other.identity.namespaceOwner('later-ns')).toBeNull();
    await create('later', { namespaces: ['later-ns'] });
    await waitFor(async () => (await other.identity.namespaceOwner('later-ns')) === 'later', 2500, 'the news');
    expect(await other.identity.tenant('later')).toMatchObject({ status: 'active' });
  });
});

describe('listing tenants', () => {
  it('is complete and without repetition, page by page', async () => {
    for (let index = 0; index < 7; index += 1) await create(`page-${index}`);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await world.identity.listTenants({ status: '', pageSize: 3, pageToken });
      expect(page.items.length).toBeLessThanOrEqual(3);
      seen.push(...page.items.map((tenant) => tenant.tenantId));
      pageToken = page.next;
    } while (pageToken !== '');
    const rows = await database.sql<{ tenant_id: string }>('SELECT tenant_id FROM tenants');
    expect(seen.toSorted()).toEqual(rows.map((row) => row.tenant_id).toSorted());
  });

  it('refuses the token of another list', async () => {
    const { next } = await world.identity.listTenants({ status: '', pageSize: 1, pageToken: '' });
    expect(await outcome(() => world.identity.listTenants({ status: 'active', pageSize: 1, pageToken: next }))).toBe(
      'INVALID_ARGUMENT/PAGE_TOKEN_INVALID',
    );
  });

  it('refuses a status there is not', async () => {
    expect(await outcome(() => world.identity.listTenants({ status: 'gone', pageSize: 1, pageToken: '' }))).toBe(
      'INVALID_ARGUMENT/REQUEST_INVALID',
    );
  });
});

describe('a suspended tenant', () => {
  it('logs nobody in, its tokens are refused on every replica, and all is well again when it is lifted', async () => {
    const tenancy = await newTenancy(world);
    await newUser(world, tenancy, { username: 'tim' });
    const logIn = () => world.identity.login(logInAs(tenancy.tenantId, 'tim', PASSWORD), from('10.0.0.1'));
    const tokens = await logIn();
    const verified = other.tokens.verify(tokens.accessToken, Date.now());
    const { claims } = verified;
    if (claims === null) throw new Error('the token did not verify');
    const change = (status: 'active' | 'suspended') =>
      world.identity.changeTenantStatus({ tenantId: tenancy.tenantId, status, reason: 'unpaid' }, callAs(home.admin));
    await change('suspended');
    await waitFor(() => other.tokens.revoked(claims) !== null, 2500, 'the revocation');
    await waitFor(async () => (await other.identity.tenant(tenancy.tenantId))?.status === 'suspended', 2500, 'the news');
    expect(await outcome(logIn())).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
    await change('active');
    expect(await outcome(logIn())).toBe('OK');
  });

  it('is suspended once: again changes nothing', async () => {
    const tenancy = await newTenancy(world);
    const suspend = () =>
      world.identity.changeTenantStatus({ tenantId: tenancy.tenantId, status: 'suspended', reason: '' }, callAs(home.admin));
    const first = await suspend();
    const events = world.entries.length;
    const again = await suspend();
    expect(again.tenant).toEqual(first.tenant);
    expect(world.entries.length).toBe(events);
  });

  it('is not suspended from within, and an unknown one not at all', async () => {
    const suspend = (tenantId: string) =>
      world.identity.changeTenantStatus({ tenantId, status: 'suspended', reason: '' }, callAs(home.admin));
    expect(await outcome(suspend(home.tenantId))).toBe('FAILED_PRECONDITION/OWN_TENANT');
    expect(await outcome(suspend('no-such'))).toBe('NOT_FOUND/TENANT_NOT_FOUND');
  });
});
