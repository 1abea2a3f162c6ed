// What variables do that no other test sets from the environment: variable in, behaviour out, on real stores.
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK } from 'jose';
import { days, hours, minutes, seconds } from '../../src/base/time.ts';
import { localCall } from '../../src/cli/local-call.ts';
import { loadConfig } from '../../src/server/config/schema.ts';
import { createInstallation } from '../cli/production.ts';
import { type FreshDatabase, freshDatabase, outcome, redisUrl, testClock, waitFor } from '../harness.ts';
import { createGround, operator } from '../rpc/certificates/setup.ts';
import { type Hub, openHub } from './app.ts';

const folder = mkdtempSync(join(tmpdir(), 'security-hub-effects-'));
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const fresh = async (): Promise<FreshDatabase> => {
  const database = await freshDatabase();
  ends.push(database.close);
  return database;
};
const open = async (...given: Parameters<typeof openHub>): Promise<Hub> => {
  const hub = await openHub(...given);
  ends.push(hub.stop);
  return hub;
};
const pem = (name: string, key: KeyObject): string => {
  const path = join(folder, name);
  writeFileSync(path, key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }), { mode: 0o600 });
  return path;
};
const log = async (hub: Hub): Promise<{ accessToken: string; refreshToken: string; expiresIn: string }> => {
  const { tenant_id: tenantId, username, password } = hub.bootstrap;
  return (await hub.ask('AuthenticationService/Login', { tenantId, username, password }, ''))['tokens'] as never;
};
const owner = {
  role: 'owner',
  scopes: [],
  authMethod: 'password',
  mfaVerified: false,
  device: null,
  ipAddress: '',
  life: hours(12),
} as const;
/** A member that is text in JSON: an id, a time. */
const textOf = (message: unknown, member: string): string => {
  const value: unknown = Reflect.get(Object(message), member);
  if (typeof value !== 'string') throw new Error(`${member} is no text`);
  return value;
};
const lifeOf = (certificate: X509Certificate): number => Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
const chainOf = (text: unknown): X509Certificate[] =>
  (String(text).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one));

/** Of more than fit: room is made for a sixty-fourth at a time. */
const expectFull = (kept: number, capacity: number): void => {
  expect(kept).toBeLessThanOrEqual(capacity);
  expect(kept).toBeGreaterThan(capacity - capacity / 64);
};

describe('one hub with everything set otherwise', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const prefix = `effects${process.pid}:`;
  const clock = testClock();
  let database: FreshDatabase;
  let hub: Hub;

  beforeAll(async () => {
    database = await fresh();
    hub = await open(
      {
        POSTGRES_URI: database.uri,
        REDIS_URL: redisUrl(),
        REDIS_PREFIX: prefix,
        POSTGRES_POOL_SIZE: '3',
        TLS: 'on',
        SERVICE_NAME: 'hub-eu',
        TLS_DNS_NAMES: 'hub.corp.example, *.hub.corp.example',
        TRUST_DOMAIN: 'corp.example',
        JWT_ISSUER: 'https://hub.corp.example',
        JWT_AUDIENCE: 'web,mobile',
        JWT_PRIVATE_KEY_PATH: pem('signing.pem', pair.privateKey),
        JWT_PUBLIC_KEY_PATH: pem('signing.pub', pair.publicKey),
        ACCESS_TOKEN_MINUTES: '2',
        SESSION_TIMEOUT_MINUTES: '20',
        REFRESH_TOKEN_DAYS: '0.02',
        MAX_LOGIN_ATTEMPTS: '2',
        LOCKOUT_DURATION_MINUTES: '7',
        PASSWORD_MIN_LENGTH: '40',
        API_KEY_MAX_DAYS: '3',
        DECISION_TTL_SECONDS: '5',
        ENCRYPTION_KEY_ROTATION_DAYS: '11',
        CERT_TTL_SECONDS: '600',
        CERT_MIN_TTL_SECONDS: '120',
        CERT_MAX_TTL_SECONDS: '900',
        ROOT_CA_DAYS: '20',
        INTERMEDIATE_CA_DAYS: '5',
        SERVER_CERT_TTL_SECONDS: '1000',
        RIGHTS_CACHE_ENTRIES: '2000',
        VERDICT_CACHE_SIZE: '1000',
      },
      { clock },
    );
  });

  it('REDIS_PREFIX stands before every key', async () => {
    const redis = new Redis(redisUrl());
    try {
      await hub.ask('TokenService/RevokeToken', { token: (await log(hub)).accessToken });
      expect(await redis.exists(`${prefix}changes`)).toBe(1);
    } finally {
      redis.disconnect();
    }
  });

  it('POSTGRES_POOL_SIZE bounds the connections of a crowd', async () => {
    await Promise.all(Array.from({ length: 30 }, () => hub.ask('UserService/ListUsers', {})));
    expect(await hub.metric('securityhub_postgres_connections')).toBe(3);
  });

  it('JWT_ISSUER and JWT_AUDIENCE are what a token says', async () => {
    const claims = decodeJwt((await log(hub)).accessToken);
    expect([claims.iss, claims.aud]).toEqual(['https://hub.corp.example', ['web', 'mobile']]);
  });

  it('JWT_PRIVATE_KEY_PATH signs, and JWT_PUBLIC_KEY_PATH is what the JWKS shows', async () => {
    const kid = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
    expect(decodeProtectedHeader((await log(hub)).accessToken)).toMatchObject({ kid, alg: 'ES256' });
    const { keys } = await hub.ask('TokenService/GetJwks', {}, '');
    expect((keys as JsonObject[]).map((key) => key['kid'])).toEqual([kid]);
    const other = pem('other.pub', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
    const halves = { JWT_PRIVATE_KEY_PATH: join(folder, 'signing.pem'), JWT_PUBLIC_KEY_PATH: other };
    expect(await outcome(openHub({ POSTGRES_URI: database.uri, ...halves }))).toBe('FAILED_PRECONDITION/SIGNING_KEY_MISMATCH');
  });

  it('ACCESS_TOKEN_MINUTES is how long an access token lives', async () => {
    const { accessToken } = await log(hub);
    const { iat = 0, exp = 0 } = decodeJwt(accessToken);
    expect(exp - iat).toBeLessThanOrEqual(120);
    expect(exp - iat).toBeGreaterThanOrEqual(113);
  });

  it('MAX_LOGIN_ATTEMPTS locks, and LOCKOUT_DURATION_MINUTES is how long', async () => {
    await hub.ask('UserService/CreateUser', { username: 'eve', password: 'x'.repeat(39) + '!' });
    const login = (password: string) => outcome(hub.ask('AuthenticationService/Login', { tenantId: 'dev', username: 'eve', password }, ''));
    const right = `${'x'.repeat(39)}!`;
    expect([await login(right), await login('wrong'), await login('wrong'), await login(right)]).toEqual([
      'OK',
      ...Array.from({ length: 3 }, () => 'UNAUTHENTICATED/CREDENTIALS_INVALID'),
    ]);
    const [row] = await database.sql<{ left: number }>(
      `SELECT extract(epoch FROM locked_until - clock_timestamp())::int AS left FROM login_attempts WHERE locked_until IS NOT NULL`,
    );
    expect(row?.left).toBeGreaterThan(6 * 60);
    expect(row?.left).toBeLessThanOrEqual(7 * 60);
  });

  it('PASSWORD_MIN_LENGTH is asked of new passwords', async () => {
    const create = hub.ask('UserService/CreateUser', { username: 'short', password: `${'x'.repeat(38)}!` });
    expect(await outcome(create)).toBe('INVALID_ARGUMENT/PASSWORD_TOO_WEAK');
  });

  it('API_KEY_MAX_DAYS is the life of a key that asks for none', async () => {
    const { apiKey } = await hub.ask('ApiKeyService/CreateApiKey', { name: 'ci', permissions: ['users:read'] });
    const left = Date.parse(textOf(apiKey, 'expiresAt')) - clock.now();
    expect(left).toBeCloseTo(days(3), -4);
    expect(await database.sql('SELECT FROM api_keys WHERE expires_at IS NULL')).toEqual([]);
  });

  it('DECISION_TTL_SECONDS is how long a decision may be kept', async () => {
    const decided = await hub.ask('SecurityHub/CheckPermission', { action: 'read', resource: { type: 'users' } });
    expect(Date.parse(textOf(decided, 'validUntil')) - clock.now()).toBe(seconds(5));
  });

  it('ENCRYPTION_KEY_ROTATION_DAYS is in a key made on first use', async () => {
    const { keyName } = await hub.ask('SecurityHub/Encrypt', { plaintext: 'aGVsbG8=' });
    const { keys } = await hub.ask('EncryptionService/ListKeys', {});
    const key = (keys as JsonObject[]).find((one) => one['name'] === keyName);
    expect(JSON.stringify(key)).toContain(`${days(11) / 1000}s`);
  });

  const issue = (ttl?: string): Promise<JsonObject> =>
    hub.ask('SecurityHub/IssueServiceCert', {
      service: 'billing',
      namespace: 'default',
      generateKey: {},
      ...(ttl === undefined ? {} : { ttl }),
    });

  it('TRUST_DOMAIN is in every identity', async () => {
    expect((await issue())['spiffeId']).toBe('spiffe://corp.example/ns/default/sa/billing');
  });

  it.each([
    ['CERT_TTL_SECONDS is the life of a certificate that asks for none', undefined, 600],
    ['CERT_MAX_TTL_SECONDS caps one that asks for more', '3600s', 900],
  ])('%s', async (_, ttl, life) => {
    expect((Date.parse(textOf(await issue(ttl), 'notAfter')) - clock.now()) / 1000).toBeCloseTo(life, -1);
  });

  it('CERT_MIN_TTL_SECONDS refuses one that asks for less', async () => {
    expect(await outcome(issue('119s'))).toMatch(/^INVALID_ARGUMENT\//);
    expect(await outcome(issue('120s'))).toBe('OK');
  });

  it('ROOT_CA_DAYS and INTERMEDIATE_CA_DAYS are the lives of the authorities', async () => {
    const { certificatePem, trustBundlePem } = await issue();
    const [, intermediate] = chainOf(certificatePem);
    const [root] = chainOf(trustBundlePem);
    if (intermediate === undefined || root === undefined) throw new Error('the chain is short');
    expect(lifeOf(root) / days(1)).toBeCloseTo(20, 1);
    expect(lifeOf(intermediate) / days(1)).toBeCloseTo(5, 1);
  });

  it('SERVER_CERT_TTL_SECONDS, TLS_DNS_NAMES and SERVICE_NAME are in the certificate we serve with', async () => {
    const socket = connect({ host: '127.0.0.1', port: hub.app.ports.grpc, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const shown = socket.getPeerX509Certificate();
    socket.destroy();
    if (shown === undefined) throw new Error('no certificate was shown');
    expect(lifeOf(shown) / 1000).toBeLessThanOrEqual(1000 + 120);
    expect(lifeOf(shown) / 1000).toBeGreaterThanOrEqual(1000);
    for (const name of ['localhost', 'hub-eu', 'hub.corp.example', '*.hub.corp.example'])
      expect(shown.subjectAltName?.split(', ')).toContain(`DNS:${name}`);
  });

  it('RIGHTS_CACHE_ENTRIES bounds the subjects in memory', async () => {
    await database.sql(`INSERT INTO permission_grant (tenant_id, id, subject_type, subject_id, effect, permission, granted_by, created_at)
      SELECT 'dev', 'g' || n, 'user', 'usr_' || n, 'allow', 'users:read', 'test', now() FROM generate_series(1, 2200) n`);
    await database.sql(`INSERT INTO users SELECT (jsonb_populate_record(u, jsonb_build_object('user_id', 'usr_' || n, 'username', 'u' || n))).*
      FROM users u, generate_series(1, 2200) n WHERE u.username = 'admin'`);
    for (const from of [0, 1000, 2000]) {
      const checks = Array.from({ length: from === 2000 ? 200 : 1000 }, (_, n) => ({
        id: `c${n}`,
        action: 'read',
        resource: { type: 'users' },
        subject: { type: 'user', id: `usr_${from + n + 1}` },
      }));
      const { results } = await hub.ask('SecurityHub/BatchCheck', { checks });
      expect((results as JsonObject[]).filter((one) => one['allowed'] !== true)).toEqual([]);
    }
    expectFull(await hub.metric('securityhub_rights_cached'), 2000);
  });

  it('VERDICT_CACHE_SIZE bounds the verified tokens in memory', async () => {
    const opening = { ...owner, tenantId: 'dev', userId: await hub.app.identity.userIdOf('dev', 'admin') };
    for (let count = 0; count < 1100; count += 1) hub.app.tokens.verify((await hub.app.tokens.mint(opening)).accessToken, clock.now());
    expectFull(await hub.metric('securityhub_verified_tokens'), 1000);
  });

  it('SESSION_TIMEOUT_MINUTES ends a session that is not used', async () => {
    const [{ refreshToken: used }, { refreshToken: unused }] = [await log(hub), await log(hub)];
    const age = (by: string) => database.sql(`UPDATE token_families SET idle_expires_at = idle_expires_at - $1::interval`, [by]);
    await age('19 minutes');
    expect(await outcome(hub.ask('TokenService/RefreshToken', { refreshToken: used }, ''))).toBe('OK');
    await age('2 minutes');
    expect(await outcome(hub.ask('TokenService/RefreshToken', { refreshToken: used }, ''))).toBe('OK');
    expect(await outcome(hub.ask('TokenService/RefreshToken', { refreshToken: unused }, ''))).toMatch(/^UNAUTHENTICATED\//);
  });

  it('REFRESH_TOKEN_DAYS ends a session whether it is used or not', async () => {
    const { refreshToken } = await log(hub);
    const [row] = await database.sql<{ life: number }>(
      'SELECT extract(epoch FROM absolute_expires_at - created_at)::int AS life FROM token_families ORDER BY created_at DESC LIMIT 1',
    );
    expect(row?.life).toBe((0.02 * days(1)) / 1000);
    await database.sql('UPDATE token_families SET absolute_expires_at = clock_timestamp()');
    expect(await outcome(hub.ask('TokenService/RefreshToken', { refreshToken }, ''))).toMatch(/^UNAUTHENTICATED\//);
  });
});

describe('what is kept in memory when nothing changes', () => {
  const clock = testClock();
  let database: FreshDatabase;
  let hub: Hub;
  /** The owners of ten other tenants. */
  const others: string[] = [];

  const allowed = async (userId: string): Promise<unknown> => {
    const request = { subject: { type: 'user', id: userId }, action: 'read', resource: { type: 'users' } };
    // A clock that jumps looks like a feed that could not be read, until the next look at it.
    await waitFor(() => hub.app.platform.feed.age() < seconds(1), 5000, 'a look at the feed');
    await waitFor(async () => (await outcome(hub.ask('SecurityHub/CheckPermission', request))) === 'OK', 5000, 'a fresh feed');
    return (await hub.ask('SecurityHub/CheckPermission', request))['allowed'];
  };
  const reader = async (username: string): Promise<string> => {
    const { user } = await hub.ask('UserService/CreateUser', { username, password: 'correct horse, battery staple' });
    const id = textOf(user, 'id');
    await hub.ask('AuthorizationService/AssignRole', { subject: { type: 'user', id }, role: 'reader' });
    expect(await allowed(id)).toBe(true);
    return id;
  };
  const putReader = (permissions: string[]) => hub.ask('AuthorizationService/PutRole', { role: { name: 'reader', permissions } });

  beforeAll(async () => {
    database = await fresh();
    const settings = { RIGHTS_CACHE_MINUTES: '2', ROLE_CACHE_MINUTES: '4', ROLE_CACHE_TENANTS: '10' };
    hub = await open({ POSTGRES_URI: database.uri, ...settings }, { clock });
    for (let count = 0; count < 10; count += 1) {
      const first = { tenantId: `other-${count}`, namespaces: [], username: 'olga', password: '', roles: ['owner'] };
      const created = await hub.app.identity.bootstrap(first, localCall('test', hub.app.platform.random));
      const opening = { ...owner, tenantId: first.tenantId, userId: created?.userId ?? '' };
      others.push((await hub.app.tokens.mint(opening)).accessToken);
    }
    await putReader(['users:read']);
  });

  it('RIGHTS_CACHE_MINUTES: rights that were changed behind our back count that long', async () => {
    const ann = await reader('ann');
    await database.sql(`DELETE FROM role_assignment WHERE subject_id = $1`, [ann]);
    clock.advance(minutes(2) - seconds(1));
    expect(await allowed(ann)).toBe(true);
    clock.advance(seconds(2));
    expect(await allowed(ann)).toBe(false);
  });

  it('ROLE_CACHE_MINUTES: roles that were changed behind our back count that long', async () => {
    await putReader(['users:read']);
    const ben = await reader('ben');
    await database.sql(`UPDATE role SET permissions = '{}' WHERE name = 'reader'`);
    clock.advance(minutes(4) - seconds(1));
    expect(await allowed(ben)).toBe(true);
    clock.advance(seconds(2));
    expect(await allowed(ben)).toBe(false);
  });

  it('ROLE_CACHE_TENANTS: asking about so many others forgets a tenant’s roles', async () => {
    await putReader(['users:read']);
    const cleo = await reader('cleo');
    await database.sql(`UPDATE role SET permissions = '{}' WHERE name = 'reader'`);
    expect(await allowed(cleo)).toBe(true);
    // Twice: what was asked for is spared once.
    for (const olga of [...others, ...others])
      await hub.ask('SecurityHub/CheckPermission', { action: 'read', resource: { type: 'users' } }, olga);
    expect(await allowed(cleo)).toBe(false);
  });
});

it('REVOCATION_MIRROR_SIZE: a replica that cannot keep every revocation is not ready', async () => {
  const database = await fresh();
  await database.sql(`INSERT INTO change (seq, kind, tenant_id, key, until)
    SELECT n, 'user', 'acme', 'usr_' || n, now() + interval '1 hour' FROM generate_series(1, 1001) n`);
  await database.sql('UPDATE change_head SET seq = 1001');
  const small = await open({ POSTGRES_URI: database.uri, REVOCATION_MIRROR_SIZE: '1000' });
  expect(await small.ready()).toMatchObject({ status: 503, text: expect.stringMatching(/revocation/) });
  const large = await open({ POSTGRES_URI: database.uri, REVOCATION_MIRROR_SIZE: '2000' });
  expect((await large.ready()).status).toBe(200);
});

it('JWT_ALGORITHM is that of a signing key when it is made', async () => {
  const hub = await open({ POSTGRES_URI: (await fresh()).uri, JWT_ALGORITHM: 'EdDSA' });
  expect(decodeProtectedHeader((await log(hub)).accessToken)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' });
});

it('CERT_RETENTION_DAYS is how long a certificate stays in the list after its end', async () => {
  const { config } = loadConfig({ environment: { CERT_RETENTION_DAYS: '2' }, flags: {}, readFile: () => '' });
  const clock = testClock();
  const database = await fresh();
  const ground = await createGround({ database, clock, config: config.certificates });
  try {
    await ground.issue(operator(), { namespace: 'shop', service: 'billing', generateKey: { type: 0 } });
    const kept = async (): Promise<number> => (await database.sql('SELECT FROM certificates')).length;
    clock.advance(hours(1) + days(2) - minutes(5));
    await ground.wire.sweep();
    expect(await kept()).toBe(1);
    clock.advance(minutes(10));
    await ground.wire.sweep();
    expect(await kept()).toBe(0);
  } finally {
    await ground.stop();
  }
});

it('CERT_ALLOW_GENERATED_KEYS is what makes private keys travel in production', async () => {
  for (const [allowed, wanted] of [
    ['false', 'FAILED_PRECONDITION/KEY_GENERATION_DISABLED'],
    ['true', 'OK'],
  ] as const) {
    const { config } = loadConfig({ environment: { CERT_ALLOW_GENERATED_KEYS: allowed }, flags: {}, readFile: () => '' });
    const ground = await createGround({ database: await fresh(), production: true, config: config.certificates });
    expect(await outcome(ground.issue(operator(), { namespace: 'shop', service: 'billing', generateKey: { type: 0 } }))).toBe(wanted);
    await ground.stop();
  }
});

it('MIGRATION_POSTGRES_URI migrates, with POSTGRES_URI let into the roles', async () => {
  const installation = await createInstallation();
  try {
    const { POSTGRES_URI, MIGRATION_POSTGRES_URI } = installation.env as Record<string, string>;
    expect(await outcome(openHub({ POSTGRES_URI: POSTGRES_URI ?? '' }))).toBe('FAILED_PRECONDITION/STORE_REFUSED');
    const hub = await openHub({ POSTGRES_URI: POSTGRES_URI ?? '', MIGRATION_POSTGRES_URI: MIGRATION_POSTGRES_URI ?? '' });
    expect((await hub.ready()).status).toBe(200);
    await hub.stop();
  } finally {
    await installation.close();
  }
});
