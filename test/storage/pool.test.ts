// Connections to a database that falls silent.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createDatabase } from '../../src/storage/database.postgres.ts';
import { createPool, type Pool } from '../../src/storage/pool.postgres.ts';
import type { Database } from '../../src/storage/storage.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { type TcpProxy, tcpProxy, through } from './tcp-proxy.ts';

const SIZE = 4;
let database: FreshDatabase;
let proxy: TcpProxy;
let pool: Pool;
let db: Database;
beforeEach(async () => {
  database = await freshDatabase();
  proxy = await tcpProxy(new URL(database.uri).hostname, Number(new URL(database.uri).port));
  pool = createPool({ uri: through(proxy, database.uri), size: SIZE });
  db = createDatabase({ pool });
});
afterEach(async () => {
  await pool.end();
  await proxy.close();
  await database.close();
});

const ask = (): Promise<string> =>
  db.tenant('acme', async () => 'answered').catch(({ code, reason }: { code: string; reason: string }) => `${code} ${reason}`);
const SILENT = 'UNAVAILABLE STORE_UNAVAILABLE';
const crowd = (size: number): Promise<string[]> => Promise.all(Array.from({ length: size }, ask));

describe('a database that falls silent', () => {
  it('is left for another at the same address at once: no connection is tried that led to the first', async () => {
    expect(new Set(await crowd(2 * SIZE))).toEqual(new Set(['answered']));
    expect(pool.total).toBe(SIZE);
    proxy.abandon();
    expect([await ask(), await ask(), await ask()]).toEqual([SILENT, 'answered', 'answered']);
    expect(new Set(await crowd(2 * SIZE))).toEqual(new Set(['answered']));
  });

  it('is found out once, tried by two, and asked by all again when it answers', async () => {
    await crowd(SIZE);
    proxy.freeze();
    expect(await ask()).toBe(SILENT);
    let told = 0;
    const later = Array.from({ length: 8 }, () => ask().then((said) => ((told += 1), said)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(6);
    expect(new Set(await Promise.all(later))).toEqual(new Set([SILENT]));
    proxy.thaw();
    expect(await ask()).toBe('answered');
    expect(new Set(await crowd(2 * SIZE))).toEqual(new Set(['answered']));
  });
});
