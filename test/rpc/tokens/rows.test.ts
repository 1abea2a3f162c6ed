import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import {
  type GetJwksResponse,
  RefreshTokenRequest,
  RefreshTokenResponse,
  RevokeSessionRequest,
  RevokeTokenRequest,
  type RevokeTokenResponse,
  RevokeUserRequest,
} from '../../../src/gen/securityhub/v1/token.ts';
import type { UnaryRow } from '../../../src/server/rpc/define.ts';
import { tokenService } from '../../../src/tokens/tokens.rpc.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { ANNA, ANONYMOUS, TENANT, type TokensHub, tokensHub } from './hub.ts';

let database: FreshDatabase;
let hub: TokensHub;
let rows: ReadonlyMap<string, UnaryRow<unknown, unknown>>;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await tokensHub(database);
  const { methods } = tokenService(hub.door);
  rows = new Map(
    methods.map(({ method, row }) => [method.path.slice(method.path.lastIndexOf('/') + 1), row as UnaryRow<unknown, unknown>]),
  );
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const row = (name: string): UnaryRow<unknown, unknown> => rows.get(name) as UnaryRow<unknown, unknown>;
const run = async (name: string, request: unknown, caller: Caller = userCaller(TENANT, ANNA)): Promise<unknown> => {
  const call: Call = callAs(caller);
  return row(name).handle(request, call);
};

describe('TokenService', () => {
  it('is open to all where the token is the credential or the answer is public, and to the known elsewhere', () => {
    expect([...rows].map(([name, { access }]) => [name, access])).toEqual([
      ['RefreshToken', 'anonymous'],
      ['ExchangeToken', 'known'],
      ['RevokeToken', 'known'],
      ['RevokeSession', 'known'],
      ['ListSessions', 'known'],
      ['GetSessionStatistics', 'known'],
      ['RevokeUser', 'known'],
      ['RevokeClient', { permission: 'token:revoke' }],
      ['GetJwks', 'anonymous'],
      ['WatchRevocations', 'known'],
      ['GetChangeHead', 'known'],
      ['WatchKeys', 'known'],
      ['ListSigningKeys', { permission: 'installation:keys' }],
      ['RotateSigningKey', { permission: 'installation:keys' }],
      ['RevokeSigningKey', { permission: 'installation:keys' }],
    ]);
  });

  it('answers a refresh with a pair', async () => {
    const first = await hub.login({ scopes: ['users:read', 'users:write'] });
    const given = (await run(
      'RefreshToken',
      RefreshTokenRequest.fromPartial({ refreshToken: first.refreshToken }),
      ANONYMOUS,
    )) as RefreshTokenResponse;
    expect(given.tokens).toMatchObject({ tokenType: 'Bearer', scope: 'users:read users:write', sessionId: first.sessionId });
    expect(given.tokens?.expiresAt?.seconds).toBe((given.tokens?.issuedAt?.seconds ?? 0) + (given.tokens?.expiresIn ?? 0));
    expect(RefreshTokenResponse.decode(RefreshTokenResponse.encode(given).finish())).toEqual(given);
  });

  it('answers a revocation with its number and who has seen it, having waited', async () => {
    const tokens = await hub.login();
    const request = RevokeTokenRequest.fromPartial({ token: tokens.accessToken, wait: { seconds: 5, nanos: 0 } });
    const given = (await run('RevokeToken', request)) as RevokeTokenResponse;
    expect(given).toMatchObject({ replicasAcknowledged: 1, replicasLive: 1 });
    expect(given.seq).toBeGreaterThan(0);
    await expect(run('RevokeToken', { ...request, scope: 'everything' })).rejects.toMatchObject({ violations: [{ field: 'scope' }] });
  });

  it('ends the caller’s own session and own sessions when nothing else is named', async () => {
    const tokens = await hub.login();
    const self = userCaller(TENANT, ANNA, { sessionId: tokens.sessionId });
    await run('RevokeSession', RevokeSessionRequest.fromPartial({}), self);
    const verified = hub.door.verify(tokens.accessToken, Date.now());
    expect(verified.ok && hub.door.revoked(verified.claims)?.reason).toBe('SESSION_ENDED');
    await expect(run('RevokeUser', RevokeUserRequest.fromPartial({}), self)).resolves.toMatchObject({ replicasLive: 1 });
    const key: Caller = { kind: 'api_key', tenantId: TENANT, keyId: 'key_1', ownerId: ANNA, permissions: [], scopes: [] };
    await expect(run('RevokeSession', RevokeSessionRequest.fromPartial({}), key)).rejects.toMatchObject({
      violations: [{ field: 'session_id' }],
    });
    await expect(run('RevokeUser', RevokeUserRequest.fromPartial({}), key)).rejects.toMatchObject({ violations: [{ field: 'user_id' }] });
  });

  it('publishes the keys as text and typed, and no private part', async () => {
    const given = (await run('GetJwks', {}, ANONYMOUS)) as GetJwksResponse;
    expect(given.keys).toHaveLength(1);
    expect(given.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', n: '' });
    expect(JSON.parse(given.jwksJson)).toEqual(hub.door.jwks());
    expect(given.jwksJson).not.toContain('"d"');
  });
});

describe('families whose end has passed', () => {
  it('leave the tables, and no others', async () => {
    const [old, fresh] = [await hub.login(), await hub.login()];
    await database.sql("UPDATE token_families SET absolute_expires_at = now() - interval '1 day' WHERE family_id = $1", [old.familyId]);
    await database.sql("UPDATE sessions SET expires_at = now() - interval '1 day' WHERE session_id = $1", [old.sessionId]);
    await hub.turn('tokens.sweep');
    const left = await database.sql<{ family_id: string }>('SELECT family_id FROM token_families WHERE family_id = ANY($1)', [
      [old.familyId, fresh.familyId],
    ]);
    expect(left).toEqual([{ family_id: fresh.familyId }]);
    expect(await database.sql('SELECT FROM sessions WHERE session_id = $1', [old.sessionId])).toHaveLength(0);
  });
});
