// What has ended, in Postgres: found by its end or along the key whatever the planner believes, touched by its place in the table.
import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../storage/storage.ts';
import { IDLE } from './family.ts';
import type { Spent } from './sweep.ts';

const rows = async <R>(tx: Tx, statement: RawBuilder<R>): Promise<readonly R[]> =>
  (await statement.execute(tx.tables<Record<string, never>>())).rows;

const END = { token_families: sql.ref('absolute_expires_at'), sessions: sql.ref('expires_at') } as const;

const clear: Spent['clear'] = async (tx, table, { from, before }, limit) => {
  const end = END[table];
  const [found] = await rows(
    tx,
    sql<{ gone: number; last: Date | null }>`
      WITH gone AS (
        DELETE FROM ${sql.table(table)} WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM ${sql.table(table)} WHERE ${end} >= ${new Date(from)} AND ${end} < ${new Date(before)}
          ORDER BY ${end} LIMIT ${limit} FOR UPDATE SKIP LOCKED))
        RETURNING ${end} AS ended)
      SELECT count(*)::int AS gone, max(ended) AS last FROM gone`,
  );
  return { gone: found?.gone ?? 0, last: found?.last?.getTime() ?? from };
};

interface Looked {
  readonly tenant_id: string;
  readonly session_id: string;
  readonly idle: boolean;
  readonly looked: number;
}

const endIdle: Spent['endIdle'] = async (tx, { before, leave }, after, limit) => {
  // Not `revoked_at IS NULL`: before the planner has statistics it would take an index for that alone, and read the whole tenant for each.
  // By position: of those that live, and of those that have ended already, only the last one is answered.
  const found = await rows(
    tx,
    sql<Looked>`
      WITH looked AS MATERIALIZED (
        SELECT tenant_id, session_id, ended_at, row_number() OVER () AS position, count(*) OVER () AS looked FROM (
          SELECT tenant_id, session_id, ended_at FROM sessions
          WHERE (tenant_id, session_id) > (${after.tenantId}, ${after.sessionId}) ORDER BY tenant_id, session_id LIMIT ${limit}) AS s),
      judged AS (
        SELECT l.*, l.ended_at IS NULL AND f.lives IS NULL AS idle FROM looked l LEFT JOIN LATERAL (
          SELECT true AS lives FROM token_families f WHERE f.tenant_id = l.tenant_id AND f.session_id = l.session_id
            AND COALESCE(f.revoked_at, 'infinity') = 'infinity' AND f.idle_expires_at >= ${new Date(before)} LIMIT 1) AS f ON l.ended_at IS NULL)
      SELECT tenant_id, session_id, idle, looked::int FROM judged WHERE idle OR position = looked ORDER BY position`,
  );
  const idle = found.filter((row) => row.idle);
  if (idle.length > 0) {
    const those = sql`unnest(${idle.map((row) => row.tenant_id)}::text[], ${idle.map((row) => row.session_id)}::text[]) AS v (tenant_id, session_id)`;
    // Families first, then their sessions, and none that somebody holds.
    await rows(
      tx,
      sql`UPDATE token_families SET revoked_at = clock_timestamp(), revoked_reason = ${IDLE},
          absolute_expires_at = LEAST(absolute_expires_at, ${new Date(leave)})
        WHERE ctid = ANY(ARRAY(SELECT f.ctid FROM ${those} CROSS JOIN LATERAL (
          SELECT ctid FROM token_families WHERE tenant_id = v.tenant_id AND session_id = v.session_id AND COALESCE(revoked_at, 'infinity') = 'infinity'
          FOR UPDATE SKIP LOCKED) AS f))`,
    );
    await rows(
      tx,
      sql`UPDATE sessions SET ended_at = clock_timestamp(), ended_reason = ${IDLE}, expires_at = LEAST(expires_at, ${new Date(leave)})
        WHERE ctid = ANY(ARRAY(SELECT s.ctid FROM ${those} CROSS JOIN LATERAL (
          SELECT ctid FROM sessions WHERE tenant_id = v.tenant_id AND session_id = v.session_id AND ended_at IS NULL
          FOR UPDATE SKIP LOCKED) AS s))`,
    );
  }
  const last = found.at(-1);
  return last === undefined || last.looked < limit ? null : { tenantId: last.tenant_id, sessionId: last.session_id };
};

export const spentStore: Spent = { clear, endIdle };
