// A real Postgres for one machine: a child process in the data directory, on loopback, stopped with us.
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { makeFolder } from '../base/folder.ts';
import { findBinaries, reachable, runAs, SHARED } from './binaries.postgres.ts';
import { databaseUsers } from './database-users.file.ts';
import { failed, halt, initialise, launch, type Running, running } from './postmaster.postgres.ts';
import { alive, commandOf } from './processes.os.ts';

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

/** After a `kill -9` of ours the database still runs: take it over rather than fight for its files. */
const adopt = async (files: string, password: string): Promise<Running | null> => {
  const found = running(files);
  if (found !== null && (await answers(uriOf(password, found.port, 'postgres')))) return found;
  // The number belongs to somebody else by now (containers count from 1 again); Postgres would not dare.
  if (found === null || !commandOf(found.pid).includes('postgres')) rmSync(join(files, 'postmaster.pid'), { force: true });
  return null;
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
  const users = databaseUsers(dataDir);
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
