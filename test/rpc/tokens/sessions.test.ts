import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { createMetrics } from '../../../src/server/observability/metrics.ts';
import type { Tx } from '../../../src/storage/storage.ts';
import { createActivity } from '../../../src/tokens/activity.ts';
import { sessionCounts } from '../../../src/tokens/counts.postgres.ts';
import { sessionStore } from '../../../src/tokens/sessions.postgres.ts';
import { spentStore } from '../../../src/tokens/spent.postgres.ts';
import { createTally } from '../../../src/tokens/tally.ts';
import { endIdleSessions, type SessionPlace, sweepSpent } from '../../../src/tokens/sweep.ts';
import type { Session, Tokens } from '../../../src/tokens/tokens.ts';
import { days, hours, minutes, seconds } from '../../../src/base/time.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, testClock, waitFor } from '../../harness.ts';
import { ANNA, OTHER_TENANT, TENANT, type TokensHub, tokensHub } from './hub.ts';

let database: FreshDatabase;
let hub: TokensHub;
beforeAll(async () => {
  database = await freshDatabase();
  // A count that came by itself would let the one that a test wants rest.
  hub = await tokensHub(database, { jobsWait: true });
  for (const name of ['bob', 'carl', 'dora']) hub.who.users.set(`${TENANT}/usr_${name}`, { status: 'active', watermark: 0 });
  hub.who.powerful.add('usr_admin');
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const DEVICE = {
  deviceId: 'phone-1',
  deviceType: 'mobile',
  platform: 'iOS',
  browser: 'Safari',
  appVersion: '2',
  fingerprint: 'secret print',
};
const anna = callAs(userCaller(TENANT, ANNA));
const admin = callAs(userCaller(TENANT, 'usr_admin'));
const list = async (userId: string, call = admin): Promise<readonly Session[]> =>
  (await hub.door.listSessions({ tenantId: TENANT, userId, pageSize: 0, pageToken: '' }, call)).items;
const ids = async (userId: string): Promise<readonly string[]> => (await list(userId)).map((one) => one.sessionId);
const login = (userId: string, over: Parameters<TokensHub['login']>[0] = {}): Promise<Tokens> => hub.login({ userId, ...over });

/** Nobody else writes the row until the transaction ends. */
const hold = (tx: Tx, table: 'sessions' | 'token_families', sessionId: string): Promise<unknown> =>
  sql`SELECT FROM ${sql.table(table)} WHERE session_id = ${sessionId} FOR UPDATE`.execute(tx.tables<Record<string, never>>());

describe('the sessions of a user', () => {
  it('are listed to the user, the newest first, with device, origin and ends', async () => {
    const first = await login(ANNA, { device: DEVICE, userAgent: 'Safari/17', mfaVerified: true });
    const second = await login(ANNA);
    const listed = await list(ANNA, anna);
    expect(listed.map((one) => one.sessionId)).toEqual([second.sessionId, first.sessionId]);
    expect(listed[1]).toMatchObject({
      userId: ANNA,
      authMethod: 'password',
      mfaVerified: true,
      ipAddress: '192.0.2.1',
      userAgent: 'Safari/17',
      device: { deviceId: 'phone-1', deviceType: 'mobile', platform: 'iOS', browser: 'Safari', appVersion: '2' },
      confirmation: null,
    });
    expect(listed[0]?.device).toBeNull();
    const { createdAt = 0, idleExpiresAt = 0, expiresAt = 0 } = listed[0] ?? {};
    expect([idleExpiresAt - createdAt, expiresAt - createdAt].map((ms) => Math.round(ms / 60_000))).toEqual([60, 30 * 24 * 60]);
    expect(JSON.stringify(listed)).not.toContain('print');
  });

  it('are shown to nobody else without token:inspect, nor to whoever acts for the user', async () => {
    const asked = { tenantId: TENANT, userId: ANNA, pageSize: 0, pageToken: '' };
    const refused = { code: 'PERMISSION_DENIED', reason: 'PERMISSION_MISSING' };
    for (const caller of [userCaller(TENANT, 'usr_bob'), userCaller(OTHER_TENANT, ANNA), userCaller(TENANT, ANNA, { delegated: true })])
      await expect(hub.door.listSessions(asked, callAs(caller))).rejects.toMatchObject(refused);
    await expect(hub.door.sessionStatistics(TENANT, anna)).rejects.toMatchObject(refused);
  });

  it('come page by page, each once', async () => {
    const all = [];
    for (let n = 0; n < 5; n++) all.unshift((await login('usr_bob')).sessionId);
    const seen: string[] = [];
    for (let pageToken = '', pages = 0; pages === 0 || pageToken !== ''; pages++) {
      const page = await hub.door.listSessions({ tenantId: TENANT, userId: 'usr_bob', pageSize: 2, pageToken }, admin);
      seen.push(...page.items.map((one) => one.sessionId));
      pageToken = page.next;
    }
    expect(seen).toEqual(all);
    const other = { tenantId: TENANT, userId: ANNA, pageSize: 2, pageToken: 'x'.repeat(40) };
    await expect(hub.door.listSessions(other, admin)).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });

  it('leave the list when they are ended, idle for too long, or over', async () => {
    const [kept, ended, idle, old] = [await login('usr_carl'), await login('usr_carl'), await login('usr_carl'), await login('usr_carl')];
    await hub.door.revokeSession(TENANT, ended.sessionId, '', 0, admin);
    await database.sql('UPDATE token_families SET idle_expires_at = clock_timestamp() WHERE session_id = $1', [idle.sessionId]);
    await database.sql('UPDATE sessions SET expires_at = clock_timestamp() WHERE session_id = $1', [old.sessionId]);
    expect(await ids('usr_carl')).toEqual([kept.sessionId]);
    await hub.door.revokeUser(TENANT, 'usr_carl', '', 0, admin);
    expect(await ids('usr_carl')).toEqual([]);
  });

  it('are counted for their tenant', async () => {
    await hub.door.revokeUser(TENANT, ANNA, '', 0, admin);
    await hub.door.revokeUser(TENANT, 'usr_bob', '', 0, admin);
    await login('usr_dora', { device: DEVICE, mfaVerified: true });
    await login('usr_dora', { authMethod: 'sso', device: { ...DEVICE, deviceType: '__proto__' } });
    await login(ANNA, { confirmation: { x5tS256: '', spkiSha256: '', spiffeId: 'spiffe://a/b', jkt: '', other: false } });
    await login('usr_olaf', { tenantId: OTHER_TENANT });
    const counts = {
      active: 3,
      users: 2,
      mfaVerified: 1,
      bound: 1,
      byAuthMethod: { password: 2, sso: 1 },
      byDeviceType: { '': 1, mobile: 1, ['__proto__']: 1 },
    };
    expect(await hub.door.sessionStatistics(TENANT, admin)).toEqual({ ...counts, countedAt: expect.any(Number), usersError: 0 });
    await hub.turn('tokens.count');
    expect(await hub.platform.db.tenant(TENANT, (tx) => sessionCounts.kept(tx, TENANT))).toMatchObject({ ...counts, share: 1 });
    expect(Object.fromEntries(await hub.platform.db.jobs((tx) => sessionCounts.active(tx)))).toEqual({ [TENANT]: 3, [OTHER_TENANT]: 1 });
  });
});

describe('the last activity', () => {
  const touch = (...seen: Parameters<typeof sessionStore.touch>[1]) => hub.platform.db.jobs((tx) => sessionStore.touch(tx, seen));
  const last = async (sessionId: string) => (await list('usr_dora')).find((one) => one.sessionId === sessionId)?.lastActivityAt;

  it('is merged in memory: one row a session, its latest moment, within bounds', () => {
    const activity = createActivity(2);
    for (const at of [5, 9, 7]) activity.note({ tenantId: TENANT, sessionId: 'a', at });
    activity.note({ tenantId: OTHER_TENANT, sessionId: 'a', at: 1 });
    activity.note({ tenantId: TENANT, sessionId: 'b', at: 1 });
    expect([...activity.take(1)]).toEqual([
      [{ tenantId: TENANT, sessionId: 'a', at: 9 }],
      [{ tenantId: OTHER_TENANT, sessionId: 'a', at: 1 }],
    ]);
    expect([...activity.take(1)]).toEqual([]);
  });

  it('is that of the last token seen, once the minute is written', async () => {
    const tokens = await login('usr_dora');
    const at = Date.now() + 45_000;
    expect(hub.door.verify(tokens.accessToken, at).ok).toBe(true);
    expect(await last(tokens.sessionId)).toBeLessThan(at);
    await hub.turn('tokens.activity');
    expect(await last(tokens.sessionId)).toBe(at);
  });

  it('moves forward only, also for many at once', async () => {
    const { sessionId } = await login('usr_dora');
    const later = Date.now() + 60_000;
    await touch({ tenantId: TENANT, sessionId, at: later }, { tenantId: TENANT, sessionId: 'ses_none', at: later });
    await touch({ tenantId: TENANT, sessionId, at: later - 30_000 });
    expect(await last(sessionId)).toBe(later);
    await touch({ tenantId: OTHER_TENANT, sessionId, at: later + 1 });
    expect(await last(sessionId)).toBe(later);
  });

  it('waits for nobody who holds the row', async () => {
    const { sessionId } = await login('usr_dora');
    await hub.platform.db.tenant(TENANT, async (tx) => {
      await hold(tx, 'sessions', sessionId);
      await touch({ tenantId: TENANT, sessionId, at: Date.now() + 60_000 });
    });
    expect((await last(sessionId)) ?? 0).toBeLessThan(Date.now() + 1000);
  });
});

describe('idle sessions', () => {
  /** Two at a time, through all of them. */
  const endIdle = async (before: number): Promise<void> => {
    let turns = 0;
    for (let at: SessionPlace | null = { tenantId: '', sessionId: '' }; at !== null; turns += 1) {
      const after: SessionPlace = at;
      at = await hub.platform.db.jobs((tx) => spentStore.endIdle(tx, { before, leave: Date.now() + days(1) }, after, 2));
    }
    expect(turns).toBeGreaterThan(1);
  };
  const endedFor = async (reason: string): Promise<readonly string[]> =>
    (await database.sql<{ session_id: string }>('SELECT session_id FROM sessions WHERE ended_reason = $1', [reason])).map(
      (row) => row.session_id,
    );

  it('are marked as ended once no token of theirs can live, and refused as idle all the same', async () => {
    const tokens = await login('usr_dora');
    const kept = await login('usr_dora');
    await database.sql("UPDATE token_families SET idle_expires_at = clock_timestamp() - interval '2 hours' WHERE session_id = $1", [
      tokens.sessionId,
    ]);
    await endIdle(Date.now() - 3 * 3_600_000);
    expect(await endedFor('idle')).toEqual([]);
    await endIdle(Date.now() - 3_600_000);
    expect(await endedFor('idle')).toContain(tokens.sessionId);
    expect(await endedFor('idle')).not.toContain(kept.sessionId);
    await expect(hub.door.refresh(tokens.refreshToken, null, callAs({ kind: 'anonymous' }))).rejects.toMatchObject({
      reason: 'SESSION_IDLE',
    });
  });

  it('leave the tables a day later, whenever they would have ended', async () => {
    const [gone, kept] = [await login('usr_dora'), await login('usr_dora')];
    await database.sql("UPDATE token_families SET idle_expires_at = clock_timestamp() - interval '2 hours' WHERE session_id = $1", [
      gone.sessionId,
    ]);
    const clock = testClock();
    const jobs = { db: hub.platform.db, clock, spent: spentStore, longest: hours(1) };
    await endIdleSessions(jobs)();
    const left = async (): Promise<readonly (readonly string[])[]> => {
      const of = (table: string) =>
        database.sql<{ session_id: string }>(`SELECT session_id FROM ${table} WHERE session_id = ANY($1) ORDER BY created_at`, [
          [gone.sessionId, kept.sessionId],
        ]);
      return [await of('sessions'), await of('token_families')].map((rows) => rows.map((row) => row.session_id));
    };
    clock.advance(hours(24));
    await sweepSpent(jobs)();
    expect(await left()).toEqual([
      [gone.sessionId, kept.sessionId],
      [gone.sessionId, kept.sessionId],
    ]);
    clock.advance(hours(1) + minutes(1));
    await sweepSpent(jobs)();
    expect(await left()).toEqual([[kept.sessionId], [kept.sessionId]]);
    await expect(hub.door.refresh(gone.refreshToken, null, callAs({ kind: 'anonymous' }))).rejects.toMatchObject({
      reason: 'REFRESH_TOKEN_INVALID',
    });
  });

  it('are left alone while somebody holds them', async () => {
    const { sessionId } = await login('usr_dora');
    await database.sql("UPDATE token_families SET idle_expires_at = clock_timestamp() - interval '2 hours' WHERE session_id = $1", [
      sessionId,
    ]);
    await hub.platform.db.tenant(TENANT, async (tx) => {
      await hold(tx, 'token_families', sessionId);
      await hub.turn('tokens.idle');
    });
    expect(await database.sql('SELECT FROM token_families WHERE session_id = $1 AND revoked_at IS NULL', [sessionId])).toHaveLength(1);
  });
});

describe('more sessions of a tenant than are counted while somebody waits', () => {
  const CROWD = 10_500;
  const USERS = 4000;
  let fresh: FreshDatabase;
  let crowded: TokensHub;
  beforeAll(async () => {
    fresh = await freshDatabase();
    await fresh.sql('ALTER TABLE token_families SET (autovacuum_enabled = off)');
    crowded = await tokensHub(fresh, { jobsWait: true });
    crowded.who.powerful.add('usr_admin');
    const { familyId } = await crowded.login({ authMethod: 'sso', mfaVerified: true, device: DEVICE });
    await fresh.sql(
      `INSERT INTO token_families SELECT (jsonb_populate_record(f, jsonb_build_object(
         'family_id', 'fam_' || n, 'session_id', 'ses_' || n, 'user_id', 'usr_' || n % ${USERS}))).*
       FROM token_families f, generate_series(2, ${CROWD}) n WHERE f.family_id = $1`,
      [familyId],
    );
  });
  afterAll(async () => {
    await crowded.stop();
    await fresh.close();
  });

  it('are counted by a job, and nobody is told a number before', async () => {
    await expect(crowded.door.sessionStatistics(TENANT, admin)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'STATISTICS_PENDING',
    });
    const before = Date.now();
    await crowded.turn('tokens.count');
    const counted = await crowded.door.sessionStatistics(TENANT, admin);
    expect(counted).toMatchObject({
      active: CROWD,
      // Those of the copies, and the one that logged in.
      users: USERS + 1,
      usersError: 0,
      mfaVerified: CROWD,
      bound: 0,
      byAuthMethod: { sso: CROWD },
      byDeviceType: { mobile: CROWD },
    });
    expect(counted.countedAt).toBeGreaterThanOrEqual(before);
  });

  it('are counted without those of other pages being read, before the planner knows anything of them', async () => {
    const read = await crowded.platform.db.jobs(async (tx) => {
      // Of this connection, and what it has not handed on yet of its transactions before.
      const fetched = async () =>
        (
          await sql<{ pages: number }>`SELECT pg_stat_get_xact_blocks_fetched('token_families'::regclass)::int AS pages`.execute(
            tx.tables(),
          )
        ).rows[0]?.pages ?? 0;
      const before = await fetched();
      expect(await sessionCounts.ofPages(tx, 1, 100, 1)).toHaveLength(1);
      return (await fetched()) - before;
    });
    // And the last one, for how long the table is.
    expect(read).toBeGreaterThanOrEqual(100);
    expect(read).toBeLessThan(110);
  });

  it('are counted when somebody asks for the first time, though all have just been counted', async () => {
    await fresh.sql('DELETE FROM session_counts');
    await crowded.turn('tokens.count');
    expect(await fresh.sql('SELECT FROM session_counts')).toEqual([]);
    await expect(crowded.door.sessionStatistics(TENANT, admin)).rejects.toMatchObject({ reason: 'STATISTICS_PENDING' });
    await crowded.turn('tokens.count');
    expect((await crowded.door.sessionStatistics(TENANT, admin)).active).toBe(CROWD);
  });

  it('are counted within seconds of the start of a hub that finds them', async () => {
    await fresh.sql('DELETE FROM session_counts');
    await fresh.sql("DELETE FROM lease WHERE name = 'job:tokens.count'");
    const other = await tokensHub(fresh);
    other.who.powerful.add('usr_admin');
    const asked = () => outcome(other.door.sessionStatistics(TENANT, admin));
    expect(await asked()).toBe('UNAVAILABLE/STATISTICS_PENDING');
    await waitFor(async () => (await asked()) === 'OK', seconds(30), 'the first count');
    await other.stop();
  }, 60_000);

  it('are none where those that have not been ended are idle, all of them', async () => {
    await fresh.sql("UPDATE token_families SET idle_expires_at = now() - interval '1 minute'");
    await fresh.sql('DELETE FROM session_counts');
    expect(await outcome(crowded.door.sessionStatistics(TENANT, admin))).toBe('UNAVAILABLE/STATISTICS_PENDING');
    await crowded.turn('tokens.count');
    expect(await crowded.door.sessionStatistics(TENANT, admin)).toMatchObject({ active: 0, users: 0, usersError: 0 });
    await fresh.sql("UPDATE token_families SET idle_expires_at = now() + interval '1 hour'");
  });

  it('are estimated by a sample of their users where they are too many to be remembered, within what is said', async () => {
    const { db } = crowded.platform;
    const tally = createTally(8);
    for (const one of await db.jobs((tx) => sessionCounts.ofPages(tx, 0, 1_000_000, 8))) tally.add(one);
    const { active, users } = tally.total();
    expect(active).toBe(CROWD);
    expect(users % 8).toBe(0);
    expect(Math.abs(users - USERS)).toBeLessThan(3 * Math.sqrt(USERS * 7));
  });

  it('are counted at once again when they have become few', async () => {
    await fresh.sql("UPDATE token_families SET revoked_at = now() WHERE family_id LIKE 'fam!_____%' ESCAPE '!'");
    const { active, usersError } = await crowded.door.sessionStatistics(TENANT, admin);
    expect(active).toBe(998);
    expect(usersError).toBe(0);
  });
});

describe('the gauge of living sessions', () => {
  it('shows each tenant what it has, and nothing once they are gone', async () => {
    const fresh = await freshDatabase();
    const metrics = createMetrics('test');
    const clock = testClock();
    const counting = await tokensHub(fresh, { metrics, clock, jobsWait: true });
    counting.who.powerful.add('usr_admin');
    const shown = async (): Promise<readonly string[]> =>
      (await metrics.text())
        .split('\n')
        .filter((line) => line.startsWith('securityhub_active_sessions{'))
        .map((line) => line.replace(/,?service="test"/, ''));
    await counting.login();
    await counting.login();
    await counting.login({ tenantId: OTHER_TENANT, userId: 'usr_olaf' });
    await counting.turn('tokens.count');
    await counting.turn('tokens.sessions');
    expect((await shown()).toSorted()).toEqual([
      'securityhub_active_sessions{tenant="acme"} 2',
      'securityhub_active_sessions{tenant="other"} 1',
    ]);
    await counting.door.revokeUser(TENANT, ANNA, '', 0, admin);
    await counting.turn('tokens.count');
    await counting.turn('tokens.sessions');
    // A count that has just been made is not made again at once.
    expect(await shown()).toContain('securityhub_active_sessions{tenant="acme"} 2');
    clock.advance(minutes(1));
    await counting.turn('tokens.count');
    await counting.turn('tokens.sessions');
    expect((await shown()).toSorted()).toEqual([
      'securityhub_active_sessions{tenant="acme"} 0',
      'securityhub_active_sessions{tenant="other"} 1',
    ]);
    metrics.close();
    await counting.stop();
    await fresh.close();
  });
});
