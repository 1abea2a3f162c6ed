import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';
import { ANONYMOUS, TENANT, type TokensHub, tokensHub } from './hub.ts';

let database: FreshDatabase;
let hub: TokensHub;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await tokensHub(database, { redis: true });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const call = callAs(ANONYMOUS);
const refresh = (token: string) => hub.door.refresh(token, null, call);

describe('the deny list in Redis', () => {
  it('refuses a family that is known dead without asking Postgres', async () => {
    const tokens = await hub.login();
    await hub.door.logout(tokens.refreshToken, call);
    await waitFor(async () => (await hub.platform.cache.get(`family:${TENANT}:${tokens.familyId}`)) === 'logout', 2000, 'the entry');
    // The row says otherwise now; only who asks it could know.
    await database.sql('UPDATE token_families SET revoked_at = NULL WHERE family_id = $1', [tokens.familyId]);
    await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
    await database.sql("UPDATE token_families SET revoked_at = now(), revoked_reason = 'logout' WHERE family_id = $1", [tokens.familyId]);
  });

  it('may be lost: the row still refuses', async () => {
    const tokens = await hub.login();
    await hub.door.logout(tokens.refreshToken, call);
    await waitFor(async () => (await hub.platform.cache.get(`family:${TENANT}:${tokens.familyId}`)) !== null, 2000, 'the entry');
    await hub.platform.cache.delete(`family:${TENANT}:${tokens.familyId}`);
    await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
  });
});
