// The postmaster of the embedded database: its files made, its process started, found running, and stopped.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../base/fault.ts';
import { makeFolder } from '../base/folder.ts';
import type { Binaries, RunAs } from './binaries.postgres.ts';
import { alive } from './processes.os.ts';

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

export const failed = (message: string, cause?: unknown): Fault =>
  new Fault('FAILED_PRECONDITION', 'EMBEDDED_POSTGRES_FAILED', message, cause === undefined ? {} : { cause });

const run = (command: string, args: readonly string[], user: RunAs | null): ChildProcess =>
  // A group of its own: Ctrl-C is for us, and we stop the database when we are done with it.
  spawn(command, [...args], {
    ...user,
    detached: true,
    cwd: tmpdir(),
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  });

/** An empty cluster with that password of its superuser. */
export const initialise = async (binaries: Binaries, files: string, password: string, user: RunAs | null): Promise<void> => {
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

export interface Running {
  readonly pid: number;
  readonly port: number;
}

/** What `postmaster.pid` tells (pid, folder, start, port, …), if that process is there. */
export const running = (files: string): Running | null => {
  const file = join(files, 'postmaster.pid');
  if (!existsSync(file)) return null;
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = { pid: Number(lines[0]), port: Number(lines[3]) };
  return found.pid > 0 && alive(found.pid) ? found : null;
};

/** Answers when it takes connections; it does not keep us running. */
export const launch = async (
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

export const halt = async (pid: number): Promise<void> => {
  // Fast shutdown first (connections are cut, everything is written), then immediate (recovers at the next start).
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!alive(pid)) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < 5000 && alive(pid); waited += 20) await sleep(20);
  }
};
