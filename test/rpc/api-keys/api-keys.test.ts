// API keys on a real Postgres: shown once, refused before any I/O when made up, revoked on every replica.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AskedKey } from '../../../src/api-keys/create.ts';
import type { VerifiedApiKey } from '../../../src/api-keys/api-keys.ts';
import { hashSecret, makeSecret } from '../../../src/api-keys/secret.ts';
import type { Call } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { createWorld, newTenancy, newUser, type Tenancy, type World } from '../identity/world.ts';

let database: FreshDatabase;
let world: World;
let other: World;
let home: Tenancy;
let elsewhere: Tenancy;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  other = await createWorld(database, {}, world);
  home = await newTenancy(world);
  elsewhere = await newTenancy(world);
});
afterAll(async () => {
  await Promise.all([world.close(), other.close()]);
  await database.close();
});

const BLANK = { name: 'key', description: '', permissions: [], scopes: [], ttl: null, expiresAt: null, metadata: {}, idempotencyKey: '' };
const create = (over: Partial<AskedKey> = {}, caller: Caller = home.admin, now = Date.now()) =>
  world.apiKeys.create({ ...BLANK, tenantId: home.tenantId, ...over }, callAs(caller, { now }));
const made = async (over: Partial<AskedKey> = {}, caller: Caller = home.admin): Promise<{ secret: string; keyId: string }> => {
  const { secret, key } = await create(over, caller);
  if (secret === null) throw new Error('no secret');
  return { secret, keyId: key.keyId };
};
const reasonOf = (answer: VerifiedApiKey): string => (answer.ok ? 'ok' : answer.reason);
const verify = async (secret: string, where = world, now = Date.now()): Promise<string> =>
  reasonOf(await where.apiKeys.verify(secret, now));
const revoke = (keyId: string, caller: Caller = home.admin, tenantId = home.tenantId) =>
  world.apiKeys.revoke({ tenantId, keyId, reason: 'leaked' }, callAs(caller));

describe('creating an API key', () => {
  it('shows the secret once and keeps only a keyed hash', async () => {
    const { secret, keyId } = await made({ permissions: ['users:read'], metadata: { ticket: 7 } });
    expect(secret).toMatch(new RegExp(`^shk_${home.tenantId}_[0-9A-Za-z]{22}_[0-9A-Za-z]{28}_[0-9a-f]{24}$`));
    const [row] = await database.sql<{ secret_hash: Buffer }>('SELECT * FROM api_keys WHERE key_id = $1', [keyId]);
    const random = secret.split('_')[3] ?? '';
    expect(JSON.stringify(row)).not.toContain(random);
    expect(JSON.stringify(world.entries)).not.toContain(random);
    expect(row?.secret_hash).toHaveLength(32);
    expect(await world.apiKeys.get(home.tenantId, keyId, callAs(home.admin))).toMatchObject({
      permissions: ['users:read'],
      metadata: { ticket: 7 },
    });
  });

  it('gives it nothing that the creator does not hold', async () => {
    const clerk = userCaller(home.tenantId, await newUser(world, home, { roles: ['developer'] }));
    expect(await outcome(create({ permissions: ['config:write'] }, clerk))).toBe('OK');
    expect(await outcome(create({ permissions: ['config:write', 'users:write'] }, clerk))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(create({ permissions: ['config:*', '*:*'] }, clerk))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(create({ permissions: ['installation:tenants'] }, clerk))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('is capped by the scopes of the token that asks', async () => {
    const scoped = { ...home.admin, scopes: ['config:read'] } as Caller;
    expect(await outcome(create({ permissions: ['config:read'], scopes: ['config:read'] }, scoped))).toBe('OK');
    expect(await outcome(create({ permissions: ['config:read'] }, scoped))).toBe('PERMISSION_DENIED/SCOPE_MISSING');
    expect(await outcome(create({ scopes: ['config:read', 'more'] }, scoped))).toBe('PERMISSION_DENIED/SCOPE_MISSING');
    expect(await outcome(create({ permissions: ['config:write'], scopes: ['config:read'] }, scoped))).toBe(
      'PERMISSION_DENIED/PERMISSION_MISSING',
    );
  });

  it('belongs to the owner of the key that creates it, and to no workload', async () => {
    const ownerId = await newUser(world, home, { roles: ['admin'] });
    const viaKey: Caller = {
      kind: 'api_key',
      tenantId: home.tenantId,
      keyId: 'key_x',
      ownerId,
      permissions: ['api_keys:*', 'config:read'],
      scopes: [],
    };
    expect((await create({ permissions: ['config:read'] }, viaKey)).key.ownerId).toBe(ownerId);
    expect(await outcome(create({ permissions: ['config:write'] }, viaKey))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    const workload: Caller = { kind: 'workload', tenantId: home.tenantId, spiffeId: '', namespace: 'n', name: 'w', entry: null };
    expect(await outcome(create({}, workload))).toBe('FAILED_PRECONDITION/OWNER_REQUIRED');
  });

  const bad = [
    { over: { permissions: ['users:read', 'everything'] }, field: 'permissions[1]', reason: 'REQUEST_INVALID' },
    { over: { permissions: ['installation:*'] }, field: 'permissions[0]', reason: 'REQUEST_INVALID' },
    { over: { scopes: ['a b'] }, field: 'scopes[0]', reason: 'REQUEST_INVALID' },
    { over: { ttl: 1000, expiresAt: Date.now() + 99_999 }, field: 'ttl', reason: 'EXPIRY_INVALID' },
    { over: { expiresAt: Date.now() - 1000 }, field: 'expires_at', reason: 'EXPIRY_INVALID' },
    { over: { expiresAt: 8.6e15 + 1 }, field: 'expires_at', reason: 'EXPIRY_INVALID' },
    { over: { metadata: { a: '\u0000' } }, field: 'metadata', reason: 'REQUEST_INVALID' },
    { over: { name: 'a\u0000' }, field: 'name', reason: 'REQUEST_INVALID' },
  ];
  it.each(bad)('names $field when it is wrong', async ({ over, field, reason }) => {
    await expect(create(over)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason, violations: [{ field }] });
  });

  it('is bounded where the installation says so, and then never without an end', async () => {
    const bounded = await createWorld(database, { maxLife: 60_000 }, world);
    const ask = (over: Partial<AskedKey>) => bounded.apiKeys.create({ ...BLANK, tenantId: home.tenantId, ...over }, callAs(home.admin));
    const { key } = await ask({});
    expect((key.expiresAt ?? 0) - key.createdAt).toBe(60_000);
    expect(await outcome(ask({ ttl: 61_000 }))).toBe('INVALID_ARGUMENT/EXPIRY_INVALID');
    await bounded.close();
  });

  it('answers a repetition with the same key without its secret', async () => {
    const asked = { name: 'once', permissions: ['users:read'], idempotencyKey: 'k-1' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => create(asked)));
    expect(new Set(answers.map(({ key }) => key.keyId)).size).toBe(1);
    expect(answers.filter(({ secret }) => secret !== null)).toHaveLength(1);
    expect(await outcome(create({ ...asked, name: 'other' }))).toBe('FAILED_PRECONDITION/IDEMPOTENCY_KEY_REUSED');
  });
});

describe('verifying an API key', () => {
  it('answers at once the second time', async () => {
    const { secret, keyId } = await made({ permissions: ['users:read'] });
    await verify(secret);
    expect(world.apiKeys.verify(secret, Date.now())).toMatchObject({ ok: true, key: { keyId } });
  });

  it('refuses what is made up without any I/O', async () => {
    const { secret } = await made();
    const foreign = makeSecret({ tag: Buffer.alloc(32), hash: Buffer.alloc(32) }, home.tenantId, systemRandom).text;
    const flipped = `${secret.slice(0, 40)}${secret[40] === 'a' ? 'b' : 'a'}${secret.slice(41)}`;
    // At once: it never left the process.
    for (const wrong of ['', 'shk_', 'Bearer x', foreign, flipped, `${secret}0`, secret.toLowerCase(), 'shk_'.padEnd(5000, 'a')])
      expect(world.apiKeys.verify(wrong, Date.now())).toEqual({ ok: false, reason: 'TOKEN_MALFORMED' });
  });

  it('refuses a rightly tagged secret that is not the stored one', async () => {
    const keys = { tag: world.platform.sealer.derive('api-key-tag'), hash: world.platform.sealer.derive('api-key-hash') };
    const { keyId, text } = makeSecret(keys, home.tenantId, systemRandom);
    expect(await verify(text)).toBe('TOKEN_REVOKED');
    await database.sql(
      `INSERT INTO api_keys (tenant_id, key_id, name, description, prefix, secret_hash, owner_id, permissions, scopes, metadata, created_by)
       VALUES ($1, $2, '', '', '', $3, 'usr_x', '{}', '{}', '{}', '')`,
      [home.tenantId, keyId, hashSecret(keys, 'another')],
    );
    expect(await verify(text, other)).toBe('TOKEN_MALFORMED');
  });

  it('ends with its time, to the millisecond', async () => {
    const now = Date.now();
    const { secret, key } = await create({ ttl: 5000 }, home.admin, now);
    expect(key.expiresAt).toBe(now + 5000);
    expect(await verify(secret ?? '', world, now + 4999)).toBe('ok');
    expect(await verify(secret ?? '', world, now + 5000)).toBe('TOKEN_EXPIRED');
  });

  it('ends with its owner, and comes back with him', async () => {
    const userId = await newUser(world, home, { roles: ['developer'] });
    const { secret } = await made({}, userCaller(home.tenantId, userId));
    expect(await verify(secret, other)).toBe('ok');
    const change = (status: 'active' | 'suspended') =>
      world.identity.changeUserStatus({ tenantId: home.tenantId, userId, status, reason: '' }, callAs(home.admin));
    await change('suspended');
    await waitFor(async () => (await verify(secret, other)) === 'SUBJECT_SUSPENDED', 2500, 'the news');
    await change('active');
    await waitFor(async () => (await verify(secret, other)) === 'ok', 2500, 'the news');
  });

  it('ends with its tenant', async () => {
    const tenancy = await newTenancy(world);
    const { secret } = await made({ tenantId: tenancy.tenantId }, tenancy.admin);
    expect(await verify(secret, other)).toBe('ok');
    await world.identity.changeTenantStatus({ tenantId: tenancy.tenantId, status: 'suspended', reason: '' }, callAs(home.admin));
    await waitFor(async () => (await verify(secret, other)) === 'TENANT_SUSPENDED', 2500, 'the news');
  });

  it('notes when it was last used, coarsely and later', async () => {
    const { secret, keyId } = await made();
    const now = Date.now() + 1000;
    await verify(secret, world, now);
    expect((await world.apiKeys.get(home.tenantId, keyId, callAs(home.admin))).lastUsedAt).toBeNull();
    await world.apiKeys.flushUses();
    expect((await world.apiKeys.get(home.tenantId, keyId, callAs(home.admin))).lastUsedAt).toBe(now);
    await verify(secret, world, now - 500);
    await world.apiKeys.flushUses();
    expect((await world.apiKeys.get(home.tenantId, keyId, callAs(home.admin))).lastUsedAt).toBe(now);
  });
});

describe('revoking an API key', () => {
  it('refuses it here at once and on every replica within two seconds', async () => {
    const { secret, keyId } = await made();
    expect([await verify(secret), await verify(secret, other)]).toEqual(['ok', 'ok']);
    const { key, effectiveBy } = await revoke(keyId);
    expect(key.revokedAt).not.toBeNull();
    expect(await verify(secret)).toBe('TOKEN_REVOKED');
    await waitFor(async () => (await verify(secret, other)) === 'TOKEN_REVOKED', 2500, 'the revocation');
    expect(effectiveBy).toBeLessThanOrEqual(Date.now() + 2000);
  });

  it('is for ever and may be repeated', async () => {
    const { keyId } = await made();
    const first = await revoke(keyId);
    const events = world.entries.length;
    expect((await revoke(keyId)).key.revokedAt).toBe(first.key.revokedAt);
    expect(world.entries.length).toBe(events);
  });

  it('is for its owner, for itself and for those who manage keys; to all others it does not exist', async () => {
    const owner = userCaller(home.tenantId, await newUser(world, home, { roles: ['developer'] }));
    const plain = userCaller(home.tenantId, await newUser(world, home));
    const one = await made({}, owner);
    const two = await made({}, owner);
    expect(await outcome(revoke(one.keyId, plain))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(revoke('key_none', plain))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(revoke('key_none'))).toBe('NOT_FOUND/API_KEY_NOT_FOUND');
    expect(await outcome(revoke(one.keyId, owner))).toBe('OK');
    const itself: Caller = { kind: 'api_key', tenantId: home.tenantId, keyId: two.keyId, ownerId: 'usr_x', permissions: [], scopes: [] };
    expect(await outcome(revoke(two.keyId, itself))).toBe('OK');
  });

  it('reads a key of another tenant as unknown', async () => {
    const { keyId, secret } = await made();
    expect(await outcome(revoke(keyId, elsewhere.admin, elsewhere.tenantId))).toBe('NOT_FOUND/API_KEY_NOT_FOUND');
    expect(await outcome(world.apiKeys.get(elsewhere.tenantId, keyId, callAs(elsewhere.admin)))).toBe('NOT_FOUND/API_KEY_NOT_FOUND');
    expect(await verify(secret)).toBe('ok');
  });
});

describe('listing API keys', () => {
  it('is complete page by page, by status and by owner', async () => {
    const tenancy = await newTenancy(world);
    const call: Call = callAs(tenancy.admin);
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.push((await made({ tenantId: tenancy.tenantId }, tenancy.admin)).keyId);
    await revoke(ids[0] ?? '', tenancy.admin, tenancy.tenantId);
    await database.sql(`UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE key_id = $1`, [ids[1]]);
    const all = async (status: string, ownerId = ''): Promise<string[]> => {
      const seen: string[] = [];
      let pageToken = '';
      do {
        const page = await world.apiKeys.list({ tenantId: tenancy.tenantId, status, ownerId, pageSize: 2, pageToken });
        seen.push(...page.items.map((key) => key.keyId));
        pageToken = page.next;
      } while (pageToken !== '');
      return seen.toSorted();
    };
    expect(await all('')).toEqual(ids.toSorted());
    expect(await all('revoked')).toEqual([ids[0]]);
    expect(await all('expired')).toEqual([ids[1]]);
    expect(await all('active')).toEqual(ids.slice(2).toSorted());
    expect(await all('', call.caller.kind === 'user' ? call.caller.userId : '')).toHaveLength(5);
    expect(await all('', 'usr_nobody')).toEqual([]);
  });
});
