// After a restore: replicas notice that the past was lost and stop, `security-hub recover` starts a new generation, and nothing older counts.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { Resource } from '../../src/gen/securityhub/v1/authorization.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { TenantServiceService as Tenants } from '../../src/gen/securityhub/v1/tenant.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, runCli, startHub } from '../hub-process.ts';
import { freePort } from '../stores.ts';
import { type Caller, openCaller, report } from './caller.ts';

const PASSWORD = 'correct-horse-battery-1';
const PERSONS = [
  { tenantId: 'dev', username: 'anna' },
  { tenantId: 'other', username: 'olaf' },
] as const;

let database: FreshDatabase;
let hub: HubProcess;
let env: Environment;
let probes: string;
let operator: Caller;

beforeAll(async () => {
  database = await freshDatabase();
  const home = hubHome();
  const port = await freePort();
  probes = `http://127.0.0.1:${port}`;
  env = { ...home.env, POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:` };
  hub = await startHub({ ...env, PROBE_PORT: String(port) });
  // An API key: no recovery ends it.
  operator = openCaller(hub.grpc, hub.bootstrap().api_key);
  await operator.ask(Tenants.createTenant, { id: 'other' });
  for (const { tenantId, username } of PERSONS)
    await operator.ask(Users.createUser, { tenantId, username, password: PASSWORD, roles: ['member'] });
}, 30_000);

afterAll(async () => {
  operator?.close();
  await hub?.stop();
  await database?.close();
});

const isReady = async (): Promise<boolean> => (await fetch(`${probes}/readyz`)).ok;

const login = async (person: (typeof PERSONS)[number]): Promise<Tokens> => {
  const { tokens } = await operator.ask(Authentication.login, { ...person, password: PASSWORD }, '');
  if (tokens === undefined) throw new Error('a login without tokens');
  return tokens;
};

const logins = (): Promise<Tokens[]> => Promise.all(PERSONS.map(login));

/** Its refresh token is not used up. */
const kept = (tokens: Tokens): Tokens => ({ ...tokens, refreshToken: '' });

/** By the verdict, as a caller's own credential, and by its refresh token. */
const standing = async ({ accessToken, refreshToken }: Tokens): Promise<readonly string[]> => {
  const { valid, reasons } = await operator.ask(Hub.validateToken, { token: accessToken });
  const resource = Resource.fromPartial({ type: 'conversations', id: 'c1' });
  const own = await operator.tell(Hub.checkPermission, { action: 'read', resource }, accessToken);
  const refresh = refreshToken === '' ? null : await operator.tell(TokenService.refreshToken, { refreshToken }, '');
  return [valid ? 'valid' : (reasons[0]?.code ?? ''), own.code, ...(refresh === null ? [] : [refresh.code])];
};

const recover = async (): Promise<void> => {
  const ran = await runCli(['recover', '--yes'], env);
  expect(ran).toMatchObject({ code: 0 });
};

/** Readiness comes and goes within a poll: what tells is that the old token is refused and a new one counts. */
const recovered = (old: Tokens): Promise<void> =>
  waitFor(
    async () => (await isReady()) && (await operator.tell(Hub.validateToken, { token: old.accessToken })).answer?.valid === false,
    5000,
    'the new generation',
  );

describe('after a restore', () => {
  const generations: Tokens[][] = [];

  it('replicas that knew more than the database does stop answering', async () => {
    const tokens = await logins();
    generations.push([{ ...(tokens[0] as Tokens), accessToken: hub.bootstrap().access_token, refreshToken: '' }, ...tokens]);
    for (const one of generations.flat()) expect(await standing(kept(one))).toEqual(['valid', 'OK']);
    // What a restored backup looks like from a replica: the newest changes are gone.
    await database.sql('DELETE FROM change WHERE seq > (SELECT seq - 3 FROM change_head)');
    await database.sql('UPDATE change_head SET seq = seq - 3');
    await waitFor(async () => !(await isReady()), 5000, 'unreadiness');
    expect(await operator.tell(Hub.validateToken, { token: tokens[0]?.accessToken ?? '' })).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'FEED_STALE',
    });
  });

  it.each(['first', 'second'])(
    'the %s recovery makes them ready, refuses everything issued before it in every tenant, and lets people log in',
    async (which) => {
      const before = which === 'first' ? (generations[0] ?? []) : await logins();
      if (which === 'second') {
        generations.push(before);
        for (const one of before) expect(await standing(kept(one))).toEqual(['valid', 'OK']);
      }
      const began = performance.now();
      await recover();
      await recovered(before[0] as Tokens);
      report(`${which} recovery: ready again ${(performance.now() - began).toFixed(0)} ms after the command began`);
      for (const one of generations.flat()) {
        const [verdict, ...others] = await standing(one);
        expect(['SESSION_ENDED', 'TENANT_SUSPENDED', 'TOKEN_REVOKED']).toContain(verdict);
        expect(others.every((code) => code === 'UNAUTHENTICATED')).toBe(true);
      }
      for (const one of await logins()) expect(await standing(one)).toEqual(['valid', 'OK', 'OK']);
    },
  );

  it('a replica that starts later knows it too', async () => {
    const later = await startHub(env);
    const caller = openCaller(later.grpc, later.bootstrap().api_key);
    for (const { accessToken } of generations.flat())
      expect((await caller.ask(Hub.validateToken, { token: accessToken })).valid).toBe(false);
    const [fresh] = await logins();
    expect((await caller.ask(Hub.validateToken, { token: fresh?.accessToken ?? '' })).valid).toBe(true);
    caller.close();
    await later.stop();
  });
});
