// Living sessions counted in Postgres: a tenant's few at once, everybody's page by page of the table, as it lies on the disk.
import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../storage/storage.ts';
import type { Counted, SessionCounts } from './count-sessions.ts';
import { notEnded } from './ends.postgres.ts';
import type { Sessions } from './sessions.ts';
import { type Alike, createTally } from './tally.ts';

const db = (tx: Tx) => tx.tables<Record<string, never>>();
const now = sql`clock_timestamp()`;

/**
 * Of a family: whatever ends a session ends its family, and one that is idle or over lives no longer than that. Not `revoked_at IS NULL`: before
 * the planner has statistics it would take an index for that alone, and read the whole table for every few pages.
 */
const LIVES = sql`COALESCE(f.revoked_at, 'infinity') = 'infinity' AND f.idle_expires_at > ${now} AND f.absolute_expires_at > ${now}
  AND (NOT EXISTS (SELECT FROM session_ends) OR ${notEnded})`;

interface Row {
  readonly tenant_id: string;
  readonly auth_method: string;
  readonly device_type: string;
  readonly mfa_verified: boolean;
  readonly bound: boolean;
  readonly count: number;
  readonly users: readonly number[] | null;
}

/** The row of a tenant that was asked for and not counted yet holds a JSON null. */
const COUNTED = sql`(counts <> 'null')`;

/** As many bits as a number can be told apart by. */
const USER = sql`(hashtextextended(f.user_id, 0) >> 11)`;

/** Those that are alike of the families that a table expression names `f`. */
const alike = (families: RawBuilder<unknown>, share: number): RawBuilder<Row> => sql<Row>`
  SELECT f.tenant_id, f.context->>'authMethod' AS auth_method, COALESCE(f.context->>'deviceType', '') AS device_type,
    (f.context->>'mfaVerified')::boolean AS mfa_verified, f.confirmation IS NOT NULL AS bound, count(*)::float8 AS count,
    array_agg(${USER}::float8) FILTER (WHERE ${USER} & ${share - 1} = 0) AS users
  FROM ${families} WHERE ${LIVES} GROUP BY 1, 2, 3, 4, 5`;

const alikeOf = (row: Row): Alike & { readonly tenantId: string } => ({
  tenantId: row.tenant_id,
  authMethod: row.auth_method,
  deviceType: row.device_type,
  mfaVerified: row.mfa_verified,
  bound: row.bound,
  count: row.count,
  users: row.users ?? [],
});

/** How many have not ended stands in an index; the families themselves are read only where they are few. */
export const statistics: Sessions['statistics'] = async (tx, tenantId, most) => {
  const open = sql`SELECT f.* FROM token_families f WHERE f.tenant_id = ${tenantId} AND f.revoked_at IS NULL ORDER BY f.user_id LIMIT ${most + 1}`;
  const { rows: counted } = await sql<{ open: number }>`
    SELECT count(*)::float8 AS open FROM (
      SELECT FROM token_families f WHERE f.tenant_id = ${tenantId} AND f.revoked_at IS NULL ORDER BY f.user_id LIMIT ${most + 1}) AS f`.execute(
    db(tx),
  );
  if ((counted[0]?.open ?? 0) > most) return null;
  const { rows } = await alike(sql`(${open}) AS f`, 1).execute(db(tx));
  const tally = createTally(1);
  for (const row of rows) tally.add(alikeOf(row));
  return tally.total();
};

export const sessionCounts: SessionCounts = {
  async begin(tx) {
    const { rows } = await sql<{ at: Date; pages: number }>`
      SELECT ${now} AS at, ceil(pg_relation_size('token_families') / current_setting('block_size')::float8) AS pages`.execute(db(tx));
    const { at, pages = 0 } = rows[0] ?? {};
    return { at: at?.getTime() ?? 0, pages };
  },

  async ofPages(tx, from, count, share) {
    const page = (number: number): RawBuilder<unknown> => sql`${`(${number},0)`}::tid`;
    const families = sql`(SELECT * FROM token_families WHERE ctid >= ${page(from)} AND ctid < ${page(from + count)}) AS f`;
    const { rows } = await alike(families, share).execute(db(tx));
    return rows.map(alikeOf);
  },

  async keep(tx, began, counts) {
    const tenants = [...counts.keys()];
    const none = JSON.stringify({ ...createTally(1).total(), share: 1 });
    await sql`UPDATE session_counts SET counts = ${none}::jsonb, counted_at = ${now}
      WHERE tenant_id <> ALL(${tenants}::text[]) AND counted_at <= ${new Date(began)}`.execute(db(tx));
    await sql`
      INSERT INTO session_counts (tenant_id, counts, counted_at)
      SELECT tenant_id, counts, ${now} FROM unnest(${tenants}::text[], ${[...counts.values()].map((one) => JSON.stringify(one))}::jsonb[])
        AS c (tenant_id, counts)
      ON CONFLICT (tenant_id) DO UPDATE SET counts = EXCLUDED.counts, counted_at = EXCLUDED.counted_at`.execute(db(tx));
  },

  async kept(tx, tenantId) {
    const { rows } = await sql<{ counts: Counted; counted_at: Date }>`
      SELECT counts, counted_at FROM session_counts WHERE tenant_id = ${tenantId} AND ${COUNTED}`.execute(db(tx));
    const [row] = rows;
    return row === undefined ? null : { ...row.counts, countedAt: row.counted_at.getTime() };
  },

  async ask(tx, tenantId) {
    await sql`INSERT INTO session_counts (tenant_id, counts, counted_at) VALUES (${tenantId}, 'null', ${now})
      ON CONFLICT DO NOTHING`.execute(db(tx));
  },

  async asked(tx) {
    const { rows } = await sql<{ asked: boolean }>`SELECT EXISTS (SELECT FROM session_counts WHERE NOT ${COUNTED}) AS asked`.execute(
      db(tx),
    );
    return rows[0]?.asked === true;
  },

  async active(tx) {
    const { rows } = await sql<{ tenant_id: string; active: number }>`
      SELECT tenant_id, (counts->>'active')::float8 AS active FROM session_counts WHERE ${COUNTED} AND counts->>'active' <> '0'`.execute(
      db(tx),
    );
    return new Map(rows.map((row) => [row.tenant_id, row.active]));
  },
};
