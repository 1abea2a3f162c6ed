// Attempts of one peer on everybody's memory, on the built hub: what cannot be forgotten early must not be piled up.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, PASSWORD, reasonOf, type World } from './world.ts';
import { sayTo } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

const changes = async (): Promise<number> => (await world.db.sql<{ n: number }>('SELECT seq::int AS n FROM change_head'))[0]?.n ?? 0;
const login = async (username: string) => {
  const { body } = await world.anonymous('AuthenticationService/Login', { tenantId: 'victim', username, password: PASSWORD });
  return body.tokens as { readonly accessToken: string; readonly refreshToken: string; readonly sessionId: string };
};
const idOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;

describe('the watermarks that every replica keeps', () => {
  it('are not written again for what has ended: logout, sessions, tokens', async () => {
    const [one, two, mine] = [await login('boss'), await login('boss'), await login('boss')];
    const say = sayTo(world.hub.http, mine.accessToken);
    const calls = [
      () => world.anonymous('AuthenticationService/Logout', { refreshToken: one.refreshToken }),
      () => say('TokenService/RevokeSession', { sessionId: two.sessionId }),
      () => say('TokenService/RevokeToken', { token: two.accessToken }),
      () => say('TokenService/RevokeToken', { tokenId: idOf(two.accessToken), scope: 'token' }),
      () => say('TokenService/RevokeToken', { token: two.refreshToken, scope: 'family' }),
    ];
    for (const call of calls) expect((await call()).status).toBe(200);
    const before = await changes();
    for (const call of calls) {
      const answer = await call();
      expect([answer.status, Number(answer.body.seq)]).toEqual([200, before]);
    }
    expect(await changes()).toBe(before);
  });

  it('are not written for generations that never were', async () => {
    const { accessToken } = await login('boss');
    const say = sayTo(world.hub.http, accessToken);
    const before = await changes();
    const [family] = idOf(accessToken).split('.');
    const answer = await say('TokenService/RevokeToken', { tokenId: `${family}.2`, scope: 'token' });
    expect([reasonOf(answer), await changes()]).toEqual(['TOKEN_NOT_FOUND', before]);
  });

  it('are written once for a token that is revoked alone', async () => {
    const [victim, mine] = [await login('boss'), await login('boss')];
    const say = sayTo(world.hub.http, mine.accessToken);
    const revoke = () => say('TokenService/RevokeToken', { tokenId: idOf(victim.accessToken), scope: 'token' });
    expect((await revoke()).status).toBe(200);
    const before = await changes();
    expect([(await revoke()).status, await changes()]).toEqual([200, before]);
    expect((await sayTo(world.hub.http, victim.accessToken)('UserService/GetUser', {})).status).toBe(401);
    expect((await world.anonymous('TokenService/RefreshToken', { refreshToken: victim.refreshToken })).status).toBe(200);
  });
});
