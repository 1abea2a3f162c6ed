// Where the master key comes from: a file only we can read, the environment, or, for the embedded database, a file made once.
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { makeFolder } from '../base/folder.ts';
import { openToOthers } from '../base/private-file.ts';
import type { Random } from '../base/random.ts';
import { MASTER_KEY_SIZE, type MasterKey, parseMasterKey, printDevKey } from './master-key.ts';

export interface MasterKeySource {
  /** ENCRYPTION_KEY_PATH; '' means not set. */
  readonly path: string;
  /** ENCRYPTION_KEY; '' means not set. */
  readonly value: string;
  readonly dataDir: string;
  /** True with the embedded database only: nothing else lets us make a key. */
  readonly embedded: boolean;
  readonly production: boolean;
}

const fault = (reason: string, message: string, cause?: unknown): Fault =>
  new Fault('FAILED_PRECONDITION', reason, message, cause === undefined ? {} : { cause });

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? 'unknown';

const checkMode = (path: string, stats: Stats): void => {
  if (!openToOthers(stats, process.getuid?.())) return;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  throw fault('KEY_FILE_MODE', `${path} has mode ${mode}, so others can read the master key. Run: chmod 600 ${path}`);
};

/** The key in `path`. KEY_FILE_MODE where group or others may touch it, KEY_FILE_UNREADABLE where we may not. */
const readKeyFile = (path: string): MasterKey => {
  let handle: number;
  try {
    handle = openSync(path, 'r');
  } catch (error) {
    throw fault('KEY_FILE_UNREADABLE', `the master key cannot be read from ${path} (${codeOf(error)}): check ENCRYPTION_KEY_PATH`, error);
  }
  try {
    checkMode(path, fstatSync(handle));
    return parseMasterKey(readFileSync(handle), path);
  } finally {
    closeSync(handle);
  }
};

/** Whole or not at all, and never over a key that stands: the file is made aside and linked into place. */
const createKeyFile = (path: string, random: Pick<Random, 'bytes'>): void => {
  makeFolder(dirname(path), 0o700);
  const draft = `${path}.${random.bytes(6).toString('hex')}`;
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(handle, printDevKey(random.bytes(MASTER_KEY_SIZE)));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
};

const devKey = (dataDir: string, random: Pick<Random, 'bytes'>): MasterKey => {
  const path = join(dataDir, 'master.key');
  try {
    if (!existsSync(path)) createKeyFile(path, random);
  } catch (error) {
    const next = 'let this user write there, or set DATA_DIR to another directory';
    throw fault('KEY_FILE_UNREADABLE', `no file can be made in ${dataDir} (${codeOf(error)}): ${next}`, error);
  }
  return readKeyFile(path);
};

const found = (source: MasterKeySource, random: Pick<Random, 'bytes'>): MasterKey => {
  if (source.path !== '' && source.value !== '')
    throw fault('MASTER_KEY_AMBIGUOUS', 'ENCRYPTION_KEY_PATH and ENCRYPTION_KEY are both set: keep one of them');
  if (source.path !== '') return readKeyFile(source.path);
  if (source.value !== '') return parseMasterKey(Buffer.from(source.value), 'ENCRYPTION_KEY');
  if (source.embedded) return devKey(source.dataDir, random);
  throw fault(
    'MASTER_KEY_MISSING',
    'with POSTGRES_URI set the master key must be given. Run: (umask 077; openssl rand -base64 32 > master.key) and set ENCRYPTION_KEY_PATH=master.key; keep a copy, nothing sealed opens without it',
  );
};

/** Faults are FAILED_PRECONDITION and name the next step. */
export const loadMasterKey = (source: MasterKeySource, random: Pick<Random, 'bytes'>): MasterKey => {
  const key = found(source, random);
  if (key.dev && source.production)
    throw fault(
      'MASTER_KEY_DEVELOPMENT',
      'the master key was made for development; production needs one of its own: openssl rand -base64 32',
    );
  return key;
};
