// Our revocations over tokens that somebody else issued: by token, session, subject, client and tenant, on two replicas.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { minutes, seconds } from '../../../src/base/time.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../../harness.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { type IssuerServer, issuerServer } from './issuer-server.ts';

let database: FreshDatabase;
let hub: Hub;
let other: Hub;
let idp: IssuerServer;

beforeAll(async () => {
  database = await freshDatabase();
  const environment = { POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:` };
  hub = await openHub(environment);
  other = await openHub(environment);
  idp = await issuerServer();
  await hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { name: 'idp', issuer: idp.url, audiences: ['orders'] } });
});
afterAll(async () => {
  await Promise.all([hub.stop(), other.stop(), idp.stop()]);
  await database.close();
});

/** Long enough ago that no watermark of this file's making is near its issue; as a session's token is. */
const earlier = (over: Readonly<Record<string, unknown>> = {}): string => {
  const at = Math.floor(Date.now() / 1000) - 60;
  return idp.token({ sub: `user-${Math.random()}`, iat: at, exp: at + 3600, sid: 'session', azp: 'web', ...over });
};
const validate = (token: string, by = hub) =>
  by.ask('SecurityHub/ValidateToken', { token, audience: 'orders' }, hub.bootstrap.access_token);
const reason = async (token: string, by = hub): Promise<unknown> => {
  const answer = await validate(token, by);
  return answer['valid'] === true ? 'valid' : (answer['reasons'] as JsonObject[])[0]?.['code'];
};
const member = async (): Promise<string> => {
  const username = `member-${Math.random().toString(36).slice(2)}`;
  const password = 'quite a Long passw0rd!';
  await hub.ask('UserService/CreateUser', { username, password, roles: ['viewer'] });
  const { tokens } = (await hub.ask('AuthenticationService/Login', { tenantId: 'dev', username, password }, '')) as {
    tokens: { accessToken: string };
  };
  return tokens.accessToken;
};

describe('RevokeToken of a foreign token', () => {
  it('refuses it here and on every replica, and leaves others of its subject alone', async () => {
    const sub = 'victim';
    const [token, sibling] = [earlier({ sub, sid: undefined }), earlier({ sub, sid: undefined })];
    expect([await reason(token), await reason(token, other), await reason(sibling)]).toEqual(['valid', 'valid', 'valid']);
    const { seq } = await hub.ask('TokenService/RevokeToken', { token });
    expect(Number(seq)).toBeGreaterThan(0);
    expect([await reason(token), await reason(sibling)]).toEqual(['TOKEN_REVOKED', 'valid']);
    await waitFor(async () => (await reason(token, other)) === 'TOKEN_REVOKED', 2000, 'the news on the other replica');
  });

  it('takes its session along, unless the token alone is named', async () => {
    const sid = 'shared-session';
    const [first, second, third] = [earlier({ sid }), earlier({ sid }), earlier({ sid })];
    await hub.ask('TokenService/RevokeToken', { token: first, scope: 'token' });
    expect([await reason(first), await reason(second)]).toEqual(['TOKEN_REVOKED', 'valid']);
    await hub.ask('TokenService/RevokeToken', { token: second });
    expect(await reason(third)).toBe('SESSION_ENDED');
  });

  it.each<[string, JsonObject]>([
    ['by default', {}],
    ['when the session is named', { scope: 'session' }],
  ])('takes its session along %s, though the token itself was ended before', async (_, how) => {
    const sid = `half-ended-${Math.random()}`;
    const [first, second] = [earlier({ sid }), earlier({ sid })];
    await hub.ask('TokenService/RevokeToken', { token: first, scope: 'token' });
    await hub.ask('TokenService/RevokeToken', { token: first, ...how });
    expect(await reason(second)).toBe('SESSION_ENDED');
  });

  it.each(['\0', '\ud800'])('works whatever its jti is: %j', async (jti) => {
    const token = earlier({ jti, sid: undefined });
    expect(await reason(token)).toBe('valid');
    await hub.ask('TokenService/RevokeToken', { token });
    expect([await reason(token), await reason(earlier({ jti: '\ufffd', sid: undefined }))]).toEqual(['TOKEN_REVOKED', 'valid']);
  });

  it('may be done by whoever holds it, and again without another watermark', async () => {
    const [by, token] = [await member(), earlier({ sid: undefined })];
    await hub.ask('TokenService/RevokeToken', { token }, by);
    const before = await database.sql<{ n: string }>('SELECT count(*) AS n FROM change');
    await hub.ask('TokenService/RevokeToken', { token }, by);
    expect(await database.sql('SELECT count(*) AS n FROM change')).toEqual(before);
  });

  it('without a jti, and one that has expired, works all the same', async () => {
    const nameless = earlier({ jti: undefined, sid: undefined });
    await hub.ask('TokenService/RevokeToken', { token: nameless });
    expect(await reason(nameless)).toBe('TOKEN_REVOKED');
    const at = Math.floor(Date.now() / 1000) - 600;
    const expired = earlier({ iat: at, exp: at + 60, sid: 'ended-late' });
    await hub.ask('TokenService/RevokeToken', { token: expired });
    expect(await reason(earlier({ sid: 'ended-late' }))).toBe('SESSION_ENDED');
  });

  it('by id, session or subject needs token:revoke', async () => {
    const by = await member();
    for (const [method, request] of [
      ['RevokeToken', { tokenId: 'idp:some-jti' }],
      ['RevokeSession', { sessionId: 'idp:some-session' }],
      ['RevokeUser', { userId: 'idp:somebody' }],
      ['RevokeClient', { clientId: 'idp:some-client' }],
    ] as const)
      await expect(hub.ask(`TokenService/${method}`, request, by)).rejects.toMatchObject({ reason: 'PERMISSION_MISSING' });
  });
});

describe('a watermark', () => {
  it.each<[string, JsonObject, string, JsonObject, string]>([
    ['of a token', { jti: 'w-jti' }, 'RevokeToken', { tokenId: 'idp:w-jti' }, 'TOKEN_REVOKED'],
    ['of a session', { sid: 'w-sid' }, 'RevokeSession', { sessionId: 'idp:w-sid' }, 'SESSION_ENDED'],
    ['of a subject', { sub: 'w-sub' }, 'RevokeUser', { userId: 'idp:w-sub' }, 'TOKEN_REVOKED'],
    ['of a client', { azp: 'w-client' }, 'RevokeClient', { clientId: 'idp:w-client' }, 'TOKEN_REVOKED'],
  ])('%s refuses what was issued before it, and nobody else’s', async (_, claims, method, request, expected) => {
    const [token, bystander] = [earlier(claims), earlier({ sid: 'bystander' })];
    expect(await reason(token)).toBe('valid');
    await hub.ask(`TokenService/${method}`, request);
    expect([await reason(token), await reason(bystander)]).toEqual([expected, 'valid']);
    // Seen for the first time only now: the database knows when the watermark was written.
    expect(await reason(earlier(claims))).toBe(expected);
    expect(await reason(earlier(claims), other)).toBe(expected);
  });

  it('of the whole tenant refuses the tokens of its issuers for ever, on every replica', async () => {
    const [tenantId, username, password] = ['ended', 'boss', 'quite a Long passw0rd!'];
    await hub.ask('TenantService/CreateTenant', { id: tenantId });
    await hub.ask('UserService/CreateUser', { tenantId, username, password, roles: ['owner'] });
    const login = async (): Promise<string> => {
      const { tokens } = await hub.ask('AuthenticationService/Login', { tenantId, username, password }, '');
      return (tokens as { readonly accessToken: string }).accessToken;
    };
    const before = await login();
    const issuer = { name: 'idp', issuer: idp.url, audiences: ['orders'] };
    await hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer }, before);
    const token = earlier();
    const read = (by: Hub, credential: string) => by.ask('SecurityHub/ValidateToken', { token, audience: 'orders' }, credential);
    expect(await read(hub, before)).toMatchObject({ valid: true, subject: { tenantId } });
    await hub.ask('TenantService/SuspendTenant', { tenantId, reason: 'test' });
    const { revision } = (await hub.ask('TenantService/ReactivateTenant', { tenantId })) as { readonly revision: string };
    for (const { app } of [hub, other]) await app.platform.feed.catchUp(Number(revision));
    const after = await login();
    for (const by of [hub, other]) expect(await read(by, after)).toMatchObject({ valid: false, reasons: [{ code: 'TENANT_SUSPENDED' }] });
    expect(await reason(token)).toBe('valid');
  });

  it('refuses what was issued up to the skew after it, and nothing later', async () => {
    await hub.ask('TokenService/RevokeUser', { userId: 'idp:comes-back' });
    const at = Math.floor(Date.now() / 1000);
    const token = (iat: number) => idp.token({ sub: 'comes-back', iat, exp: iat + 3600 });
    expect(await reason(token(at))).toBe('TOKEN_REVOKED');
    // The database's clock, not ours, says when it was: all but the newest row move into the past instead of the test waiting.
    const { revision } = (await hub.ask('UserService/CreateUser', { username: 'newest' })) as { revision: string };
    const reached = () => [hub, other].every(({ app }) => app.platform.feed.cursor() >= Number(revision));
    await waitFor(reached, 3000, 'both cursors');
    await database.sql(`UPDATE change SET at = at - interval '10 seconds' WHERE seq < $1`, [revision]);
    expect(await reason(token(at + 1))).toBe('valid');
  });

  it('is remembered for longer than any of their tokens counts', async () => {
    const remembered = hub.app.tokens.watermarkUntil() - Date.now();
    const at = Math.floor((Date.now() - remembered) / 1000) + 10;
    expect(await reason(idp.token({ iat: at, exp: at + 86_400 * 365 }))).toBe('TOKEN_EXPIRED');
    expect(remembered).toBeGreaterThan(minutes(5) + seconds(65));
  });
});

describe('a foreign subject', () => {
  it('never meets one of ours: the same id is another subject', async () => {
    const { user } = (await hub.ask('UserService/CreateUser', { username: 'twin', roles: ['manager'] })) as { user: { id: string } };
    const answer = await validate(idp.token({ sub: user.id }));
    expect(answer).toMatchObject({ valid: true, subject: { id: `idp:${user.id}`, roles: [] } });
  });
});
