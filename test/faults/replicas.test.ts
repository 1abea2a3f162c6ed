// Two replicas over one Postgres and one Redis: what one was told, the other obeys, and how soon; with Redis, and with Redis dead.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKeyServiceService as ApiKeys } from '../../src/gen/securityhub/v1/api_key.ts';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { AuthorizationServiceService as Authorization, Resource, Subject } from '../../src/gen/securityhub/v1/authorization.ts';
import { CheckPermissionRequest, SecurityHubService as Hub, ValidateTokenRequest } from '../../src/gen/securityhub/v1/security_hub.ts';
import { TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../harness.ts';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { type Caller, figures, openCaller, percentile, report } from './caller.ts';
import { type OwnRedis, startOwnRedis } from './own-stores.ts';

const PASSWORD = 'correct-horse-battery-1';
const conversation = Resource.fromPartial({ type: 'conversations', id: 'c1' });

let database: FreshDatabase;
let redis: OwnRedis;
let hubs: readonly HubProcess[] = [];
/** The administrator at each replica: changes go to `here`, questions to `there`. */
let here: Caller;
let there: Caller;

beforeAll(async () => {
  [database, redis] = await Promise.all([freshDatabase(), startOwnRedis()]);
  const home = hubHome();
  const env = { ...home.env, POSTGRES_URI: database.uri, REDIS_URL: redis.uri };
  const first = await startHub(env);
  const admin = first.bootstrap().access_token;
  const second = await startHub(env);
  hubs = [first, second];
  here = openCaller(first.grpc, admin);
  there = openCaller(second.grpc, admin);
}, 30_000);

afterAll(async () => {
  here?.close();
  there?.close();
  await Promise.all(hubs.map((hub) => hub.stop()));
  await Promise.all([redis?.stop(), database?.close()]);
});

let names = 0;
const makeUser = async (roles: string[] = ['member']): Promise<{ readonly userId: string; readonly username: string }> => {
  const username = `user-${(names += 1)}`;
  const { user } = await here.ask(Users.createUser, { username, password: PASSWORD, roles });
  return { userId: user?.id ?? '', username };
};
const login = async (username: string, at = here) => {
  const { tokens } = await at.ask(Authentication.login, { tenantId: 'dev', username, password: PASSWORD });
  if (tokens === undefined) throw new Error('a login without tokens');
  return tokens;
};

const isValid = async (token: string): Promise<boolean> =>
  (await there.ask(Hub.validateToken, ValidateTokenRequest.fromPartial({ token }))).valid;
const isAllowed = async (userId: string): Promise<boolean> =>
  (
    await there.ask(
      Hub.checkPermission,
      CheckPermissionRequest.fromPartial({
        principal: { $case: 'subject', value: Subject.fromPartial({ type: 'user', id: userId }) },
        action: 'read',
        resource: conversation,
      }),
    )
  ).allowed;

/** Something that is good, how it ends at one replica, and whether the other still takes it for good. */
interface Round {
  end(): Promise<unknown>;
  good(): Promise<boolean>;
}

/** Each kind makes one round after the other. */
const kinds: Readonly<Record<string, () => Promise<() => Promise<Round>>>> = {
  'a token revoked': async () => {
    let { refreshToken } = await login((await makeUser()).username);
    return async () => {
      const { tokens } = await here.ask(TokenService.refreshToken, { refreshToken });
      refreshToken = tokens?.refreshToken ?? '';
      const token = tokens?.accessToken ?? '';
      return { end: () => here.ask(TokenService.revokeToken, { token, scope: 'token' }), good: () => isValid(token) };
    };
  },
  'a role removed': async () => {
    const { userId } = await makeUser([]);
    const role = { subject: { type: 'user', id: userId }, role: 'member' };
    return async () => {
      const { revision } = await here.ask(Authorization.assignRole, role);
      await reached(revision);
      return { end: () => here.ask(Authorization.unassignRole, role), good: () => isAllowed(userId) };
    };
  },
  'an API key revoked': async () => async () => {
    const { apiKey, secret } = await here.ask(ApiKeys.createApiKey, { name: 'short-lived', permissions: ['conversations:read'] });
    return { end: () => here.ask(ApiKeys.revokeApiKey, { apiKeyId: apiKey?.id ?? '' }), good: () => isValid(secret) };
  },
  'a user suspended': async () => {
    const { userId, username } = await makeUser();
    return async () => {
      const { revision } = await here.ask(Users.reactivateUser, { userId });
      await reached(revision);
      const { accessToken } = await login(username);
      return { end: () => here.ask(Users.suspendUser, { userId }), good: () => isValid(accessToken) };
    };
  },
};

/** The other replica has seen it. */
const reached = async (revision: number): Promise<void> => {
  const request = CheckPermissionRequest.fromPartial({ action: 'read', resource: conversation, minPolicyRevision: revision });
  await there.ask(Hub.checkPermission, request);
};

const PATIENCE = 5000;

/** Milliseconds from the acknowledgement here to the first refusal there; 0 where the refusal came first. */
const propagation = async ({ end, good }: Round): Promise<number> => {
  expect(await good()).toBe(true);
  let acknowledged = Number.POSITIVE_INFINITY;
  const ended = end().then(() => (acknowledged = performance.now()));
  const limit = performance.now() + PATIENCE;
  while (await good()) {
    if (performance.now() > limit) throw new Error(`still good ${PATIENCE} ms after its end`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const refused = performance.now();
  await ended;
  // Once refused it stays refused.
  for (let again = 0; again < 5; again += 1) expect(await good()).toBe(false);
  return Math.max(0, refused - acknowledged);
};

/** Round by round, all kinds at once. `quiet`: nothing changes for so long before they end, so that the poll keeps its slow pace. */
const measure = async (rounds: number, quiet: () => number = () => 0): Promise<ReadonlyMap<string, readonly number[]>> => {
  const running = await Promise.all(
    Object.entries(kinds).map(async ([kind, begin]) => ({ kind, next: await begin(), took: [] as number[] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    const made = await Promise.all(running.map(async ({ next, took }) => ({ round: await next(), took })));
    const still = quiet();
    if (still > 0) await new Promise((resolve) => setTimeout(resolve, still));
    await Promise.all(made.map(async (one) => one.took.push(await propagation(one.round))));
  }
  return new Map(running.map(({ kind, took }) => [kind, took]));
};

/** A change here whose number the other replica is asked for at once. */
const writeThenRead = async (rounds: number): Promise<readonly number[]> => {
  const { userId } = await makeUser([]);
  const role = { subject: { type: 'user', id: userId }, role: 'member' };
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const assign = round % 2 === 0;
    const { revision } = await (assign ? here.ask(Authorization.assignRole, role) : here.ask(Authorization.unassignRole, role));
    const request = CheckPermissionRequest.fromPartial({
      principal: { $case: 'subject', value: Subject.fromPartial({ type: 'user', id: userId }) },
      action: 'read',
      resource: conversation,
      minPolicyRevision: revision,
    });
    const said = await there.tell(Hub.checkPermission, request);
    expect(said.answer).toMatchObject({ allowed: assign });
    expect(said.answer?.policyRevision).toBeGreaterThanOrEqual(revision);
    took.push(said.milliseconds);
  }
  return took;
};

const claimsOf = (accessToken: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

describe('two replicas', () => {
  it('refuse what ended at the other within a second, with Redis', async () => {
    for (const [kind, took] of await measure(30)) {
      report(figures(`with Redis: ${kind}, refused by the other`, took));
      expect(percentile(took, 0.99)).toBeLessThan(1000);
    }
  }, 60_000);

  it('read what was just written at the other, by its number', async () => {
    report(figures('with Redis: read by revision', await writeThenRead(20)));
  });

  it('say FAILED_PRECONDITION of a number that nothing has yet', async () => {
    const request = CheckPermissionRequest.fromPartial({ action: 'read', resource: conversation, minPolicyRevision: 1_000_000 });
    expect(await there.tell(Hub.checkPermission, request)).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'REVISION_UNKNOWN' });
  });

  it('answer 50 parallel refreshes of one token with one token and equal claims, and end the family when an older one comes back', async () => {
    const { username } = await makeUser();
    const first = await login(username);
    const presented = (await here.ask(TokenService.refreshToken, { refreshToken: first.refreshToken }, '')).tokens?.refreshToken ?? '';
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? here : there).ask(TokenService.refreshToken, { refreshToken: presented }, '')),
    );
    const tokens = answers.map((answer) => answer.tokens);
    expect(tokens).toHaveLength(50);
    const [successor, ...others] = new Set(tokens.map((one) => one?.refreshToken));
    expect(others).toEqual([]);
    expect(successor).not.toBe(presented);
    const [claims, ...otherClaims] = new Set(tokens.map((one) => JSON.stringify(claimsOf(one?.accessToken ?? ''))));
    expect(otherClaims).toEqual([]);
    expect(claims).toContain('"jti"');
    expect(new Set(tokens.map((one) => JSON.stringify([one?.expiresAt, one?.issuedAt, one?.sessionId]))).size).toBe(1);
    const accessToken = tokens[0]?.accessToken ?? '';
    expect(await isValid(accessToken)).toBe(true);

    // The first generation, long rotated: a thief or a client that lost count.
    expect(await there.tell(TokenService.refreshToken, { refreshToken: first.refreshToken }, '')).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'REFRESH_TOKEN_REUSED',
    });
    for (const at of [there, here])
      for (const refreshToken of [successor ?? '', presented])
        expect((await at.tell(TokenService.refreshToken, { refreshToken }, '')).code).toBe('UNAUTHENTICATED');
    expect(await isValid(accessToken)).toBe(false);
    const atOther = async (): Promise<string | undefined> => {
      const { valid, reasons } = await here.ask(Hub.validateToken, { token: accessToken });
      return valid ? 'valid' : reasons[0]?.code;
    };
    await waitFor(async () => (await atOther()) === 'TOKEN_REVOKED', 2000, 'the refusal of its access token');
  });

  it('refuse what ended at the other within two seconds, and read what was just written, with Redis dead', async () => {
    await redis.kill();
    // At any moment between two polls, a second apart.
    const measured = await measure(8, () => 1100 + Math.random() * 1000);
    for (const [kind, took] of measured) {
      report(figures(`Redis dead: ${kind}, refused by the other`, took));
      expect(Math.max(...took)).toBeLessThanOrEqual(2000);
    }
    report(figures('Redis dead: read by revision', await writeThenRead(8)));
  }, 60_000);
});
