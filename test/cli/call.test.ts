// `security-hub call` against a development hub: what it takes from bootstrap.json, and how it shows answers and faults.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, redisUrl } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, type Ran, runCli, startHub } from '../hub-process.ts';
import { selfSigned } from '../wire/self-signed.ts';

let database: FreshDatabase;
let hub: HubProcess;
let here: Environment;

beforeAll(async () => {
  database = await freshDatabase();
  const { dataDir, env } = hubHome();
  const socket = join(dataDir, 'hub.sock');
  hub = await startHub({ ...env, POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), GRPC_SOCKET: socket });
  here = { DATA_DIR: hub.dataDir };
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

it('what the start prints to copy works: the token by Node, the call by an address that answers', () => {
  const [line = ''] = /^ {2}export TOKEN=.*$/m.exec(hub.output()) ?? [];
  const { access_token: token, http } = hub.bootstrap();
  expect(execFileSync('sh', ['-c', `${line}; printf %s "$TOKEN"`], { cwd: '/', encoding: 'utf8' })).toBe(token);
  expect(hub.output()).toContain(`curl -s ${http}/securityhub.v1.SecurityHub/CheckPermission`);
  expect(hub.output()).toContain('for this machine only');
});

const answer = ({ code, out, err }: Ran): Record<string, unknown> => {
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as Record<string, unknown>;
};
const WHO = ['SecurityHub/CheckPermission', '{"action": "read", "resource": {"type": "users"}}'] as const;

it('takes address and token from bootstrap.json, and prints the answer as proto3 JSON with every field', async () => {
  const decided = answer(await runCli(['call', ...WHO], here));
  expect(decided).toMatchObject({ allowed: true, effect: 'EFFECT_ALLOW', reasonCode: 'ALLOWED', obligations: [] });
  expect(decided['asOf']).toMatch(/^\d{4}-.*Z$/);
});

it.each([
  ['the full name', 'securityhub.v1.SecurityHub/CheckPermission'],
  ['dots', 'SecurityHub.CheckPermission'],
  ['the path on the wire', '/securityhub.v1.SecurityHub/CheckPermission'],
])('takes a method by %s', async (_, name) => {
  expect(answer(await runCli(['call', name, WHO[1]], here))).toHaveProperty('allowed', true);
});

it('finds bootstrap.json by --data-dir, and the hub by its socket', async () => {
  expect(answer(await runCli(['call', ...WHO, '--data-dir', hub.dataDir]))).toHaveProperty('allowed', true);
  const socket = `unix:${join(hub.dataDir, 'hub.sock')}`;
  expect(answer(await runCli(['call', ...WHO, '--address', socket], here))).toHaveProperty('allowed', true);
});

it('reads the request from standard input with -', async () => {
  expect(answer(await runCli(['call', WHO[0], '-'], here, WHO[1]))).toHaveProperty('allowed', true);
});

it('sends the token it is given: --token, then SECURITY_HUB_TOKEN, then bootstrap.json; an empty one is none', async () => {
  const key = hub.bootstrap().api_key;
  expect(answer(await runCli(['call', ...WHO, '--token', key], { ...here, SECURITY_HUB_TOKEN: 'garbage' }))).toHaveProperty(
    'allowed',
    true,
  );
  const wrong = await runCli(['call', ...WHO], { ...here, SECURITY_HUB_TOKEN: 'garbage' });
  expect(wrong).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^security-hub call: UNAUTHENTICATED \/ TOKEN_MALFORMED: /) });
  expect((await runCli(['call', ...WHO, '--token', ''], here)).err).toContain('UNAUTHENTICATED / CREDENTIALS_MISSING');
  expect(answer(await runCli(['call', 'TokenService/GetJwks', '--token', ''], here))).toHaveProperty('keys');
});

it('shows code, reason and the field of a fault', async () => {
  const { code, out, err } = await runCli(['call', 'SecurityHub/CheckPermission', '{"action": "read"}'], here);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^security-hub call: INVALID_ARGUMENT \/ REQUEST_INVALID: .*resource/);
  const many = await runCli(['call', 'UserService/CreateUser', JSON.stringify({ username: '', email: 'x'.repeat(400) })], here);
  expect(many.err).toMatch(/: username: .*\n {2}email: /);
});

it('says so when nobody answers, and when the time is up', async () => {
  const nobody = await runCli(['call', ...WHO, '--address', '127.0.0.1:1'], here);
  expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('no connection to 127.0.0.1:1') });
  expect(nobody.err).toContain('Is the hub running there?');
  const http = await runCli(['call', ...WHO, '--address', new URL(hub.http).host], here);
  expect(http.err).toContain('That port does not speak gRPC: the hub speaks it on GRPC_PORT');
  const ca = join(hub.dataDir, 'other.crt');
  writeFileSync(ca, selfSigned('hub').chain);
  const tls = await runCli(['call', ...WHO, '--ca', ca], here);
  expect(tls.err).toContain('That port does not speak TLS: leave out --ca');
  const hurried = await runCli(['call', ...WHO, '--timeout', '0.000001'], here);
  expect(hurried).toMatchObject({ code: 1, err: expect.stringContaining('DEADLINE_EXCEEDED') });
  expect(await runCli(['call', ...WHO, '--timeout', 'soon'], here)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--timeout must be'),
  });
});

it('refuses streams: grpcurl is for them', async () => {
  const { code, err } = await runCli(['call', 'grpc.health.v1.Health/Watch'], here);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('is a stream; use grpcurl') });
});
