import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Environment, runCli } from '../hub-process.ts';
import { createInstallation, type Installation } from './production.ts';

let installation: Installation;
let env: Environment;
const files = readdirSync(join(import.meta.dirname, '../../src/storage/migrations')).map((file) => file.replace(/\.sql$/, ''));

beforeAll(async () => {
  installation = await createInstallation();
  ({ env } = installation);
});
afterAll(() => installation.close());

it('plan says what is pending, changes nothing, and ends with 1', async () => {
  for (let time = 0; time < 2; time += 1) {
    const { code, out } = await runCli(['migrate', 'plan'], env);
    expect(code).toBe(1);
    for (const file of files) expect(out).toContain(`pending  ${file}`);
    expect(out).toContain(`${files.length} pending: run security-hub migrate`);
  }
});

it('serve refuses to start in production while something is pending', async () => {
  const { code, err } = await runCli(['serve'], { ...env, GRPC_PORT: '0', HTTP_PORT: '0' });
  expect(code).toBe(1);
  expect(err).toContain('run `security-hub migrate` first');
});

it('three at the same time apply each file once', async () => {
  const ran = await Promise.all([0, 1, 2].map(() => runCli(['migrate'], env)));
  expect(ran.map(({ code }) => code)).toEqual([0, 0, 0]);
  const applied = ran.flatMap(({ out }) => [...out.matchAll(/^applied {2}(\S+)$/gm)].map((match) => match[1]));
  expect(applied).toHaveLength(files.length);
  expect(new Set(applied)).toEqual(new Set(files));
});

it('again does nothing, and says so', async () => {
  expect(await runCli(['migrate'], env)).toEqual({ code: 0, out: 'nothing was pending\n', err: '' });
  expect(await runCli(['migrate', 'plan'], env)).toEqual({ code: 0, out: 'nothing is pending\n', err: '' });
});

it('MIGRATION_POSTGRES_URI is who migrates; the service, which owns nothing, is let into its roles', async () => {
  const without = await runCli(['migrate'], { ...env, MIGRATION_POSTGRES_URI: '' });
  expect(without.code).toBe(1);
  expect(without.err).toMatch(/permission denied/);
  const { code, out } = await runCli(['doctor'], env);
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("stands behind the tenants' walls") });
});

it('refuses what it cannot do, with the next step', async () => {
  const embedded = await runCli(['migrate']);
  expect(embedded).toMatchObject({ code: 1, err: expect.stringContaining('the embedded database is migrated by serve') });
  const away = await runCli(['migrate'], { POSTGRES_URI: 'postgres://u:hunter2@127.0.0.1:1/hub' });
  expect(away).toMatchObject({ code: 1, err: expect.stringContaining('security-hub doctor') });
  const stranger = await runCli(['migrate'], { POSTGRES_URI: installation.uri.replace(/:[^:@]+@/, ':wrong@') });
  expect(stranger).toMatchObject({ code: 1, err: expect.stringContaining('password authentication failed') });
  for (const { err } of [away, stranger]) expect(err).not.toMatch(/hunter2|at .*\.js:/);
});
