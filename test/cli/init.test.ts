// The first tenant of a production installation, from the set-up token to a workload that is known by its certificate.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { waitFor } from '../harness.ts';
import { type Environment, type HubProcess, type Ran, runCli, startHub } from '../hub-process.ts';
import { createInstallation, type Installation } from './production.ts';

let installation: Installation;
let env: Environment;
let hub: HubProcess;

const PASSWORD = 'correct horse, battery staple';

beforeAll(async () => {
  installation = await createInstallation();
  // Its own certificate, as production speaks by itself; keys are generated for callers only where that is allowed.
  env = { ...installation.env, TLS: 'auto', CERT_ALLOW_GENERATED_KEYS: 'true' };
  expect((await runCli(['migrate'], env)).code).toBe(0);
  hub = await startHub(env);
});
afterAll(async () => {
  await hub.stop();
  await installation.close();
});

const setUp = async (): Promise<string> => {
  const { code, out } = await runCli(['init'], env);
  expect(code).toBe(0);
  expect(out).toMatch(/good once, until \d{4}-/);
  return /^set-up token: (\S+)$/m.exec(out)?.[1] ?? '';
};
const redeem = (token: string, tenant: string, more: Environment = {}, words: readonly string[] = []): Promise<Ran> =>
  runCli(['init', '--redeem', token, '--tenant', tenant, '--username', 'olga', ...words], { ...env, ...more });

const file = (name: string, text: string): string => {
  const path = join(installation.dataDir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const call = async (words: readonly string[]): Promise<Record<string, unknown>> => {
  const { code, out, err } = await runCli(['call', ...words, '--address', hub.grpc, '--ca', join(installation.dataDir, 'ca.pem')]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as Record<string, unknown>;
};

it('a hub in production has no users until init', async () => {
  expect(hub.output()).not.toContain('admin');
  expect(() => hub.bootstrap()).toThrow('ENOENT');
});

it('a set-up token opens once: the tenant, its namespaces and an owner who can log in', async () => {
  const token = await setUp();
  const made = await redeem(token, 'acme', { SETUP_PASSWORD: PASSWORD }, ['--namespace', 'shop,back']);
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out).not.toContain(PASSWORD);
  const { trust_bundle_pem: bundle, ...said } = JSON.parse(made.out) as Record<string, string>;
  expect(said).toEqual({ tenant_id: 'acme', username: 'olga' });
  file('ca.pem', bundle ?? '');

  const again = await redeem(token, 'other', { SETUP_PASSWORD: PASSWORD });
  expect(again).toMatchObject({ code: 1, out: '', err: expect.stringContaining('unknown, spent or too old') });

  const { tokens } = (await call([
    'AuthenticationService/Login',
    JSON.stringify({ tenantId: 'acme', username: 'olga', password: PASSWORD }),
  ])) as { tokens: { accessToken: string } };
  file('token', tokens.accessToken);
  expect(await call(['TenantService/GetTenant', '{}', '--token', tokens.accessToken])).toMatchObject({
    tenant: { id: 'acme', namespaces: ['back', 'shop'] },
  });
});

it('the owner also makes further tenants, and finds what init did in the audit log', async () => {
  const token = readFileSync(join(installation.dataDir, 'token'), 'utf8');
  await call(['TenantService/CreateTenant', '{"id": "partner"}', '--token', token]);
  const found = (await call(['AuditService/SearchEvents', '{"eventTypes": ["user.created"]}', '--token', token])) as {
    events: readonly { method: string }[];
  };
  expect(found.events.map((event) => event.method)).toContain('cli/init');
});

it('without SETUP_PASSWORD a password is made up and shown once, whatever the policy', async () => {
  const made = await redeem(await setUp(), 'second', { PASSWORD_MIN_LENGTH: '64' });
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining('not shown again') });
  const { password } = JSON.parse(made.out) as { password: string };
  expect(password.length).toBeGreaterThanOrEqual(64);
  const login = { tenantId: 'second', username: 'olga', password };
  expect(await call(['AuthenticationService/Login', JSON.stringify(login)])).toHaveProperty('tokens.accessToken');
});

it('admin recover lets an owner in again: another password, unlocked, active, and nothing of before is left', async () => {
  const token = readFileSync(join(installation.dataDir, 'token'), 'utf8');
  const login = (password: string): readonly string[] => [
    'AuthenticationService/Login',
    JSON.stringify({ tenantId: 'acme', username: 'olga', password }),
  ];
  const at = ['--address', hub.grpc, '--ca', join(installation.dataDir, 'ca.pem')];
  // Locked for this address: the right password is refused as well.
  for (let failed = 0; failed < 5; failed += 1) await runCli(['call', ...login('a wrong one'), ...at]);
  expect((await runCli(['call', ...login(PASSWORD), ...at])).code).toBe(1);

  const made = await runCli(['admin', 'recover', '--tenant', 'acme', '--username', 'Olga'], env);
  expect(made).toMatchObject({ code: 0, err: expect.stringContaining('not shown again') });
  const { password, ...said } = JSON.parse(made.out) as Record<string, string>;
  expect(said).toEqual({ tenant_id: 'acme', username: 'Olga', user_id: expect.stringMatching(/^usr_/) });

  // Another process wrote it: the hub hears within two seconds.
  const old = () => runCli(['call', 'TenantService/GetTenant', '{}', '--token', token, ...at]);
  await waitFor(async () => (await old()).err.includes('UNAUTHENTICATED'), 5000, 'the old token is refused');
  const { tokens } = (await call(login(password ?? ''))) as { tokens: { accessToken: string } };
  file('token', tokens.accessToken);
  const found = (await call(['AuditService/SearchEvents', '{"eventTypes": ["user.recovered"]}', '--token', tokens.accessToken])) as {
    events: readonly object[];
  };
  expect(found.events).toMatchObject([{ method: 'cli/admin recover', level: 'alert', resource: `user:${said['user_id']}` }]);
});

it('admin recover makes an owner of whoever is named, suspended or not, and says whom it does not find', async () => {
  const token = readFileSync(join(installation.dataDir, 'token'), 'utf8');
  const { user } = (await call(['UserService/CreateUser', JSON.stringify({ username: 'piet', password: PASSWORD }), '--token', token])) as {
    user: { id: string };
  };
  await call(['UserService/SuspendUser', JSON.stringify({ userId: user.id, reason: 'left' }), '--token', token]);
  const words = ['admin', 'recover', '--tenant', 'acme', '--username', 'piet'];
  const made = await runCli(words, { ...env, SETUP_PASSWORD: `${PASSWORD}!` });
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out).not.toContain(PASSWORD);
  const { tokens } = (await call([
    'AuthenticationService/Login',
    JSON.stringify({ tenantId: 'acme', username: 'piet', password: `${PASSWORD}!` }),
  ])) as { tokens: { accessToken: string } };
  expect(
    await call(['SecurityHub/CheckPermission', '{"action": "security", "resource": {"type": "admin"}}', '--token', tokens.accessToken]),
  ).toMatchObject({ allowed: true });
  const nobody = await runCli(['admin', 'recover', '--tenant', 'acme', '--username', 'nobody'], env);
  expect(nobody).toMatchObject({ code: 1, out: '', err: 'security-hub admin: no such user\n' });
  const nowhere = await runCli(['admin', 'recover', '--tenant', 'nowhere', '--username', 'olga'], env);
  expect(nowhere).toMatchObject({ code: 1, out: '', err: 'security-hub admin: no such tenant\n' });
  expect((await runCli(words, { ...env, SETUP_PASSWORD: 'short' })).err).toContain('password');
});

it('a workload is known by its certificate: call --cert and --key', async () => {
  const issue = { service: 'billing', namespace: 'shop', generateKey: {} };
  const issued = (await call([
    'SecurityHub/IssueServiceCert',
    JSON.stringify(issue),
    '--token',
    readFileSync(join(installation.dataDir, 'token'), 'utf8'),
  ])) as Record<string, string>;
  const [cert, key] = [file('billing.crt', issued['certificatePem'] ?? ''), file('billing.key', issued['privateKeyPem'] ?? '')];
  const renewed = await call(['CertificateService/RenewServiceCert', '{"generateKey": {}}', '--cert', cert, '--key', key]);
  expect(renewed['spiffeId']).toBe('spiffe://dev.internal/ns/shop/sa/billing');
  const half = await runCli(['call', 'SecurityHub/ValidateToken', '--cert', cert, '--address', hub.grpc]);
  expect(half).toMatchObject({ code: 2, err: expect.stringContaining('--cert and --key belong together') });
});

it('a hub whose certificate does not verify is not spoken to', async () => {
  const { code, err } = await runCli([
    'call',
    'TokenService/GetJwks',
    '--address',
    hub.grpc,
    '--ca',
    join(installation.dataDir, 'billing.crt'),
  ]);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('UNAVAILABLE: no connection') });
});

it('init needs the database and the master key', async () => {
  expect(await runCli(['init'], { ...env, POSTGRES_URI: '' })).toMatchObject({ code: 1, err: expect.stringContaining('set POSTGRES_URI') });
  const otherKey = file('other.key', Buffer.alloc(32, 'another master key, not ours!').toString('base64'));
  expect(await runCli(['init'], { ...env, ENCRYPTION_KEY_PATH: otherKey })).toMatchObject({
    code: 1,
    err: expect.stringContaining('made with another master key'),
  });
});
