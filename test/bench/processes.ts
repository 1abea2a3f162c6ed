// The processes of the benchmark: stores, the built hub in production configuration, the echo. Each pinned to a core of its own.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import setUpStores, { freePort } from '../stores.ts';
import tearDownStores from '../stores-stop.ts';

const root = join(import.meta.dirname, '../..');
const TICK = 100;

/** The server's core; the load runs on the other. */
export const pin = (pid: number | undefined, core: number): void => {
  if (process.platform === 'linux' && availableParallelism() > 1 && pid !== undefined)
    spawn('taskset', ['-a', '-cp', String(core), String(pid)], { stdio: 'ignore' });
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
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** A real Postgres with a role for the service alone, a real Redis, a master key. */
export const startStores = async (): Promise<Stores> => {
  await setUpStores();
  const admin = process.env['TEST_POSTGRES_URI'] ?? '';
  const name = `bench_${randomBytes(4).toString('hex')}`;
  const client = new pg.Client({ connectionString: admin });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}' NOSUPERUSER`);
  await client.end();
  const owner = new URL(admin);
  owner.pathname = `/${name}`;
  const service = new URL(owner);
  service.username = name;
  service.password = name;
  const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-bench-'));
  const keyPath = join(dataDir, 'master.key');
  writeFileSync(keyPath, randomBytes(32), { mode: 0o600 });
  return {
    env: {
      POSTGRES_URI: service.href,
      MIGRATION_POSTGRES_URI: owner.href,
      REDIS_URL: process.env['TEST_REDIS_URL'] ?? '',
      ENCRYPTION_KEY_PATH: keyPath,
      DATA_DIR: dataDir,
      LOG_LEVEL: 'error',
    },
    stop: tearDownStores,
  };
};

export interface Hub {
  readonly pid: number;
  readonly grpc: string;
  readonly grpcPort: number;
  readonly http: string;
  /** Milliseconds from the start of the process to /readyz. */
  readonly startedIn: number;
  stop(): Promise<void>;
}

const ready = async (url: string, child: ChildProcess): Promise<void> => {
  for (let attempt = 0; attempt < 1500; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the hub ended with ${child.exitCode}`);
    const answer = await fetch(url).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${url} did not get ready within 30 s`);
};

export const cli = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'dist/main.js'), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`security-hub ${args.join(' ')} ended with ${code}`))));
  });

export const startHub = async (env: Readonly<Record<string, string>>): Promise<Hub> => {
  const [grpcPort, httpPort, probePort] = [await freePort(), await freePort(), await freePort()];
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'dist/main.js'), 'serve'], {
    env: { ...process.env, ...env, GRPC_PORT: String(grpcPort), HTTP_PORT: String(httpPort), PROBE_PORT: String(probePort) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  pin(child.pid, 0);
  await ready(`http://127.0.0.1:${probePort}/readyz`, child);
  return {
    pid: child.pid ?? 0,
    grpc: `127.0.0.1:${grpcPort}`,
    grpcPort,
    http: `http://127.0.0.1:${httpPort}`,
    startedIn: performance.now() - began,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
};

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
