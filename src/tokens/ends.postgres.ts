// Ending all sessions of a user or client in Postgres, however many there are: some at once, all in effect at once, the rest row by row later.
import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Families } from './families.ts';
import type { FamilyTable } from './family-rows.postgres.ts';

/** Rows that one transaction ends: some 0.1 s, where a statement has 2.5 s. */
const AT_ONCE = 1000;

const db = (tx: Tx) => tx.tables<Record<string, never>>();
/** Of a row in its table. */
interface Place {
  readonly place: string;
}

const rows = async <R>(tx: Tx, statement: RawBuilder<R>): Promise<readonly R[]> => (await statement.execute(db(tx))).rows;

const COLUMN = { user: sql`f.user_id`, client: sql`f.client_id` } as const;

/** The ends that a family lies behind, rows or not. */
const ends = sql`e.tenant_id = f.tenant_id AND e.seq > f.birth_rsq
  AND (e.kind, e.key) IN (('user', f.user_id), ('client', f.client_id))`;

/** Of a family `f`: nothing that ended all sessions of its user or client came after its login. */
export const notEnded = sql<boolean>`NOT EXISTS (SELECT FROM session_ends e WHERE ${ends})`;

/** The time, and what has ended the family whose row is locked, where its row does not say so yet. */
export const endOf = async (
  tx: Tx,
  { tenant_id, family_id }: Pick<FamilyTable, 'tenant_id' | 'family_id'>,
): Promise<{ readonly now: Instant; readonly end: { readonly at: Date; readonly reason: string } | null }> => {
  const [found] = await rows(
    tx,
    sql<{ now: Date; at: Date | null; reason: string | null }>`
      SELECT clock_timestamp() AS now, e.ended_at AS at, e.reason
      FROM token_families f LEFT JOIN session_ends e ON ${ends}
      WHERE f.tenant_id = ${tenant_id} AND f.family_id = ${family_id} LIMIT 1`,
  );
  const { now, at = null, reason = null } = found ?? {};
  return { now: now?.getTime() ?? Number.POSITIVE_INFINITY, end: at === null ? null : { at, reason: reason ?? '' } };
};

/** What the planner may use until the transaction ends, or until it is told otherwise. */
const plan = async (tx: Tx, by: 'index' | 'place'): Promise<void> => {
  const indexes = by === 'index' ? 'on' : 'off';
  await sql`SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', ${indexes}, true),
    set_config('enable_bitmapscan', ${indexes}, true)`.execute(db(tx));
};

/**
 * Of families, which their statement locks, by their places in the table. In two statements: a row that was waited for has got a new place.
 * Nothing is left to the planner: before it has statistics it looks for a thousand rows along any index that begins with the tenant, and reads
 * all of it; and later it reads the whole table for the sessions of a user or client that has got many, which may all lie at its end.
 */
const endRows = async (tx: Tx, tenantId: string, doomed: RawBuilder<Place>, reason: string): Promise<number> => {
  await plan(tx, 'index');
  const places = (await rows(tx, doomed)).map((row) => row.place);
  if (places.length === 0) return 0;
  await plan(tx, 'place');
  // Families first, then their sessions: the order of locks that refresh and every other end follow.
  const ended = await rows(
    tx,
    sql<{ session_id: string }>`UPDATE token_families SET revoked_at = clock_timestamp(), revoked_reason = ${reason}
      WHERE ctid = ANY(${places}::tid[]) RETURNING session_id`,
  );
  await plan(tx, 'index');
  // One by one by the whole key, whose rows nobody has to estimate: of a list of ids Postgres 15 takes the tenant alone.
  const sessions = await rows(
    tx,
    sql<Place>`SELECT s.place FROM unnest(${ended.map((row) => row.session_id)}::text[]) AS ended(id), LATERAL (
      SELECT ctid::text AS place FROM sessions
      WHERE tenant_id = ${tenantId} AND session_id = ended.id AND COALESCE(ended_at, 'infinity') = 'infinity' LIMIT 1 FOR UPDATE) s`,
  );
  await plan(tx, 'place');
  await sql`UPDATE sessions SET ended_at = clock_timestamp(), ended_reason = ${reason}
    WHERE ctid = ANY(${sessions.map((row) => row.place)}::tid[])`.execute(db(tx));
  await plan(tx, 'index');
  return places.length;
};

/** Under the lock that logins share. How many there were at least. */
export const endAll = async (tx: Tx, tenantId: string, kind: keyof typeof COLUMN, key: string, reason: string): Promise<number> => {
  const doomed = sql<Place>`SELECT f.ctid::text AS place FROM token_families f
    WHERE f.tenant_id = ${tenantId} AND ${COLUMN[kind]} = ${key} AND f.revoked_at IS NULL LIMIT ${AT_ONCE} FOR UPDATE`;
  const families = await endRows(tx, tenantId, doomed, reason);
  // Nobody logs in before this commits, and whoever does so then has seen its number, which is higher than the head is now.
  if (families === AT_ONCE)
    await sql`INSERT INTO session_ends (tenant_id, kind, key, seq, reason)
      SELECT ${tenantId}, ${kind}, ${key}, seq + 1, ${reason} FROM change_head
      ON CONFLICT (tenant_id, kind, key) DO UPDATE SET seq = EXCLUDED.seq, reason = EXCLUDED.reason, ended_at = EXCLUDED.ended_at`.execute(
      db(tx),
    );
  return families;
};

/** Writes ends to the rows they are about; true where there may be more. Whoever holds a row keeps it: it comes with the next turn. */
export const followEnds: Families['followEnds'] = async (tx, limit) => {
  const [end] = await rows(
    tx,
    sql<{ tenant_id: string; kind: 'user' | 'client'; key: string; seq: number; reason: string }>`
      SELECT tenant_id, kind, key, seq, reason FROM session_ends ORDER BY ended_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
  );
  if (end === undefined) return false;
  const { tenant_id: tenantId, kind, key, seq, reason } = end;
  const living = sql`f.tenant_id = ${tenantId} AND ${COLUMN[kind]} = ${key} AND f.birth_rsq < ${seq} AND f.revoked_at IS NULL`;
  const doomed = sql<Place>`SELECT f.ctid::text AS place FROM token_families f WHERE ${living} LIMIT ${limit} FOR UPDATE SKIP LOCKED`;
  if ((await endRows(tx, tenantId, doomed, reason)) >= limit) return true;
  const gone = await sql`DELETE FROM session_ends e WHERE e.tenant_id = ${tenantId} AND e.kind = ${kind} AND e.key = ${key}
    AND NOT EXISTS (SELECT FROM token_families f WHERE ${living})`.execute(db(tx));
  return (gone.numAffectedRows ?? 0n) > 0n;
};
