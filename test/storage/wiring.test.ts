// The storage as the composition root gets it.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/base/time.ts';
import { migration } from '../../src/storage/migrate.ts';
import { migrate } from '../../src/storage/migrate.postgres.ts';
import { createStorage, type StorageDeps } from '../../src/storage/storage.wire.ts';
import { createTestPlatform, type FreshDatabase, freshDatabase, redisUrl, silentLog, storageConfigFor, waitFor } from '../harness.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const deps = (over: Partial<StorageDeps> = {}): StorageDeps => ({
  config: storageConfigFor(database, false),
  dataDir: '',
  production: false,
  clock: systemClock,
  log: silentLog,
  insertEvents: async () => {},
  ...over,
});

describe('the storage', () => {
  it('starts an embedded database where none is named, migrates it, and stops it', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-wiring-'));
    chmodSync(dataDir, 0o755);
    const storage = await createStorage(deps({ config: { ...storageConfigFor(database, false), postgresUri: '' }, dataDir }));
    await storage.start();
    const { revision } = await storage.write('acme', async () => ({
      result: 1,
      changes: [{ kind: 'user', tenantId: 'acme', key: 'u', until: null }],
    }));
    expect([revision, storage.about]).toEqual([1, { postgres: 'embedded', redis: 'memory' }]);
    await storage.stop();
    rmSync(dataDir, { recursive: true });
  });

  it('refuses a superuser in production', async () => {
    await expect(createStorage(deps({ production: true }))).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'DATABASE_ROLE_TOO_STRONG',
    });
  });

  it('refuses a database that was not migrated in production', async () => {
    const empty = await freshDatabase();
    await empty.sql('DELETE FROM schema_migration WHERE version = 1');
    await expect(createStorage(deps({ production: true, config: storageConfigFor(empty, false) }))).rejects.toMatchObject({
      reason: 'MIGRATIONS_PENDING',
    });
    await empty.close();
  });

  it('works beside a newer release that only added', async () => {
    const newer = await freshDatabase();
    await migrate({ uri: newer.uri, files: [migration('9001_added', 'CREATE TABLE added ()')] });
    const storage = await createStorage(deps({ config: storageConfigFor(newer, false) }));
    await storage.start();
    expect(storage.feed.state().kind).toBe('fresh');
    await storage.stop();
    await newer.close();
  });

  it('says UNAVAILABLE when there is no database', async () => {
    const config = { ...storageConfigFor(database, false), postgresUri: 'postgres://nobody@127.0.0.1:1/none' };
    await expect(createStorage(deps({ config }))).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' });
  });

  it('carries messages to a Redis stream without being asked', async () => {
    const platform = await createTestPlatform({ database, redis: true });
    await platform.start();
    await platform.write('acme', async () => ({ result: 1, messages: [{ tenantId: 'acme', topic: 'users', key: 'u1', body: { n: 1 } }] }));
    const redis = new Redis(redisUrl());
    const key = `${storageConfigFor(database, true).redisPrefix}events`;
    await waitFor(async () => (await redis.xlen(key)) === 1, 3000);
    const [entry] = await redis.xrange(key, '-', '+');
    expect(entry?.[1]).toEqual([
      'id',
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      'topic',
      'users',
      'tenant_id',
      'acme',
      'key',
      'u1',
      'at',
      expect.any(String),
      'body',
      '{"n":1}',
    ]);
    redis.disconnect();
    await platform.stop();
  });

  it('changes what belongs to the installation as the jobs role', async () => {
    const platform = await createTestPlatform({ database });
    await platform.start();
    await database.sql(`CREATE TABLE setting (name text PRIMARY KEY); SELECT securityhub_platform('setting')`);
    const insert = platform.writeInstallation(async (tx) => {
      await tx.tables<{ setting: { name: string } }>().insertInto('setting').values({ name: 'a' }).execute();
      return { result: 1, changes: [{ kind: 'signing_key', tenantId: '', key: 'a', until: null }] };
    });
    expect((await insert).revision).toBeGreaterThan(0);
    await platform.stop();
  });
});
