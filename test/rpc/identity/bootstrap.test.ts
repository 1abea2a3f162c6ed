// First start and set-up tokens: once, whoever comes at the same time.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome } from '../../harness.ts';
import { createWorld, from, logInAs, PASSWORD, type World } from './world.ts';

let database: FreshDatabase;
let worlds: readonly World[];

beforeAll(async () => {
  database = await freshDatabase();
  const first = await createWorld(database, { setupTokenLife: 400 });
  worlds = [first, await createWorld(database, {}, first)];
});
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.close()));
  await database.close();
});

const DEV = { tenantId: 'dev', namespaces: ['default'], username: 'admin', password: '', roles: ['owner', 'operator'] };
const NOBODY = callAs({ kind: 'anonymous' });
const at = (index: number): World => worlds[index % worlds.length] as World;

describe('the first start', () => {
  it('happens once, however many start at once', async () => {
    const starts = await Promise.all(
      Array.from({ length: 6 }, (_, index) => at(index).identity.bootstrap(DEV, NOBODY, at(index).apiKeys.firstKey(['*:*']))),
    );
    const [created, ...more] = starts.filter((one) => one !== null);
    expect(more).toEqual([]);
    if (created === undefined) throw new Error('nobody made it');
    const world = at(0);
    const [row] = await database.sql<{ users: number; keys: number }>(
      'SELECT (SELECT count(*) FROM users)::int AS users, (SELECT count(*) FROM api_keys)::int AS keys',
    );
    expect(row).toEqual({ users: 1, keys: 1 });
    expect(await world.identity.namespaceOwner('default')).toBe('dev');
    expect(await outcome(world.identity.login(logInAs('dev', 'admin', created.password), from('127.0.0.1')))).toBe('OK');
    const verified = await world.apiKeys.verify(created.apiKey, Date.now());
    expect(verified).toMatchObject({ ok: true, key: { ownerId: created.userId, permissions: ['*:*'] } });
    const admin = { type: 'user', id: created.userId };
    expect((await world.authorization.rights('dev', admin)).holds('installation:tenants')).toBe(true);
  });

  it('hands its secrets over before anything is committed: who cannot keep them has made nothing', async () => {
    const { identity, apiKeys } = at(0);
    const full = (): never => {
      throw new Error('the disk is full');
    };
    const attempt = identity.bootstrap({ ...DEV, tenantId: 'early', namespaces: [] }, NOBODY, apiKeys.firstKey(['*:*']), full);
    await expect(attempt).rejects.toThrow('the disk is full');
    expect(await database.sql("SELECT 1 FROM tenants WHERE tenant_id = 'early'")).toEqual([]);
  });

  it('changes nothing afterwards', async () => {
    expect(await at(1).identity.bootstrap({ ...DEV, password: 'quite another password!' }, NOBODY)).toBeNull();
  });
});

describe('a set-up token', () => {
  const first = { ...DEV, tenantId: 'acme', namespaces: ['acme'], password: PASSWORD };

  it('makes the first tenant once', async () => {
    const { token } = await at(1).identity.createSetupToken(Date.now());
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, (_, index) => outcome(at(index).identity.redeemSetupToken(token, first, NOBODY))),
    );
    expect(outcomes.toSorted()).toEqual(['OK', ...Array.from({ length: 3 }, () => 'UNAUTHENTICATED/SETUP_TOKEN_INVALID')]);
    expect(await outcome(at(0).identity.login(logInAs('acme', 'admin', PASSWORD), from('127.0.0.1')))).toBe('OK');
  });

  it('is worth nothing after its time, or made up', async () => {
    const { token } = await at(0).identity.createSetupToken(Date.now());
    await new Promise((resolve) => setTimeout(resolve, 600));
    for (const wrong of [token, `${token}x`, 'shs_', '', `shs_${'a'.repeat(43)}`])
      expect(await outcome(at(0).identity.redeemSetupToken(wrong, { ...first, tenantId: 'late' }, NOBODY))).toBe(
        'UNAUTHENTICATED/SETUP_TOKEN_INVALID',
      );
  });

  it('is not spent by a password that is too weak, nor by an id that no tenant may have', async () => {
    const { token } = await at(1).identity.createSetupToken(Date.now());
    const asked = { ...first, tenantId: 'careful', namespaces: [] };
    for (const tenantId of ['installation', 'Not A Label'])
      await expect(at(1).identity.redeemSetupToken(token, { ...asked, tenantId }, NOBODY)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        violations: [{ field: 'tenant_id' }],
      });
    expect(await outcome(at(1).identity.redeemSetupToken(token, { ...asked, password: 'weak' }, NOBODY))).toBe(
      'INVALID_ARGUMENT/PASSWORD_TOO_WEAK',
    );
    expect(await outcome(at(1).identity.redeemSetupToken(token, asked, NOBODY))).toBe('OK');
  });
});
