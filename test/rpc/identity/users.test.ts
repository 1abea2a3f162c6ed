// Users on a real Postgres: names that never mean two, rights nobody takes over, sessions that end.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '../../../src/base/call.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { createWorld, from, logInAs, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let other: World;
let home: Tenancy;
let elsewhere: Tenancy;
let admin: Call;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  other = await createWorld(database, {}, world);
  home = await newTenancy(world);
  elsewhere = await newTenancy(world);
  admin = callAs(home.admin);
});
afterAll(async () => {
  await Promise.all([world.close(), other.close()]);
  await database.close();
});

const login = (username: string, password = PASSWORD) => world.identity.login(logInAs(home.tenantId, username, password), from('10.0.0.1'));
const change = (userId: string, status: 'active' | 'suspended', call = admin, tenantId = home.tenantId) =>
  world.identity.changeUserStatus({ tenantId, userId, status, reason: 'test' }, call);
const as = (userId: string): Call => callAs(userCaller(home.tenantId, userId));

describe('creating a user', () => {
  it('stores what was given, with its roles', async () => {
    const userId = await newUser(world, home, {
      username: 'Ann',
      email: 'ann@example.com',
      firstName: 'Ann',
      metadata: { team: 'a', nested: { list: [1, true, null] } },
      roles: ['viewer', 'viewer'],
    });
    expect(await world.identity.getUser(home.tenantId, userId)).toMatchObject({
      username: 'Ann',
      email: 'ann@example.com',
      status: 'active',
      metadata: { team: 'a', nested: { list: [1, true, null] } },
      lastLoginAt: null,
    });
    expect((await world.identity.rolesOf(home.tenantId, [userId])).get(userId)).toEqual(['viewer']);
    expect(userId).toMatch(/^usr_[0-9A-Za-z]{22}$/);
  });

  const taken = [
    { what: 'the name in another case', user: { username: 'ANN' }, field: 'username' },
    { what: 'the name in another width', user: { username: 'ａｎｎ' }, field: 'username' },
    { what: 'the address in another case', user: { username: 'ann2', email: 'ANN@example.com' }, field: 'email' },
    { what: 'the address of another as its own name', user: { username: 'ann@example.com', email: 'ann@example.com' }, field: 'username' },
  ];
  it.each(taken)('refuses $what', async ({ user, field }) => {
    await expect(newUser(world, home, user)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      reason: 'USER_EXISTS',
      violations: [{ field }],
    });
  });

  it('lets the same name live in another tenant', async () => {
    expect(await outcome(newUser(world, elsewhere, { username: 'Ann' }, callAs(elsewhere.admin)))).toBe('OK');
  });

  it('lets exactly one of many with the same name in', async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcome(newUser(world, home, { username: 'raced' }))));
    expect(outcomes.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'ALREADY_EXISTS/USER_EXISTS'), 'OK']);
  });

  const bad = [
    { user: { username: 'a b' }, field: 'username', reason: 'REQUEST_INVALID' },
    { user: { username: 'short', password: 'short' }, field: 'password', reason: 'PASSWORD_TOO_WEAK' },
    {
      user: { username: 'same', email: 'same-same@example.com', password: 'Same-same@example.com' },
      field: 'password',
      reason: 'PASSWORD_TOO_WEAK',
    },
    { user: { username: 'mail', email: 'not mail' }, field: 'email', reason: 'REQUEST_INVALID' },
    { user: { username: 'meta', metadata: { text: 'a\u0000b' } }, field: 'metadata', reason: 'REQUEST_INVALID' },
    { user: { username: 'big', metadata: { text: 'x'.repeat(20_000) } }, field: 'metadata', reason: 'REQUEST_INVALID' },
    { user: { username: 'ctrl', firstName: 'a\u0007' }, field: 'first_name', reason: 'REQUEST_INVALID' },
  ];
  it.each(bad)('names $field when it is wrong', async ({ user, field, reason }) => {
    await expect(newUser(world, home, user)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason, violations: [{ field }] });
  });

  it('gives no role that holds more than its creator, and then creates nothing', async () => {
    const clerk = await newUser(world, home, { username: 'clerk', roles: ['manager'] });
    expect(await outcome(newUser(world, home, { username: 'boss', roles: ['owner'] }, as(clerk)))).toBe(
      'PERMISSION_DENIED/PERMISSION_MISSING',
    );
    const hr = await newUser(world, home, { username: 'hr', roles: ['admin'] });
    expect(await outcome(newUser(world, home, { username: 'boss', roles: ['owner'] }, as(hr)))).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await outcome(newUser(world, home, { username: 'boss', roles: ['no-such-role'] }))).toContain('ROLE_NOT_FOUND');
    expect(await outcome(newUser(world, home, { username: 'boss' }))).toBe('OK');
  });

  it('answers the same user to the same idempotency key, also when both calls come at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, () => newUser(world, home, { username: 'keyed', roles: ['viewer'], idempotencyKey: 'same' })),
    );
    expect(new Set(ids).size).toBe(1);
    expect(await outcome(newUser(world, home, { username: 'keyed2', idempotencyKey: 'same' }))).toBe(
      'FAILED_PRECONDITION/IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('remembers idempotency keys for each caller apart', async () => {
    const hr = await newUser(world, home, { roles: ['admin'] });
    const mine = await newUser(world, home, { username: 'mine', idempotencyKey: 'apart' });
    const theirs = await newUser(world, home, { username: 'theirs', idempotencyKey: 'apart' }, as(hr));
    expect(mine).not.toBe(theirs);
  });

  it('needs a tenant that exists', async () => {
    expect(await outcome(newUser(world, { ...home, tenantId: 'no-such' }))).toBe('NOT_FOUND/TENANT_NOT_FOUND');
  });
});

describe('looking at users', () => {
  it('reads a user of another tenant as unknown', async () => {
    const userId = await newUser(world, home);
    expect(await outcome(world.identity.getUser(elsewhere.tenantId, userId))).toBe('NOT_FOUND/USER_NOT_FOUND');
    expect(await world.identity.user(elsewhere.tenantId, userId)).toBeNull();
    expect(await outcome(change(userId, 'suspended', callAs(elsewhere.admin), elsewhere.tenantId))).toBe('NOT_FOUND/USER_NOT_FOUND');
  });

  it('lists all of a tenant and nobody else, page by page', async () => {
    for (let index = 0; index < 5; index += 1) await newUser(world, elsewhere, {}, callAs(elsewhere.admin));
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await world.identity.listUsers({ tenantId: elsewhere.tenantId, status: '', pageSize: 2, pageToken });
      seen.push(...page.items.map((user) => user.userId));
      pageToken = page.next;
    } while (pageToken !== '');
    const rows = await database.sql<{ user_id: string }>('SELECT user_id FROM users WHERE tenant_id = $1', [elsewhere.tenantId]);
    expect(seen.toSorted()).toEqual(rows.map((row) => row.user_id).toSorted());
  });

  it('does not take the page token of another tenant', async () => {
    const { next } = await world.identity.listUsers({ tenantId: home.tenantId, status: '', pageSize: 1, pageToken: '' });
    expect(await outcome(() => world.identity.listUsers({ tenantId: elsewhere.tenantId, status: '', pageSize: 1, pageToken: next }))).toBe(
      'INVALID_ARGUMENT/PAGE_TOKEN_INVALID',
    );
  });

  it('answers at once the second time, and what changed elsewhere is seen', async () => {
    const userId = await newUser(world, home);
    await other.identity.user(home.tenantId, userId);
    expect(other.identity.user(home.tenantId, userId)).toMatchObject({ status: 'active' });
    await change(userId, 'suspended');
    await waitFor(async () => (await other.identity.user(home.tenantId, userId))?.status === 'suspended', 2500, 'the news');
  });
});

describe('suspending a user', () => {
  it('ends its sessions on every replica, for good, and lets it log in again when it is lifted', async () => {
    const userId = await newUser(world, home, { username: 'sam' });
    const tokens = await login('sam');
    const { claims } = other.tokens.verify(tokens.accessToken, Date.now());
    if (claims === null) throw new Error('the token did not verify');
    await change(userId, 'suspended');
    await waitFor(() => other.tokens.revoked(claims) !== null, 2500, 'the revocation');
    expect(await outcome(world.tokens.refresh(tokens.refreshToken, null, from('10.0.0.1')))).not.toBe('OK');
    await change(userId, 'active');
    expect(other.tokens.revoked(claims)).not.toBeNull();
    expect(await outcome(world.tokens.refresh(tokens.refreshToken, null, from('10.0.0.1')))).not.toBe('OK');
    const fresh = await login('sam');
    const again = world.tokens.verify(fresh.accessToken, Date.now());
    expect(again.claims === null ? 'bad' : world.tokens.revoked(again.claims)).toBeNull();
  });

  it('is not for those who hold less than the user', async () => {
    const hr = await newUser(world, home, { roles: ['admin'] });
    const owner = await newUser(world, home, { roles: ['owner'] });
    expect(await outcome(change(owner, 'suspended', as(hr)))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(change(hr, 'suspended', as(owner)))).toBe('OK');
  });

  it('leaves the last owner, and whoever would suspend himself', async () => {
    const tenancy = await newTenancy(world);
    const call = callAs(tenancy.admin);
    const last = tenancy.admin.kind === 'user' ? tenancy.admin.userId : '';
    expect(await outcome(change(last, 'suspended', call, tenancy.tenantId))).toBe('FAILED_PRECONDITION/LAST_OWNER');
    await newUser(world, tenancy, { roles: ['owner'] });
    expect(await outcome(change(last, 'suspended', call, tenancy.tenantId))).toBe('FAILED_PRECONDITION/OWN_ACCOUNT');
  });

  it('leaves one of two owners who suspend each other at the same moment', async () => {
    const tenancy = await newTenancy(world);
    const first = tenancy.admin.kind === 'user' ? tenancy.admin.userId : '';
    const second = await newUser(world, tenancy, { roles: ['owner', 'operator'] });
    const outcomes = await Promise.all([
      outcome(change(second, 'suspended', callAs(userCaller(tenancy.tenantId, first)), tenancy.tenantId)),
      outcome(change(first, 'suspended', callAs(userCaller(tenancy.tenantId, second)), tenancy.tenantId)),
    ]);
    expect(outcomes.toSorted()).toEqual(['OK', 'PERMISSION_DENIED/SUBJECT_SUSPENDED']);
  });

  it('changes nothing the second time', async () => {
    const userId = await newUser(world, home);
    await change(userId, 'suspended');
    const before = world.entries.length;
    await change(userId, 'suspended');
    expect(world.entries.length).toBe(before);
  });
});

describe('setting a password', () => {
  const set = (userId: string, call: Call, newPassword: string, currentPassword = '') =>
    world.identity.setPassword({ tenantId: home.tenantId, userId, currentPassword, newPassword }, call);
  const NEXT = 'another fine passphrase!';

  it('takes the current one for the own account, and ends the sessions', async () => {
    const userId = await newUser(world, home, { username: 'pat' });
    const tokens = await login('pat');
    expect(await outcome(set(userId, as(userId), NEXT, 'wrong'))).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
    expect(await outcome(set(userId, as(userId), NEXT))).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
    expect(await outcome(set(userId, as(userId), NEXT, PASSWORD))).toBe('OK');
    expect(await outcome(login('pat'))).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
    expect(await outcome(login('pat', NEXT))).toBe('OK');
    const { claims } = world.tokens.verify(tokens.accessToken, Date.now());
    expect(claims === null ? 'bad' : world.tokens.revoked(claims)).not.toBeNull();
  });

  it('counts guesses of the current one like logins', async () => {
    const userId = await newUser(world, home);
    for (let attempt = 0; attempt < 5; attempt += 1) await outcome(set(userId, as(userId), NEXT, 'wrong'));
    expect(await outcome(set(userId, as(userId), NEXT, PASSWORD))).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
  });

  it('is an administrator’s right over those who hold no more than he does', async () => {
    const hr = await newUser(world, home, { roles: ['admin'] });
    const plain = await newUser(world, home, { username: 'reset' });
    const owner = await newUser(world, home, { roles: ['owner'] });
    expect(await outcome(set(plain, as(hr), NEXT))).toBe('OK');
    expect(await outcome(login('reset', NEXT))).toBe('OK');
    expect(await outcome(set(owner, as(hr), NEXT))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(set(hr, as(plain), NEXT))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('refuses a weak one', async () => {
    const userId = await newUser(world, home);
    await expect(set(userId, admin, 'weak')).rejects.toMatchObject({
      reason: 'PASSWORD_TOO_WEAK',
      violations: [{ field: 'new_password' }],
    });
  });
});
