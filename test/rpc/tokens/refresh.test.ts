import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call } from '../../../src/base/call.ts';
import { createFamilies } from '../../../src/tokens/families.postgres.ts';
import type { Claims, Tokens } from '../../../src/tokens/tokens.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock } from '../../harness.ts';
import { ANNA, ANONYMOUS, TENANT, type TokensHub, tokensHub } from './hub.ts';

let database: FreshDatabase;
let clock: TestClock;
let hub: TokensHub;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await tokensHub(database, { clock });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const call = (): Call => callAs(ANONYMOUS, { now: clock.now() });
const refresh = (token: string, by: Call = call()): Promise<Tokens> => hub.door.refresh(token, null, by);
const claimsOf = (tokens: Tokens): Claims => {
  const verified = hub.door.verify(tokens.accessToken, clock.now());
  if (!verified.ok) throw new Error(verified.reason);
  return verified.claims;
};
const family = async (tokens: Tokens) =>
  (
    await database.sql<{ generation: number; revoked_at: Date | null; revoked_reason: string }>(
      'SELECT generation::int, revoked_at, revoked_reason FROM token_families WHERE family_id = $1',
      [tokens.familyId],
    )
  )[0];
/** As if that many seconds had gone by since the last rotation, on the database's clock. */
const age = (tokens: Tokens, seconds: number) =>
  database.sql(
    `UPDATE token_families SET rotated_at = rotated_at - make_interval(secs => $2), idle_expires_at = idle_expires_at - make_interval(secs => $2),
     absolute_expires_at = absolute_expires_at - make_interval(secs => $2) WHERE family_id = $1`,
    [tokens.familyId, seconds],
  );

describe('refreshing', () => {
  it('gives 50 parallel askers one refresh token, one generation and equal claims', async () => {
    const first = await hub.login();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(first.refreshToken)));
    expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1);
    expect(new Set(answers.map((answer) => JSON.stringify(claimsOf(answer)))).size).toBe(1);
    expect(await family(first)).toMatchObject({ generation: 2, revoked_at: null });
    const events = hub.platform.audit.entries.filter((entry) => entry.resource === `family:${first.familyId}`).map((entry) => entry.type);
    expect(events.filter((type) => type === 'token.refreshed')).toHaveLength(1);
    expect(events.filter((type) => type === 'token.replayed')).toHaveLength(49);
  });

  it('gives the same tokens again when the answer was lost', async () => {
    const first = await hub.login();
    const lost = await refresh(first.refreshToken);
    const again = await refresh(first.refreshToken);
    expect(again.refreshToken).toBe(lost.refreshToken);
    expect(claimsOf(again)).toEqual(claimsOf(lost));
  });

  it('closes the window at the first use of the successor: the first token after the third ends the family', async () => {
    const first = await hub.login();
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'REFRESH_TOKEN_REUSED' });
    expect(await family(first)).toMatchObject({ revoked_reason: 'reused' });
    await expect(refresh(third.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'REFRESH_TOKEN_REUSED' });
    expect(hub.door.revoked(claimsOf(third))).toMatchObject({ reason: 'TOKEN_REVOKED' });
    const alert = hub.platform.audit.entries.find(
      (entry) => entry.type === 'token.reused' && entry.resource === `family:${first.familyId}`,
    );
    expect(alert).toMatchObject({ level: 'alert', details: { distance: 2 } });
  });

  it('takes a token that comes back after the window for reuse', async () => {
    const first = await hub.login();
    await refresh(first.refreshToken);
    await age(first, 11);
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
    expect((await family(first))?.revoked_at).not.toBeNull();
  });

  it('gives the window to the same sender only', async () => {
    const first = await hub.login();
    await refresh(first.refreshToken);
    const other = callAs(userCaller(TENANT, 'usr_mallory'), { now: clock.now() });
    await expect(refresh(first.refreshToken, other)).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
  });

  it('takes the user’s own access token, sent along or expired meanwhile, for no other sender', async () => {
    const first = await hub.login();
    const winner = await refresh(first.refreshToken, callAs(userCaller(TENANT, ANNA), { now: clock.now() }));
    expect((await refresh(first.refreshToken)).refreshToken).toBe(winner.refreshToken);
  });

  it('leaves other sessions of the user alone when one family ends', async () => {
    const stolen = await hub.login();
    const kept = await hub.login();
    await refresh((await refresh(stolen.refreshToken)).refreshToken);
    await expect(refresh(stolen.refreshToken)).rejects.toMatchObject({ reason: 'REFRESH_TOKEN_REUSED' });
    await expect(refresh(kept.refreshToken)).resolves.toMatchObject({ familyId: kept.familyId });
  });

  it('refuses a session that was idle for too long, and one at its absolute end', async () => {
    const idle = await hub.login();
    await age(idle, 61 * 60);
    await expect(refresh(idle.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'SESSION_IDLE' });
    const old = await hub.login();
    await age(old, 31 * 86_400);
    await expect(refresh(old.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'REAUTHENTICATION_REQUIRED' });
  });

  it('refuses a suspended user and a suspended tenant', async () => {
    const tokens = await hub.login();
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'suspended', watermark: 0 });
    await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ reason: 'USER_SUSPENDED' });
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: 0 });
    hub.who.tenants.set(TENANT, { status: 'suspended', watermark: 0 });
    await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ reason: 'TENANT_SUSPENDED' });
    hub.who.tenants.set(TENANT, { status: 'active', watermark: 0 });
    await expect(refresh(tokens.refreshToken)).resolves.toBeDefined();
  });

  it('ends a family whose login is older than the watermark on its user', async () => {
    const tokens = await hub.login();
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: Number.MAX_SAFE_INTEGER });
    await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: 0 });
    expect((await family(tokens))?.revoked_reason).toBe('watermark');
  });

  it('asks for a new login on another device, and changes nothing', async () => {
    const device = { deviceId: 'phone-1', deviceType: 'mobile', platform: '', browser: '', appVersion: '', fingerprint: 'abc' };
    const tokens = await hub.login({ device });
    await expect(hub.door.refresh(tokens.refreshToken, null, call())).rejects.toMatchObject({ reason: 'REAUTHENTICATION_REQUIRED' });
    await expect(hub.door.refresh(tokens.refreshToken, { ...device, fingerprint: 'xyz' }, call())).rejects.toMatchObject({
      reason: 'REAUTHENTICATION_REQUIRED',
    });
    expect(await family(tokens)).toMatchObject({ generation: 1, revoked_at: null });
    await expect(hub.door.refresh(tokens.refreshToken, device, call())).resolves.toBeDefined();
  });

  it('refuses a forged or changed token without asking the database', async () => {
    const tokens = await hub.login();
    const at = tokens.refreshToken.length - 30;
    const changed = `${tokens.refreshToken.slice(0, at)}${tokens.refreshToken[at] === 'A' ? 'B' : 'A'}${tokens.refreshToken.slice(at + 1)}`;
    const silent = await tokensHub(database, { clock });
    await silent.stop();
    for (const forged of [changed, 'shr_', 'shr_AAAA', '', `${tokens.refreshToken}A`, tokens.accessToken])
      await expect(silent.door.refresh(forged, null, call())).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        reason: 'REFRESH_TOKEN_INVALID',
      });
    await expect(silent.door.refresh(tokens.refreshToken, null, call())).rejects.not.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await family(tokens)).toMatchObject({ generation: 1, revoked_at: null });
  });

  it('stores no secret: no token, successor or half of one stands in the tables', async () => {
    const first = await hub.login();
    const second = await refresh(first.refreshToken);
    const rows = await database.sql<{ text: string }>('SELECT f::text || s::text AS text FROM token_families f, sessions s');
    for (const { refreshToken } of [first, second]) {
      const secret = Buffer.from(refreshToken.slice(4), 'base64url').subarray(-48, -16);
      for (const { text } of rows) expect(text).not.toContain(secret.toString('hex'));
    }
  });

  it('leaves no living token when it races a revocation or a logout, whoever wins', async () => {
    const outcome = (work: Promise<Tokens>): Promise<Tokens | null> => work.catch(() => null);
    for (let round = 0; round < 12; round++) {
      const first = await hub.login();
      const end = (): Promise<unknown> => {
        if (round % 3 === 0) return hub.door.logout(first.refreshToken, call());
        const by = callAs(userCaller(TENANT, ANNA), { now: clock.now() });
        if (round % 3 === 1) return hub.door.revokeSession(TENANT, first.sessionId, '', 0, by);
        return hub.door.revoke(
          { tenantId: '', token: first.accessToken, tokenId: '', scope: 'family', reason: '', revokedBy: '', wait: 0 },
          by,
        );
      };
      const raced = await Promise.all([outcome(refresh(first.refreshToken)), end(), outcome(refresh(first.refreshToken))]);
      for (const tokens of [first, raced[0], raced[2]]) {
        if (tokens === null) continue;
        expect(hub.door.revoked(claimsOf(tokens))).not.toBeNull();
        await expect(refresh(tokens.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      }
    }
  });

  it('commits the end of a stolen family before anybody hears of it', async () => {
    const first = await hub.login();
    await refresh((await refresh(first.refreshToken)).refreshToken);
    const heard = refresh(first.refreshToken).catch(async () => family(first));
    expect(await heard).toMatchObject({ revoked_reason: 'reused' });
  });

  it('claims to know no more than the replica that hands it out', async () => {
    const tokens = await hub.login();
    const elsewhere = await tokensHub(database, { clock });
    const other = await elsewhere.login();
    await elsewhere.door.revokeSession(TENANT, other.sessionId, 'elsewhere', 0, callAs(userCaller(TENANT, ANNA), { now: clock.now() }));
    const next = await refresh(tokens.refreshToken);
    const { rsq } = claimsOf(next);
    expect(rsq).toBeGreaterThanOrEqual(claimsOf(tokens).rsq);
    expect(rsq).toBeLessThanOrEqual(Math.max(claimsOf(tokens).rsq, hub.platform.feed.cursor()));
    await elsewhere.stop();
  });

  it('hands out no access token that outlives its session', async () => {
    const tokens = await hub.login();
    await database.sql('UPDATE token_families SET absolute_expires_at = $2 WHERE family_id = $1', [
      tokens.familyId,
      new Date(clock.now() + 90_500),
    ]);
    const next = await refresh(tokens.refreshToken);
    expect(next.expiresAt).toBe(Math.floor((clock.now() + 90_500) / 1000) * 1000);
    expect((await refresh(tokens.refreshToken)).expiresAt).toBe(next.expiresAt);
    const brief = await tokensHub(database, { clock, config: { sessionLife: 60_000 } });
    expect((await brief.login()).expiresIn).toBeLessThanOrEqual(60);
    await brief.stop();
  });

  it('takes one row a family however often it rotates, updated within its page', async () => {
    let tokens = await hub.login();
    const rows = async () => (await database.sql<{ rows: number }>('SELECT count(*)::int AS rows FROM token_families'))[0]?.rows;
    const before = await rows();
    for (let rotation = 0; rotation < 60; rotation++) tokens = await refresh(tokens.refreshToken);
    expect(await rows()).toBe(before);
    expect(await family(tokens)).toMatchObject({ generation: 61 });
    const width = await database.sql<{ bytes: number }>(
      'SELECT pg_column_size(f)::int AS bytes FROM token_families f WHERE family_id = $1',
      [tokens.familyId],
    );
    expect(width[0]?.bytes).toBeLessThan(1000);
    // No index holds what a rotation changes: it stays in its page (heap-only).
    const columns = await database.sql<{ column: string }>(
      `SELECT DISTINCT a.attname AS column FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
       WHERE i.indrelid = 'token_families'::regclass`,
    );
    expect(columns.map((one) => one.column).toSorted()).toEqual([
      'absolute_expires_at',
      'client_id',
      'family_id',
      'session_id',
      'tenant_id',
      'user_id',
    ]);
  });

  it('waits for nobody else’s session: one that is held answers when it is free, the others at once', async () => {
    const [held, ...others] = await Promise.all(Array.from({ length: 8 }, () => hub.login()));
    let free = (): void => {};
    const gate = new Promise<void>((resolve) => (free = resolve));
    let locked = (): void => {};
    const isLocked = new Promise<void>((resolve) => (locked = resolve));
    const holding = hub.platform.db.jobs(async (tx) => {
      await createFamilies().lock(tx, { tenantId: TENANT, familyId: held?.familyId ?? '' });
      locked();
      await gate;
    });
    await isLocked;
    let answered = false;
    const late = refresh(held?.refreshToken ?? '').finally(() => (answered = true));
    const next = await Promise.all(others.map((tokens) => refresh(tokens.refreshToken)));
    expect(next.map((tokens) => tokens.familyId)).toEqual(others.map((tokens) => tokens.familyId));
    expect(answered).toBe(false);
    free();
    await holding;
    expect((await late).familyId).toBe(held?.familyId);
    expect(await family(await late)).toMatchObject({ generation: 2, revoked_at: null });
  });

  it('refuses what the database cannot hold to its sender alone, not to those who came at the same time', async () => {
    const logins = await Promise.all(Array.from({ length: 6 }, () => hub.login()));
    const answers = await Promise.allSettled(
      logins.map(({ refreshToken }, at) =>
        hub.door.refresh(
          refreshToken,
          at === 3 ? { deviceId: 'a\0b', deviceType: '', platform: '', browser: '', appVersion: '', fingerprint: '' } : null,
          call(),
        ),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(answers[3]).toMatchObject({ reason: { code: 'INVALID_ARGUMENT' } });
    expect(await family(logins[3] as Tokens)).toMatchObject({ generation: 1, revoked_at: null });
  });

  it('decides those of one tenant that come together in one transaction, each by its own rules', async () => {
    const [good, stolen, idle, other, silent] = [
      await hub.login(),
      await hub.login(),
      await hub.login(),
      await hub.login(),
      await hub.login(),
    ];
    await refresh((await refresh(stolen.refreshToken)).refreshToken);
    await age(idle, 61 * 60);
    const answers = await Promise.allSettled([good, stolen, idle, other, good].map(({ refreshToken }) => refresh(refreshToken)));
    expect(answers.map((one) => (one.status === 'fulfilled' ? one.value.familyId : (one.reason as { reason: string }).reason))).toEqual([
      good.familyId,
      'REFRESH_TOKEN_REUSED',
      'SESSION_IDLE',
      other.familyId,
      good.familyId,
    ]);
    expect(await family(stolen)).toMatchObject({ revoked_reason: 'reused' });
    expect(await family(good)).toMatchObject({ generation: 2, revoked_at: null });
    expect(await family(silent)).toMatchObject({ generation: 1, revoked_at: null });
  });

  it('shortens lives by chance and never lengthens them', async () => {
    for (const { expiresIn } of await Promise.all(Array.from({ length: 20 }, () => hub.login()))) {
      expect(expiresIn).toBeLessThanOrEqual(300);
      expect(expiresIn).toBeGreaterThanOrEqual(284);
    }
  });
});
