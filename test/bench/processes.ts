// The processes of the benchmark: stores, the built hub in production configuration, the echo. Each pinned to a core of its own.
import { execFileSync, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Environment, type HubProcess, hubHome, startHub as startHubProcess } from '../hub-process.ts';
import setUpStores, { freePort } from '../stores.ts';
import tearDownStores from '../stores-stop.ts';

const TICK = 100;

/** Asked at once: a process on one core is told of one only. */
const SEVERAL_CORES = process.platform === 'linux' && availableParallelism() > 1;

/** The server's core is 0; the load and the stores run on 1. What the process starts from then on runs there too. */
export const pin = (pid: number | undefined, core: number): void => {
  if (SEVERAL_CORES && pid !== undefined) execFileSync('taskset', ['-a', '-cp', String(core), String(pid)], { stdio: 'ignore' });
};

/**
 * Before all that shares its core, where the system lets it: callers have machines of their own. All its threads, since they wait for each other
 * at times without sleeping.
 */
export const goFirst = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) execFileSync('chrt', ['--all-tasks', '--rr', '--pid', '1', String(pid)], { stdio: 'ignore' });
  } catch {
    // Then it waits for its turn, and the times tell.
  }
};

/** CPU seconds, user and system, that a process has used (proc(5), stat fields 14 and 15). */
export const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICK;
};

export const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

export interface Stores {
  readonly env: Environment;
  /** Another installation on the same servers: a database, a master key and a corner of Redis of its own. */
  another(): Promise<Environment>;
  /** The same with a database of that name, which may be there already. */
  named(name: string): Promise<Environment>;
  stop(): Promise<void>;
}

/** A database with a role for the service alone, a master key. */
const installation = async (redis: string, name = `bench_${randomBytes(4).toString('hex')}`): Promise<Environment> => {
  const admin = process.env['TEST_POSTGRES_URI'] ?? '';
  const client = new pg.Client({ connectionString: admin });
  await client.connect();
  const there = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (there.rowCount === 0) {
    await client.query(`CREATE DATABASE ${name}`);
    await client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}' NOSUPERUSER`);
  }
  await client.end();
  const owner = new URL(admin);
  owner.pathname = `/${name}`;
  const service = new URL(owner);
  service.username = name;
  service.password = name;
  const home = hubHome();
  return {
    ...home.env,
    POSTGRES_URI: service.href,
    MIGRATION_POSTGRES_URI: owner.href,
    REDIS_URL: redis,
    LOG_LEVEL: 'error',
    // One caller stands for all of them.
    COLD_VALIDATIONS_PER_SECOND: '0',
    ISSUES_PER_SECOND: '0',
    LOGINS_PER_SECOND: '0',
  };
};

/** A real Postgres and a real Redis. */
export const startStores = async (): Promise<Stores> => {
  await setUpStores();
  const redis = process.env['TEST_REDIS_URL'] ?? '';
  let corner = 0;
  return {
    env: await installation(redis),
    another: () => installation(new URL(`/${++corner}`, redis).href),
    named: (name) => installation(new URL(`/${++corner}`, redis).href, name),
    stop: tearDownStores,
  };
};

/** On the server's core from the start: the stores it reads from have the other, as they have machines of their own. */
export const startHub = (env: Environment, patience = 25_000): Promise<HubProcess> =>
  startHubProcess(env, { patience, spawned: (pid) => pin(pid, 0) });

export interface Echo {
  readonly pid: number;
  readonly port: number;
  stop(): void;
}

export const startEcho = async (answerBytes: number, tls: readonly string[] = []): Promise<Echo> => {
  const port = await freePort();
  const child = fork(join(import.meta.dirname, 'echo.ts'), [String(port), String(answerBytes), ...tls], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  pin(child.pid, 0);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the echo ended with ${code}`)));
  });
  return { pid: child.pid ?? 0, port, stop: () => child.disconnect() };
};
