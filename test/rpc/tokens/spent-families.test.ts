import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testClock, type FreshDatabase, freshDatabase } from '../../harness.ts';
import { type TokensHub, tokensHub } from './hub.ts';

const FAMILIES = 4000;

let database: FreshDatabase;
let hub: TokensHub;
const clock = testClock();
beforeAll(async () => {
  database = await freshDatabase();
  hub = await tokensHub(database, { clock });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const sizes = async (): Promise<number> => {
  const [row] = await database.sql<{ bytes: number }>(
    "SELECT (pg_total_relation_size('token_families') + pg_total_relation_size('sessions'))::float8 AS bytes",
  );
  return row?.bytes ?? 0;
};

/** As many families, with their sessions, as a crowd leaves behind; spent a day ago. */
const fill = async (round: number): Promise<void> => {
  const { familyId, sessionId } = await hub.login();
  const spent = "to_jsonb(now() - interval '1 day')";
  await database.sql(
    `INSERT INTO sessions SELECT (jsonb_populate_record(s, jsonb_build_object(
       'session_id', 'ses_${round}_' || n, 'expires_at', ${spent}))).*
     FROM sessions s, generate_series(1, ${FAMILIES}) n WHERE s.session_id = $1`,
    [sessionId],
  );
  await database.sql(
    `INSERT INTO token_families SELECT (jsonb_populate_record(f, jsonb_build_object(
       'family_id', 'fam_${round}_' || n, 'session_id', 'ses_${round}_' || n, 'absolute_expires_at', ${spent}))).*
     FROM token_families f, generate_series(1, ${FAMILIES}) n WHERE f.family_id = $1`,
    [familyId],
  );
};

describe('families that come and go for ever', () => {
  it('leave the tables of one size, however many there were', async () => {
    const after: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await fill(round);
      after.push(await sizes());
      await hub.turn('tokens.sweep');
      // What autovacuum does in its own time.
      await database.sql('VACUUM token_families');
      await database.sql('VACUUM sessions');
    }
    const [row] = await database.sql<{ families: number; sessions: number }>(
      'SELECT (SELECT count(*) FROM token_families)::int AS families, (SELECT count(*) FROM sessions)::int AS sessions',
    );
    expect(row).toEqual({ families: 5, sessions: 5 });
    // The indexes take two rounds to find their size: pages emptied by one VACUUM are free from the next.
    expect(after[4]).toBeLessThan(1.05 * (after[2] ?? 0));
  }, 60_000);
});
