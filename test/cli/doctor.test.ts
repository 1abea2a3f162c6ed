// `security-hub doctor`: each fault alone, on real stores, ends with 1 and the next step.
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { certificatePair, clockSkew, keyFile } from '../../src/cli/checks.ts';
import { days, seconds } from '../../src/base/time.ts';
import { type Environment, runCli } from '../hub-process.ts';
import { selfSigned } from '../wire/self-signed.ts';
import { createInstallation, type Installation } from './production.ts';

let installation: Installation;
let env: Environment;

beforeAll(async () => {
  installation = await createInstallation();
  env = { ...installation.env, TLS: 'auto', TRUST_DOMAIN: 'prod.example', JWT_ISSUER: 'https://hub.prod.example' };
  expect((await runCli(['migrate'], env)).code).toBe(0);
});
afterAll(() => installation.close());

const file = (name: string, content: string | Buffer, mode = 0o600): string => {
  const path = join(installation.dataDir, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

/** Its only fault, and the line below it. */
const diagnose = async (over: Environment): Promise<{ readonly fault: string; readonly next: string }> => {
  const { code, out, err } = await runCli(['doctor'], { ...env, ...over });
  expect({ code, err }).toEqual({ code: 1, err: 'security-hub doctor: one thing to mend\n' });
  const [, fault = '', next = ''] = /^FAIL {2}(.*)\n {6}next: (.*)$/m.exec(out) ?? [];
  return { fault, next };
};

const asSuperuser = async (statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: installation.superUri });
  await client.connect();
  await client.query(statement);
  await client.end();
};

describe('security-hub doctor', () => {
  it('ends with 0 where nothing is wrong, says what it looked at, and shows no secret', async () => {
    const pair = selfSigned('hub');
    const tls = { TLS_CERT_PATH: file('good.crt', pair.chain), TLS_KEY_PATH: file('good.key', pair.key) };
    const { code, out, err } = await runCli(['doctor'], { ...env, ...tls });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const name of ['settings', 'data', 'postgres', 'clock', 'role', 'migrations', 'redis', 'master key', 'TLS certificate'])
      expect(out).toMatch(new RegExp(`^(ok|warn) +${name}: `, 'm'));
    expect(out).not.toContain(new URL(installation.uri).password);
  });

  it('finds that Postgres is down', async () => {
    const { fault, next } = await diagnose({ POSTGRES_URI: 'postgres://hub:hunter2@127.0.0.1:1/hub' });
    expect(fault).toBe('postgres: the database does not answer (127.0.0.1:1/hub)');
    expect(next).toMatch(/^start it, or correct POSTGRES_URI/);
  });

  it('finds that nobody knows the name of Postgres', async () => {
    const { fault } = await diagnose({ POSTGRES_URI: 'postgres://hub:hunter2@db.invalid/hub' });
    expect(fault).toBe('postgres: the database does not answer: this machine does not know the name db.invalid (db.invalid/hub)');
  });

  it('finds that Postgres does not let us in', async () => {
    const { fault } = await diagnose({ POSTGRES_URI: installation.uri.replace(/:[^:@]+@/, ':hunter2@') });
    expect(fault).toMatch(/^postgres: the database refuses: password authentication failed/);
    expect(fault).not.toContain('hunter2');
  });

  it('finds a data directory that is none', async () => {
    const path = file('data', '');
    expect(await diagnose({ DATA_DIR: path })).toEqual({ fault: `data: ${path} is no directory`, next: 'set DATA_DIR to one' });
  });

  it('finds a data directory where nobody can make anything', async () => {
    expect(await diagnose({ DATA_DIR: '/proc/hub' })).toEqual({
      fault: 'data: /proc is not writable',
      next: 'let this user write there, or set DATA_DIR',
    });
  });

  it('finds two ports that are one', async () => {
    const { fault, next } = await diagnose({ GRPC_PORT: '18005', HTTP_PORT: '18005' });
    expect({ fault, next }).toEqual({ fault: 'settings: GRPC_PORT and HTTP_PORT are both 18005', next: 'give each a port of its own' });
  });

  it('finds that Redis is down', async () => {
    const { fault, next } = await diagnose({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(fault).toBe('redis: Redis does not answer');
    expect(next).toMatch(/^start it, or correct REDIS_URL/);
  });

  it('finds pending migrations', async () => {
    await asSuperuser('CREATE TABLE kept AS SELECT * FROM schema_migration; DELETE FROM schema_migration WHERE version > 1');
    try {
      const { fault, next } = await diagnose({});
      expect(fault).toMatch(/^migrations: \d+ pending: 0002_/);
      expect(next).toBe('run security-hub migrate');
    } finally {
      await asSuperuser('INSERT INTO schema_migration SELECT * FROM kept ON CONFLICT DO NOTHING; DROP TABLE kept');
    }
  });

  it.each([
    ['ENCRYPTION_KEY_PATH', 0o640],
    ['JWT_PRIVATE_KEY_PATH', 0o604],
  ])('finds a key that others can read: %s, mode %o', async (name, mode) => {
    const path = file('open.key', randomBytes(32), mode);
    const { fault, next } = await diagnose({ [name]: path });
    expect(fault).toBe(`${name}: ${path} has mode 0${mode.toString(8)}: others can read it`);
    expect(next).toMatch(`chmod 600 ${path}`);
  });

  it('finds a key that is not there, and a master key that is none', async () => {
    expect(await diagnose({ ENCRYPTION_KEY_PATH: '/nowhere/master.key' })).toEqual({
      fault: 'ENCRYPTION_KEY_PATH: /nowhere/master.key does not exist',
      next: 'create it, or correct ENCRYPTION_KEY_PATH',
    });
    expect((await diagnose({ ENCRYPTION_KEY_PATH: file('short.key', 'short') })).fault).toMatch(
      /^master key: .* must hold 32 random bytes/,
    );
  });

  it('finds a master key that the database was not made with', async () => {
    await asSuperuser(`INSERT INTO master_key_check (slot, check_value) VALUES ('primary', '\\x${'ab'.repeat(32)}')`);
    try {
      const { fault, next } = await diagnose({});
      expect(fault).toBe('master key: this database was made with another one: nothing in it would open');
      expect(next).toMatch(/^use the key that this database was made with/);
    } finally {
      await asSuperuser('DELETE FROM master_key_check');
    }
  });

  it('warns of names that nobody chose, which every token and certificate would carry', async () => {
    const { out } = await runCli(['doctor'], { ...env, TRUST_DOMAIN: '', JWT_ISSUER: '' });
    expect(out.match(/^warn {2}(TRUST_DOMAIN|JWT_ISSUER): .*\n {6}next: set \1 before the first start$/gm)).toHaveLength(2);
    expect((await runCli(['doctor'], env)).out).not.toMatch(/TRUST_DOMAIN|JWT_ISSUER/);
  });

  it('finds a certificate that has expired', async () => {
    const { chain, key } = selfSigned('hub', { notBefore: Date.now() - days(30), notAfter: Date.now() - days(1) });
    const { fault, next } = await diagnose({ TLS_CERT_PATH: file('old.crt', chain), TLS_KEY_PATH: file('old.key', key) });
    expect(fault).toMatch(/^TLS certificate: .*old\.crt expired at /);
    expect(next).toMatch(/^renew it/);
  });

  it('finds a certificate and a key that do not belong together', async () => {
    const [one, other] = [selfSigned('one'), selfSigned('other')];
    const { fault, next } = await diagnose({ TLS_CERT_PATH: file('one.crt', one.chain), TLS_KEY_PATH: file('other.key', other.key) });
    expect(fault).toMatch(/^TLS certificate: .*one\.crt and .*other\.key do not belong together/);
    expect(next).toBe('point TLS_CERT_PATH and TLS_KEY_PATH at one pair');
  });

  it('finds a clock that differs from the database’s', async () => {
    // The database answers a shifted time to whoever looks into this schema first.
    await asSuperuser(`CREATE SCHEMA shifted; GRANT USAGE ON SCHEMA shifted TO PUBLIC;
      CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '10 minutes' $$`);
    const shifted = new URL(installation.uri);
    shifted.searchParams.set('options', '-c search_path=shifted,pg_catalog,public');
    const { fault, next } = await diagnose({ POSTGRES_URI: shifted.href });
    expect(fault).toMatch(/^clock: this machine and the database differ by (599|600)\.\d s/);
    expect(next).toMatch(/^synchronise both clocks/);
  });

  it('finds a superuser, in development as well', async () => {
    for (const NODE_ENV of ['production', 'development']) {
      const { fault, next } = await diagnose({ NODE_ENV, POSTGRES_URI: installation.superUri });
      expect(fault).toMatch(/^role: the role \S+ is a superuser/);
      expect(next).toContain('NOSUPERUSER');
    }
  });

  it('finds a role that owns the tables', async () => {
    expect((await diagnose({ POSTGRES_URI: installation.ownerUri })).fault).toMatch(/^role: the role owner_\w+ owns tables/);
  });

  it('finds what production refuses, and says what would help', async () => {
    expect(await diagnose({ REDIS_URL: '' })).toEqual({
      fault: 'settings: production does not run on the in-process cache',
      next: 'set REDIS_URL',
    });
  });

  it('finds several things at once', async () => {
    const { code, out, err } = await runCli(['doctor'], { ...env, REDIS_URL: 'redis://127.0.0.1:1', POSTGRES_URI: installation.superUri });
    expect({ code, err }).toEqual({ code: 1, err: 'security-hub doctor: 2 things to mend\n' });
    expect(out.match(/^ {6}next: \S/gm)).toHaveLength(2);
  });
});

describe('a check', () => {
  it('bears the skew that tokens bear, either way', () => {
    for (const sign of [-1, 1]) {
      expect(clockSkew(0, sign * seconds(1)).state).toBe('ok');
      expect(clockSkew(0, sign * seconds(600)).state).toBe('fault');
    }
  });

  it('warns of a certificate in its last week, and finds one that has not begun', () => {
    const pairOf = (name: string, notBefore: number, notAfter: number) => {
      const { chain, key } = selfSigned('hub', { notBefore, notAfter });
      return certificatePair(file(`${name}.crt`, chain), file(`${name}.key`, key), Date.now());
    };
    expect(pairOf('late', Date.now() - days(1), Date.now() + days(3)).state).toBe('warning');
    expect(pairOf('early', Date.now() + days(1), Date.now() + days(30)).state).toBe('fault');
  });

  it('is content with a key of our own', () => {
    expect(keyFile('X', file('own.key', 'x', 0o400)).state).toBe('ok');
  });
});
