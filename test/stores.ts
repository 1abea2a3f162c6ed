// Before all tests: one real Postgres and one real Redis, on free ports, for the whole run.
// POSTGRES_URI and REDIS_URL name others; tests make their own database in whichever it is.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startEmbeddedPostgres } from '../src/storage/embedded.postgres.ts';
import { ownTemporaryFolder } from './temporary.ts';

export interface TestStores {
  stopPostgres?: () => Promise<void>;
  redis?: ChildProcess;
}

declare global {
  var testStores: TestStores | undefined;
}

export { freePort };

const startPostgres = async (stores: TestStores): Promise<string> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-pg-'));
  chmodSync(dataDir, 0o755);
  const settings = ['fsync=off', 'max_connections=200'];
  const postgres = await startEmbeddedPostgres({ dataDir, settings });
  stores.stopPostgres = () => postgres.stop();
  return new URL('/postgres', postgres.uri).href;
};

export const redisBinary = (): string => {
  for (const name of ['redis-server', 'valkey-server']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // Not this one.
    }
  }
  if (process.getuid?.() === 0 && process.platform === 'linux') {
    console.log('Installing the package redis-server: the tests need a real Redis.');
    execFileSync(
      'sh',
      ['-c', 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server'],
      {
        stdio: 'ignore',
      },
    );
    return 'redis-server';
  }
  throw new Error('The tests need a real Redis: install the package redis-server (or valkey), or set REDIS_URL.');
};

const startRedis = async (stores: TestStores): Promise<string> => {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  stores.redis = spawn(redisBinary(), args, { stdio: 'ignore', cwd: tmpdir() });
  return `redis://127.0.0.1:${port}`;
};

export default async function setUp(): Promise<void> {
  ownTemporaryFolder();
  // The database has a process group of its own; an impatient Ctrl-C must leave neither it nor our files behind.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const stores: TestStores = {};
  globalThis.testStores = stores;
  process.env['TEST_POSTGRES_URI'] = process.env['POSTGRES_URI'] ?? (await startPostgres(stores));
  process.env['TEST_REDIS_URL'] = process.env['REDIS_URL'] ?? (await startRedis(stores));
  // What a developer has set for running the hub must not leak into the hubs that tests start.
  delete process.env['POSTGRES_URI'];
  delete process.env['REDIS_URL'];
}
