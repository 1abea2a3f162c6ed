import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { NOTHING_SHOWN } from '../../../src/base/possession.ts';
import type { Tx } from '../../../src/storage/storage.ts';
import { createFamilies } from '../../../src/tokens/families.postgres.ts';
import type { Rotation } from '../../../src/tokens/families.ts';
import type { Tokens } from '../../../src/tokens/tokens.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { ANNA, ANONYMOUS, TENANT, type TokensHub, tokensHub } from './hub.ts';

/** More than one transaction ends at once. */
const CROWD = 2500;

let database: FreshDatabase;
let hub: TokensHub;
// Tables of their own for each: rows lie in the order in which they came.
beforeEach(async () => {
  database = await freshDatabase();
  // Rows are written when the test says so.
  hub = await tokensHub(database, { jobsWait: true });
  hub.who.powerful.add('usr_root');
});
afterEach(async () => {
  await hub.stop();
  await database.close();
});

const root = callAs(userCaller(TENANT, 'usr_root'));
const refresh = (tokens: Tokens): Promise<Tokens> => hub.door.refresh(tokens.refreshToken, null, callAs(ANONYMOUS));
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'OK',
    ({ reason }: { reason: string }) => reason,
  );

/** Before any that was drawn. */
const id = (prefix: string, name: string): string => `'${prefix}_${name}' || lpad(n::text, 22, '0')`;

/** Sessions like this one, first in every order that a database may read them in. */
const crowd = async ({ familyId, sessionId }: Tokens, name = '', count = CROWD): Promise<void> => {
  await database.sql(
    `INSERT INTO sessions SELECT (jsonb_populate_record(s, jsonb_build_object('session_id', ${id('ses', name)}))).*
     FROM sessions s, generate_series(1, ${count}) n WHERE s.session_id = $1`,
    [sessionId],
  );
  await database.sql(
    `INSERT INTO token_families SELECT (jsonb_populate_record(f, jsonb_build_object(
       'family_id', ${id('fam', name)}, 'session_id', ${id('ses', name)}))).*
     FROM token_families f, generate_series(1, ${count}) n WHERE f.family_id = $1`,
    [familyId],
  );
};
/** What autovacuum does in its own time. */
const analyze = (): Promise<unknown> => database.sql('ANALYZE sessions, token_families');
const rowsAlive = async (tokens: readonly Tokens[]): Promise<number> =>
  (
    await database.sql('SELECT FROM token_families WHERE revoked_at IS NULL AND family_id = ANY($1)', [
      tokens.map(({ familyId }) => familyId),
    ])
  ).length;
const counts = async () => {
  const [row] = await database.sql<{ families: number; sessions: number; ends: number }>(
    `SELECT (SELECT count(*) FROM token_families WHERE revoked_at IS NULL)::int AS families,
       (SELECT count(*) FROM sessions WHERE ended_at IS NULL)::int AS sessions, (SELECT count(*) FROM session_ends)::int AS ends`,
  );
  return row;
};

describe.each<[string, Parameters<TokensHub['login']>[0], () => Promise<unknown>]>([
  ['client', { clientId: 'default/shop' }, () => hub.door.revokeClient(TENANT, 'default/shop', 'broken into', 0, root)],
  ['user', {}, () => hub.door.revokeUser(TENANT, ANNA, 'stolen', 0, root)],
])('more sessions of a %s than one transaction can write', (_, over, end) => {
  it('end in one all the same, whatever their rows say; who comes later is let in', async () => {
    await crowd(await hub.login(over));
    await analyze();
    const late = [await hub.login(over), await hub.login(over), await hub.login(over)] as const;
    await end();
    // Nobody has written it to their rows yet.
    expect(await rowsAlive(late)).toBe(3);
    expect(
      late
        .map(({ accessToken }) => hub.door.verify(accessToken, Date.now()).claims)
        .map((claims) => claims && hub.door.revoked(claims)?.reason),
    ).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED', 'TOKEN_REVOKED']);
    expect(await outcome(refresh(late[0]))).toBe('SESSION_ENDED');
    // Those that come together are asked in one statement.
    expect(await Promise.all([refresh(late[1]), refresh(late[2])].map(outcome))).toEqual(['SESSION_ENDED', 'SESSION_ENDED']);
    const listed = await hub.door.listSessions({ tenantId: TENANT, userId: ANNA, pageSize: 0, pageToken: '' }, root);
    expect(listed.items).toEqual([]);

    const after = await hub.login(over);
    const renewed = await refresh(after);
    await hub.turn('tokens.ends');
    expect(await counts()).toEqual({ families: 1, sessions: 1, ends: 0 });
    expect(await outcome(refresh(renewed))).toBe('OK');
    expect(await outcome(refresh(late[0]))).toBe('SESSION_ENDED');
  });

  it('leave no living token to a refresh that runs beside it', async () => {
    await crowd(await hub.login(over));
    await analyze();
    const racing = await Promise.all(Array.from({ length: 20 }, () => hub.login(over)));
    const [ended, ...refreshed] = await Promise.allSettled([end(), ...racing.map(refresh)]);
    expect(ended.status).toBe('fulfilled');
    for (const one of refreshed) {
      if (one.status === 'rejected') continue;
      const { claims } = hub.door.verify((one.value as Tokens).accessToken, Date.now());
      expect(claims && hub.door.revoked(claims)?.reason).toBe('TOKEN_REVOKED');
      expect(await outcome(refresh(one.value as Tokens))).toBe('SESSION_ENDED');
    }
    await hub.turn('tokens.ends');
    expect(await counts()).toMatchObject({ families: 0, ends: 0 });
    // Where a refresh was the first to find out, it ended the family; its session follows like any that has none left.
    await hub.turn('tokens.idle');
    expect((await counts())?.sessions).toBe(0);
  });
});

/** Rows of families and sessions that the work read. */
const readBy = async (tx: Tx, work: () => Promise<unknown>): Promise<number> => {
  // Of this connection, and what it has not handed on yet of its transactions before.
  const fetched = async () =>
    (
      await sql<{ read: number }>`
        SELECT sum(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0))::int AS read
        FROM pg_stat_xact_user_tables WHERE relname IN ('sessions', 'token_families')`.execute(tx.tables())
    ).rows[0]?.read ?? 0;
  const before = await fetched();
  await work();
  return (await fetched()) - before;
};
const noStatistics = async (): Promise<void> => {
  for (const table of ['sessions', 'token_families']) await database.sql(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
};

describe('a refresh among forty thousand, before the planner knows anything of them', () => {
  const use = (familyId: string): Rotation => ({
    familyId,
    presented: { generation: 1, hash: Buffer.alloc(32), deviceId: '', fingerprint: '', sender: '', shown: NOTHING_SHOWN },
    access: { issuedAt: Date.now(), expiresAt: Date.now() + 1000 },
    idle: 1000,
    known: 0,
    hash: Buffer.alloc(32),
    salt: Buffer.alloc(16),
    confirmation: null,
  });
  it('reads its own family', async () => {
    await noStatistics();
    const tokens = [await hub.login(), await hub.login(), await hub.login()] as const;
    await crowd(tokens[0], '', 40_000);
    const [first, ...others] = tokens.map(({ familyId }) => use(familyId)) as [Rotation, Rotation, Rotation];
    const read = await hub.platform.db.tenant(TENANT, async (tx) => [
      await readBy(tx, () => createFamilies().rotate(tx, TENANT, [first])),
      await readBy(tx, () => createFamilies().keep(tx, TENANT, first)),
      await readBy(tx, () => createFamilies().rotate(tx, TENANT, [first, ...others])),
    ]);
    expect(Math.min(...read)).toBeGreaterThan(0);
    expect(Math.max(...read)).toBeLessThan(20);
  });
});

describe.each<[string, (tx: Tx) => Promise<unknown>]>([
  ['client', (tx) => createFamilies().endClient(tx, TENANT, 'default/shop', 'broken into')],
  ['user', (tx) => createFamilies().endUser(tx, TENANT, ANNA, 'stolen')],
])('sessions of a %s that lie behind all others', (_, end) => {
  it.each(['before the planner knows anything of them', 'and once it does'])('are ended without those being read, %s', async (when) => {
    await noStatistics();
    hub.who.users.set(`${TENANT}/usr_bob`, { status: 'active', watermark: 0 });
    await crowd(await hub.login({ userId: 'usr_bob' }), 'usr_bob', 40_000);
    await crowd(await hub.login({ clientId: 'default/shop' }), ANNA);
    if (when.startsWith('and')) await analyze();
    const read = await hub.platform.db.tenant(TENANT, (tx) => readBy(tx, () => end(tx)));
    // A thousand families are ended at once: found, written, and their sessions.
    expect(read).toBeGreaterThan(1000);
    expect(read).toBeLessThan(5000);
  });
});
