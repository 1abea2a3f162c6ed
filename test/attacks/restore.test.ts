// A database restored to before a revocation: what was revoked then must not come back to life after `recover`.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { type HubProcess, hubHome, runCli, startHub } from '../hub-process.ts';
import { reasonOf, sayTo } from './world.ts';

let db: FreshDatabase;
let hub: HubProcess | undefined;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(async () => {
  await hub?.stop();
  await db.close();
});

/** As a backup from before the revocation would have it: the numbers go back, and the rows know of no end. */
const restore = async (seq: number): Promise<void> => {
  await db.sql('DELETE FROM change WHERE seq > $1', [seq]);
  await db.sql('UPDATE change_head SET seq = $1', [seq]);
  await db.sql("UPDATE token_families SET revoked_at = NULL, revoked_reason = ''");
  await db.sql("UPDATE sessions SET ended_at = NULL, ended_reason = ''");
};

describe('after a restore and recover', () => {
  it('tokens from before it are refused, revoked ones as well, and a new login works', async () => {
    const env = { ...hubHome().env, POSTGRES_URI: db.uri };
    hub = await startHub(env);
    const { username, password, access_token: minted, api_key: key } = hub.bootstrap();
    const login = { tenantId: 'dev', username, password };
    const { body } = await sayTo(hub.http, '')('AuthenticationService/Login', login);
    const { accessToken, refreshToken } = body.tokens;
    const [head] = await db.sql<{ seq: number }>('SELECT seq::int FROM change_head');
    expect((await sayTo(hub.http, accessToken)('TokenService/RevokeToken', { token: accessToken })).status).toBe(200);
    await hub.stop();

    await restore(head?.seq ?? 0);
    expect((await runCli(['recover', '--yes'], env)).code).toBe(0);
    hub = await startHub(env);
    const check = sayTo(hub.http, key);
    const verdicts = [];
    for (const token of [accessToken, minted]) verdicts.push((await check('SecurityHub/ValidateToken', { token })).body.valid);
    const refreshed = await sayTo(hub.http, '')('TokenService/RefreshToken', { refreshToken });
    expect([verdicts, refreshed.status, reasonOf(refreshed)]).toEqual([[false, false], 401, 'SESSION_ENDED']);
    expect((await sayTo(hub.http, '')('AuthenticationService/Login', login)).status).toBe(200);
  });
});
