// What `serve` refuses before anything listens, each with what would help; and what it speaks.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Environment, runCli, startHub } from '../hub-process.ts';
import { createInstallation, type Installation } from './production.ts';

let migrated: Installation;
let empty: Installation;

beforeAll(async () => {
  [migrated, empty] = await Promise.all([createInstallation(), createInstallation()]);
  expect((await runCli(['migrate'], migrated.env)).code).toBe(0);
});
afterAll(async () => {
  await migrated.close();
  await empty.close();
});

const folder = mkdtempSync(join(tmpdir(), 'security-hub-serve-'));
const key = (name: string, content: string | Buffer, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};
const development = `dev:${randomBytes(32).toString('base64')}`;

describe('serve', () => {
  it.each<[string, () => Environment, string]>([
    ['the embedded database', () => ({ POSTGRES_URI: '' }), 'set POSTGRES_URI'],
    ['the cache in the process', () => ({ REDIS_URL: '' }), 'set REDIS_URL'],
    ['no master key', () => ({ ENCRYPTION_KEY_PATH: '' }), 'set ENCRYPTION_KEY_PATH'],
    ['a key made for development', () => ({ ENCRYPTION_KEY_PATH: key('dev.key', development) }), 'production needs one of its own'],
    ['a master key that others can read', () => ({ ENCRYPTION_KEY_PATH: key('open.key', randomBytes(32), 0o644) }), 'chmod 600'],
    ['a superuser', () => ({ POSTGRES_URI: migrated.superUri }), 'is a superuser'],
    ['the owner of the tables', () => ({ POSTGRES_URI: migrated.ownerUri }), 'migrate as another role'],
    ['the clear beyond loopback', () => ({ TLS: 'off', GRPC_HOST: '0.0.0.0' }), 'set TLS to on'],
    ['pending migrations', () => ({ POSTGRES_URI: empty.uri }), 'run `security-hub migrate` first'],
    ['half a certificate', () => ({ TLS_CERT_PATH: '/tls.crt' }), 'belong together'],
  ])('refuses to start in production with %s, and says what would help', async (_, over, help) => {
    const { code, out, err } = await runCli(['serve'], { ...migrated.env, GRPC_PORT: '0', HTTP_PORT: '0', ...over() });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(help);
  });

  it('refuses to open the embedded database to others', async () => {
    const { code, err } = await runCli(['serve'], { GRPC_HOST: '0.0.0.0', DATA_DIR: folder });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('serves this machine only') });
  });

  // Node's own way of making folders never comes back there.
  it('refuses a data directory where nobody can make anything, and says what would help', async () => {
    const { code, err } = await runCli(['serve'], { DATA_DIR: '/proc/hub', GRPC_PORT: '0', HTTP_PORT: '0' });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(
        /no file can be made in \/proc\/hub \(\w+\): let this user write there, or set DATA_DIR to another directory/,
      ),
    });
  });

  it('says every reason at once', async () => {
    const { err } = await runCli(['serve'], { NODE_ENV: 'production', TLS: 'off', GRPC_HOST: '0.0.0.0' });
    expect(err.match(/^ {2}- /gm)).toHaveLength(4);
  });

  it('ends with 1 when its port is taken, names the setting, and leaves nothing running', async () => {
    const hub = await startHub({ ...migrated.env });
    const taken = hub.grpc.split(':')[1] ?? '';
    const { code, err } = await runCli(['serve'], { ...migrated.env, GRPC_PORT: taken, HTTP_PORT: '0' });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining(`127.0.0.1:${taken} is taken by another process: stop that, or change GRPC_PORT`),
    });
    expect(await hub.stop()).toBe(0);
  });

  it('in development warns where another hub answers at the address that the data directory names', async () => {
    const env = { ...migrated.env, NODE_ENV: 'development', DATA_DIR: mkdtempSync(join(folder, 'data-')) };
    const one = await startHub(env);
    const two = await startHub(env);
    expect(two.output()).toContain(`another hub still answers at ${one.grpc}`);
    expect(two.bootstrap()).toMatchObject({ grpc: two.grpc, api_key: one.bootstrap().api_key });
    expect(await Promise.all([one.stop(), two.stop()])).toEqual([0, 0]);
    const three = await startHub(env);
    expect(three.output()).not.toContain('another hub');
    expect(await three.stop()).toBe(0);
  });

  it.each([
    ['development', '', false],
    ['development', 'on', true],
    ['production', 'off', false],
    ['production', '', true],
  ])('TLS speaks where it is asked for, and in production by itself (%s, TLS=%j)', async (NODE_ENV, TLS, spoken) => {
    const hub = await startHub({ ...migrated.env, NODE_ENV, TLS });
    const inTheClear = await runCli(['call', 'TokenService/GetJwks', '--address', hub.grpc, '--plaintext', '--timeout', '2']);
    expect(inTheClear.code === 0).toBe(!spoken);
    expect(await hub.stop()).toBe(0);
  });
});
