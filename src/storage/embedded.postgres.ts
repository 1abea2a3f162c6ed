// A real Postgres for one machine: a child process in the data directory, on loopback, stopped with us.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Fault } from '../base/fault.ts';
import { makeFolder } from '../base/folder.ts';
import { type Binaries, findBinaries, reachable, type RunAs, runAs, SHARED } from './binaries.postgres.ts';

export interface EmbeddedOptions {
  /** Its files go to `<dataDir>/postgres` and stay there. */
  readonly dataDir: string;
  /** 0 = any free one. */
  readonly port?: number;
  /** `name=value` settings on top of ours. */
  readonly settings?: readonly string[];
}

export interface EmbeddedPostgres {
  readonly uri: string;
  readonly pid: number;
  /** Leaves it running for others of ours on the same data directory: the last one stops it. */
  stop(): Promise<void>;
}

const DATABASE = 'security_hub';
/** Folder with a file for each process that uses the database, named by its number. */
const USERS = 'postgres.users';
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=100',
  'shared_buffers=64MB',
  'wal_level=minimal',
  'max_wal_senders=0',
  'jit=off',
  'lc_messages=C',
];

const failed = (message: string, cause?: unknown): Fault =>
  new Fault('FAILED_PRECONDITION', 'EMBEDDED_POSTGRES_FAILED', message, cause === undefined ? {} : { cause });

const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const probe = createServer().once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });

/** Outside the ports that systems give to outgoing connections (Linux: from 32,768), or one of those could take it before it is used. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    if (await isFree(port)) return port;
  }
};

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return Reflect.get(Object(error), 'code') === 'EPERM';
  }
};

const uriOf = (password: string, port: number, database = DATABASE): string =>
  `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;

/** Kept in the data directory, readable by us only. Whoever deletes that directory begins anew, wherever the files lie. */
const passwordIn = (dataDir: string, files: string): string => {
  const file = join(dataDir, 'postgres.password');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  if (existsSync(files)) {
    if (files.startsWith(dataDir)) throw failed(`${file} is missing: restore it, or delete ${files} to begin anew`);
    rmSync(files, { recursive: true });
  }
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
};

const run = (command: string, args: readonly string[], user: RunAs | null): ChildProcess =>
  // A group of its own: Ctrl-C is for us, and we stop the database when we are done with it.
  spawn(command, [...args], {
    ...user,
    detached: true,
    cwd: tmpdir(),
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  });

const initialise = async (binaries: Binaries, files: string, password: string, user: RunAs | null): Promise<void> => {
  makeFolder(dirname(files), 0o755);
  mkdirSync(files, { mode: 0o700 });
  const secret = join(files, '..', `initdb-${randomBytes(6).toString('hex')}`);
  writeFileSync(secret, `${password}\n`, { mode: 0o600 });
  if (user !== null) for (const path of [files, secret]) chownSync(path, user.uid, user.gid);
  try {
    const args = [
      '-D',
      files,
      '--auth=scram-sha-256',
      '--username=postgres',
      `--pwfile=${secret}`,
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ];
    const child = run(binaries.initdb, args, user);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    const code = await new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done));
    if (code !== 0) throw failed(`initdb failed: ${said.trim()}`);
  } catch (error) {
    rmSync(files, { recursive: true, force: true });
    throw error instanceof Fault ? error : failed('initdb could not be started', error);
  } finally {
    rmSync(secret, { force: true });
  }
};

const answers = async (uri: string): Promise<boolean> => {
  const client = new pg.Client({ connectionString: uri, connectionTimeoutMillis: 1000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
};

interface Running {
  readonly pid: number;
  readonly port: number;
}

/** What `postmaster.pid` tells (pid, folder, start, port, …), if that process is there. */
const running = (files: string): Running | null => {
  const file = join(files, 'postmaster.pid');
  if (!existsSync(file)) return null;
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = { pid: Number(lines[0]), port: Number(lines[3]) };
  return found.pid > 0 && alive(found.pid) ? found : null;
};

/** After a `kill -9` of ours the database still runs: take it over rather than fight for its files. */
const adopt = async (files: string, password: string): Promise<Running | null> => {
  const found = running(files);
  if (found !== null && (await answers(uriOf(password, found.port, 'postgres')))) return found;
  // The number belongs to somebody else by now (containers count from 1 again); Postgres would not dare.
  if (found === null || !readFileSafe(`/proc/${found.pid}/cmdline`).includes('postgres'))
    rmSync(join(files, 'postmaster.pid'), { force: true });
  return null;
};

const readFileSafe = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const launch = async (
  binaries: Binaries,
  files: string,
  port: number,
  settings: readonly string[],
  user: RunAs | null,
): Promise<Running> => {
  const flags = [...SETTINGS, ...settings].flatMap((setting) => ['-c', setting]);
  const child = run(binaries.postgres, ['-D', files, '-p', String(port), ...flags], user);
  let said = '';
  await new Promise<void>((done, fail) => {
    child.on('error', (error) => fail(failed('Postgres could not be started', error)));
    child.on('close', () => fail(failed(`Postgres stopped while starting: ${said.trim()}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
      if (said.includes('ready to accept connections')) done();
    });
  });
  // It writes on; nobody reads, and it must not keep us running.
  child.stderr?.resume();
  child.unref();
  const stderr: unknown = child.stderr;
  if (typeof stderr === 'object' && stderr !== null && 'unref' in stderr && typeof stderr.unref === 'function') stderr.unref();
  return { pid: child.pid ?? 0, port };
};

const createDatabaseOnce = async (password: string, port: number): Promise<void> => {
  const client = new pg.Client({ connectionString: uriOf(password, port, 'postgres'), connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    const there = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (there.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
};

const halt = async (pid: number): Promise<void> => {
  // Fast shutdown first (connections are cut, everything is written), then immediate (recovers at the next start).
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!alive(pid)) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < 5000 && alive(pid); waited += 20) await sleep(20);
  }
};

/** Whether a number is still a process of ours: after a `kill -9` it may be somebody else's by now (containers count from 1 again). */
const isOurs = (pid: number): boolean => {
  if (!alive(pid)) return false;
  const command = readFileSafe(`/proc/${pid}/cmdline`);
  return command === '' || command.includes('node');
};

interface Users {
  join(): void;
  leave(): void;
  /** Whether nobody but us uses the database; who died without leaving does not count. */
  alone(): boolean;
}

const usersIn = (dataDir: string): Users => {
  const folder = join(dataDir, USERS);
  const own = join(folder, String(process.pid));
  return {
    join() {
      makeFolder(folder, 0o700);
      for (const name of readdirSync(folder)) if (!isOurs(Number(name))) rmSync(join(folder, name), { force: true });
      writeFileSync(own, '');
    },
    leave: () => rmSync(own, { force: true }),
    alone: () => !existsSync(folder) || readdirSync(folder).every((name) => Number(name) === process.pid || !isOurs(Number(name))),
  };
};

/** Starts it, or finds it running. First start about a second, later ones a tenth of it. */
export const startEmbeddedPostgres = async (options: EmbeddedOptions): Promise<EmbeddedPostgres> => {
  const user = runAs();
  const dataDir = resolve(options.dataDir);
  makeFolder(dataDir);
  const own = join(dataDir, 'postgres');
  // Below /root the other user cannot come: then its files lie in root's own place that everybody may enter.
  const place = reachable(own, user) ? own : join(SHARED, createHash('sha256').update(dataDir).digest('hex').slice(0, 16), 'postgres');
  const binaries = findBinaries(user);
  const password = passwordIn(dataDir, place);
  const users = usersIn(dataDir);
  users.join();
  if (!existsSync(join(place, 'PG_VERSION'))) await initialise(binaries, place, password, user);
  const there = await adopt(place, password);
  const found = there ?? (await launch(binaries, place, options.port || (await freePort()), options.settings ?? [], user));
  const atExit = (): void => {
    users.leave();
    if (users.alone() && alive(found.pid)) process.kill(found.pid, 'SIGINT');
  };
  process.once('exit', atExit);
  await createDatabaseOnce(password, found.port);
  return {
    uri: uriOf(password, found.port),
    pid: found.pid,
    async stop() {
      process.removeListener('exit', atExit);
      users.leave();
      if (users.alone()) await halt(found.pid);
    },
  };
};
