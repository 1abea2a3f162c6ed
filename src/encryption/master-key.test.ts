import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { systemRandom } from '../base/random.ts';
import { loadMasterKey, type MasterKeySource } from './master-key.file.ts';
import { parseMasterKey } from './master-key.ts';

const key = randomBytes(32);
const reasonOf = (work: () => unknown): string => {
  try {
    work();
    return '';
  } catch (error) {
    return (error as { reason?: string }).reason ?? String(error);
  }
};

describe('a master key', () => {
  const texts: readonly [string, Buffer][] = [
    ['raw', key],
    ['base64', Buffer.from(key.toString('base64'))],
    ['base64 with a line end', Buffer.from(`${key.toString('base64')}\n`)],
    ['base64url', Buffer.from(key.toString('base64url'))],
    ['hex', Buffer.from(key.toString('hex'))],
  ];
  it.each(texts)('is read %s', (_, text) => expect(parseMasterKey(text, 'x')).toEqual({ bytes: key, dev: false }));
  it.each([
    ['empty', ''],
    ['a password', 'correct horse battery staple'],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['33 bytes', randomBytes(33).toString('base64')],
    ['zeros', Buffer.alloc(32).toString('hex')],
  ])('is refused when it is %s', (_, text) => expect(reasonOf(() => parseMasterKey(Buffer.from(text), 'x'))).toBe('MASTER_KEY_INVALID'));
});

describe('the source of the master key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'master-key-'));
  const source: MasterKeySource = { path: '', value: '', dataDir: folder, embedded: false, production: false };
  const fileOf = (name: string, mode: number): string => {
    const path = join(folder, name);
    writeFileSync(path, key.toString('base64'));
    chmodSync(path, mode);
    return path;
  };

  it('is a file that only we can read', () =>
    expect(loadMasterKey({ ...source, path: fileOf('a', 0o600) }, systemRandom).bytes).toEqual(key));
  it.each([0o640, 0o604, 0o660, 0o644])('is refused with mode %o', (mode) =>
    expect(reasonOf(() => loadMasterKey({ ...source, path: fileOf(`b${mode}`, mode) }, systemRandom))).toBe('KEY_FILE_MODE'),
  );
  it('is refused when the file is not there, and no key is made instead', () => {
    expect(reasonOf(() => loadMasterKey({ ...source, path: join(folder, 'none'), embedded: true }, systemRandom))).toBe(
      'KEY_FILE_UNREADABLE',
    );
  });
  it('is the environment', () => expect(loadMasterKey({ ...source, value: key.toString('hex') }, systemRandom).bytes).toEqual(key));
  it('is not both at once', () =>
    expect(reasonOf(() => loadMasterKey({ ...source, path: fileOf('c', 0o600), value: 'x' }, systemRandom))).toBe('MASTER_KEY_AMBIGUOUS'));
  it('must be given where the database is not embedded', () =>
    expect(reasonOf(() => loadMasterKey(source, systemRandom))).toBe('MASTER_KEY_MISSING'));

  it('is made once for an embedded database, mode 0600, marked dev', () => {
    const dataDir = join(mkdtempSync(join(tmpdir(), 'master-key-')), 'data');
    const embedded = { ...source, dataDir, embedded: true };
    const made = loadMasterKey(embedded, systemRandom);
    expect(made.dev).toBe(true);
    expect(loadMasterKey(embedded, systemRandom)).toEqual(made);
    expect(readdirSync(dataDir)).toEqual(['master.key']);
    expect(statSync(join(dataDir, 'master.key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dataDir, 'master.key'), 'utf8')).toMatch(/^dev:/);
  });
  it('says that the data directory is what stops it', () => {
    const dataDir = fileOf('data', 0o600);
    expect(() => loadMasterKey({ ...source, dataDir, embedded: true }, systemRandom)).toThrow(/^no file can be made in .*DATA_DIR/);
  });
  it('is refused in production when it was made for development', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'master-key-'));
    loadMasterKey({ ...source, dataDir, embedded: true }, systemRandom);
    const path = join(dataDir, 'master.key');
    expect(reasonOf(() => loadMasterKey({ ...source, path, production: true }, systemRandom))).toBe('MASTER_KEY_DEVELOPMENT');
  });
});
