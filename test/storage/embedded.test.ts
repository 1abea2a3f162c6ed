// The database of a laptop: real Postgres as a child, also after our own sudden death.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/storage/embedded.postgres.ts';
import { createPool } from '../../src/storage/pool.postgres.ts';
import { createDatabase } from '../../src/storage/database.postgres.ts';
import { migrate } from '../../src/storage/migrate.postgres.ts';
import { waitFor } from '../harness.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-embedded-'));
// Postgres does not run as root; its other user must be able to enter.
chmodSync(dataDir, 0o755);
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

const ask = async (uri: string, text: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: uri });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
};
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('the embedded Postgres', () => {
  it('starts, keeps what was stored, and is gone after stop', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    await ask(first.uri, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();
    expect(alive(first.pid)).toBe(false);
    const began = performance.now();
    const second = await startEmbeddedPostgres({ dataDir });
    expect(performance.now() - began).toBeLessThan(1500);
    expect(await ask(second.uri, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await second.stop();
  });

  it('keeps its password from others and listens on loopback', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir });
    expect(statSync(join(dataDir, 'postgres.password')).mode & 0o777).toBe(0o600);
    expect(await ask(postgres.uri, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    await expect(ask(postgres.uri.replace(/:[^:@/]+@/, ':wrong@'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    await postgres.stop();
  });

  it('runs also where no other user than root may enter, and begins anew when the data directory was deleted', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'security-hub-closed-'));
    const first = await startEmbeddedPostgres({ dataDir: closed });
    await ask(first.uri, 'CREATE TABLE kept AS SELECT 7 AS n');
    const [row] = (await ask(first.uri, 'SHOW data_directory')) as { data_directory: string }[];
    await first.stop();
    rmSync(closed, { recursive: true });
    const second = await startEmbeddedPostgres({ dataDir: closed });
    await expect(ask(second.uri, 'SELECT n FROM kept')).rejects.toMatchObject({ code: '42P01' });
    await second.stop();
    rmSync(closed, { recursive: true });
    const files = dirname(row?.data_directory ?? '');
    if (files.startsWith('/var/lib/') && existsSync(files)) rmSync(files, { recursive: true });
  });

  it('is left running for others on the same data directory, and stopped by the last one', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    const neighbour = fork(join(import.meta.dirname, 'processes/embedded-user.ts'), [dataDir], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    try {
      await once(neighbour, 'message');
      await first.stop();
      expect(alive(first.pid)).toBe(true);
      expect(await ask(first.uri, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
      neighbour.send('stop');
      await once(neighbour, 'exit');
      expect(alive(first.pid)).toBe(false);
    } finally {
      neighbour.kill('SIGKILL');
    }
  });

  it('is stopped though a neighbour died without leaving', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    const neighbour = fork(join(import.meta.dirname, 'processes/embedded-user.ts'), [dataDir], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    await once(neighbour, 'message');
    neighbour.kill('SIGKILL');
    await once(neighbour, 'exit');
    await first.stop();
    expect(alive(first.pid)).toBe(false);
  });

  it('is taken over when its owner was killed', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    // As after kill -9 of the owner: the database runs on.
    const second = await startEmbeddedPostgres({ dataDir });
    expect(second.pid).toBe(first.pid);
    await second.stop();
    expect(alive(first.pid)).toBe(false);
  });

  it('recovers after being killed itself', async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    process.kill(first.pid, 'SIGKILL');
    const second = await startEmbeddedPostgres({ dataDir });
    expect(await ask(second.uri, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await second.stop();
  });

  it('that hangs makes calls fail in bounded time, and serves again when it wakes', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir });
    await migrate({ uri: postgres.uri });
    const pool = createPool({ uri: postgres.uri, size: 4, queryTimeout: 700, connectTimeout: 1000 });
    const db = createDatabase({ pool });
    await db.tenant('acme', async () => {});
    const backends = (await ask(postgres.uri, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()')) as { pid: number }[];
    const all = [postgres.pid, ...backends.map(({ pid }) => pid)];
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    const began = performance.now();
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => db.tenant('acme', async () => {})));
    expect(performance.now() - began).toBeLessThan(2500);
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' } });
    // Whoever comes later is told at once, but for two who try.
    let told = 0;
    const later = Array.from({ length: 8 }, () =>
      db
        .tenant('acme', async () => {})
        .catch((fault: unknown) => {
          told += 1;
          return fault;
        }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(6);
    for (const fault of await Promise.all(later)) expect(fault).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' });
    for (const pid of all) process.kill(pid, 'SIGCONT');
    await waitFor(() => db.tenant('acme', async () => true).catch(() => false), 5000, 'an answer');
    // And nobody is sent away any more.
    await Promise.all(Array.from({ length: 8 }, () => db.tenant('acme', async () => {})));
    await pool.end();
    await postgres.stop();
  });
});
