// A Postgres and a Redis of this test's own: killed, stopped and started again without harm to others.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/storage/embedded.postgres.ts';
import { waitFor } from '../harness.ts';
import { freePort, redisBinary } from '../stores.ts';

/** What may happen to a store. */
export interface Store {
  readonly uri: string;
  /** SIGKILL: every process of it is gone when this resolves. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers. */
  stall(): void;
  /** SIGCONT. */
  resume(): void;
  /** On the same port with the same data; resolves when it answers. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface OwnPostgres extends Store {
  /** One statement as the superuser, of a database of it. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** An empty database: its address. */
  createDatabase(name: string): Promise<string>;
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A dead child that nobody has waited for still has its number.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Each of its processes leads a group of its own, so a signal to the first does not reach the others. */
const family = (pid: number): readonly number[] => {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]) === pid;
    } catch {
      return false;
    }
  });
  return [pid, ...children.map(Number)];
};

const signal = (pids: readonly number[], name: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // Gone already.
    }
  }
};

const gone = (pids: readonly number[]): Promise<void> => waitFor(() => pids.every((pid) => !alive(pid)), 5000, 'the end of the processes');

export const startOwnPostgres = async (): Promise<OwnPostgres> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'security-hub-faults-'));
  chmodSync(dataDir, 0o755);
  const port = await freePort();
  const start = () => startEmbeddedPostgres({ dataDir, port, settings: ['fsync=off', 'max_connections=100'] });
  let running = await start();
  const at = (database: string): string => new URL(`/${database}`, running.uri).href;
  const sql = async (text: string, database = new URL(running.uri).pathname.slice(1)): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: at(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    uri: running.uri,
    sql,
    async createDatabase(name) {
      await sql(`CREATE DATABASE ${name}`);
      return at(name);
    },
    async kill() {
      const pids = family(running.pid);
      signal(pids, 'SIGKILL');
      await gone(pids);
    },
    // The first process before its children, so that none is added meanwhile.
    stall() {
      // The postmaster first: a backend that it forks while we list them would go on answering.
      signal([running.pid], 'SIGSTOP');
      signal(family(running.pid), 'SIGSTOP');
    },
    resume: () => signal(family(running.pid), 'SIGCONT'),
    async restart() {
      if (alive(running.pid)) await running.stop();
      running = await start();
    },
    async stop() {
      signal(family(running.pid), 'SIGCONT');
      await running.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
};

export interface OwnRedis extends Store {
  flush(): Promise<void>;
}

export const startOwnRedis = async (): Promise<OwnRedis> => {
  const port = await freePort();
  const uri = `redis://127.0.0.1:${port}`;
  let child: ChildProcess;
  const ask = async <T>(work: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(uri, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    try {
      await client.connect();
      return await work(client);
    } finally {
      client.disconnect();
    }
  };
  const start = async (): Promise<void> => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    child = spawn(redisBinary(), args, { stdio: 'ignore', cwd: tmpdir() });
    const answers = (): Promise<boolean> =>
      ask((client) => client.ping()).then(
        () => true,
        () => false,
      );
    await waitFor(answers, 5000, 'an answer of Redis');
  };
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(name);
    await ended;
  };
  await start();
  return {
    uri,
    kill: () => end('SIGKILL'),
    stall: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await end('SIGKILL');
      await start();
    },
    stop: () => end('SIGKILL'),
    flush: () => ask(async (client) => void (await client.flushall())),
  };
};
