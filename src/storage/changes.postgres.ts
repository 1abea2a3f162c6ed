// The change feed's rows: numbers taken last in a transaction, one query a poll, live rows in pages, heartbeats, sweeping.
import { sql } from 'kysely';
import pg from 'pg';
import type { Instant, Millis } from '../base/time.ts';
import type { FeedHead, FeedPoll, FeedRow, FeedSource } from './feed-source.ts';
import type { Pool } from './pool.postgres.ts';
import { fromDatabase } from './sqlstate.ts';
import type { Change, Database, OutboxMessage, ReadHead, Tx } from './storage.ts';

export const readHead: ReadHead = async (tx) => {
  const { rows } = await sql<{ seq: number }>`SELECT seq FROM change_head`.execute(tx.tables());
  return rows[0]?.seq ?? 0;
};

export interface Numbered {
  /** The number of the last of them; the others stand right below. */
  readonly seq: number;
  readonly generation: number;
}

/** Must be the transaction's last statement: from here to the commit nobody else gets a number. One round trip. */
export const appendChanges = async (tx: Tx, changes: readonly Change[]): Promise<Numbered> => {
  const { rows } = await sql<{ seq: number; generation: number }>`
    WITH head AS (UPDATE change_head SET seq = seq + ${changes.length}::int RETURNING seq, generation),
    added AS (
      INSERT INTO change (seq, kind, tenant_id, key, until, detail)
      SELECT head.seq - ${changes.length}::int + row.position, row.kind, row.tenant_id, row.key, to_timestamp(row.until / 1000), row.detail
      FROM head, unnest(${changes.map((c) => c.kind)}::text[], ${changes.map((c) => c.tenantId)}::text[], ${changes.map((c) => c.key)}::text[],
        ${changes.map((c) => c.until)}::float8[], ${changes.map((c) => (c.detail ?? '').slice(0, 64))}::text[])
        WITH ORDINALITY AS row(kind, tenant_id, key, until, detail, position))
    SELECT seq, generation FROM head`.execute(tx.tables());
  const head = rows[0];
  if (head === undefined) throw new Error('change_head has no row');
  return head;
};

export const insertMessages = async (tx: Tx, messages: readonly OutboxMessage[]): Promise<void> => {
  await sql`
    INSERT INTO outbox (tenant_id, topic, key, body)
    SELECT * FROM unnest(${messages.map((m) => m.tenantId)}::text[], ${messages.map((m) => m.topic)}::text[],
      ${messages.map((m) => m.key)}::text[], ${messages.map((m) => JSON.stringify(m.body))}::jsonb[])`.execute(tx.tables());
};

const OPEN = `BEGIN; SELECT set_config('role', 'securityhub_jobs', true), set_config('statement_timeout', '2500', true), set_config('synchronous_commit', 'off', true)`;
const COLUMNS = `c.seq, c.kind, c.tenant_id, c.key, floor(extract(epoch FROM c.until) * 1000)::float8, c.detail, extract(epoch FROM c.at)::text`;

// Page by page along the numbers, also before the planner has statistics: sorting the whole table for every page took half a minute at 10⁶ rows.
const BY_NUMBER = 'SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off';

type RawRow = readonly [number, string, string, string, number | null, string, string];
const feedRow = ([seq, kind, tenantId, key, until, detail, stamp]: RawRow): FeedRow => ({ seq, kind, tenantId, key, until, detail, stamp });

// A page of live rows is one row of six lists: a million are read at start, and reading them field by field took longer than all else.
type Page = readonly [number[], string[], string[], string[], number[], string[]] | readonly null[];
const LISTS = ['seq', 'kind', 'tenant_id', 'key', 'until', 'detail'].map((column) => `json_agg(page.${column})`).join(', ');

const pageRows = ([seqs, kinds, tenants, keys, untils, details]: Page): readonly FeedRow[] => {
  if (!seqs || !kinds || !tenants || !keys || !untils || !details) return [];
  // Whoever keeps a row's tenant keeps one text for the page.
  const names = new Map<string, string>();
  const shared = (name: string): string => names.get(name) ?? (names.set(name, name), name);
  return seqs.map((seq, at) => {
    // Read on behind the last: a page out of order would hide what it has left out.
    if (at > 0 && seq <= (seqs[at - 1] ?? 0)) throw new Error('live changes came out of order');
    return {
      seq,
      kind: kinds[at] ?? '',
      tenantId: shared(tenants[at] ?? ''),
      key: keys[at] ?? '',
      until: untils[at] ?? null,
      detail: details[at] ?? '',
      stamp: '',
    };
  });
};

/** `pool` should be the feed's own: calls that wait for a connection must not make the feed old. */
export const createFeedSource = (pool: Pool, replica: string): FeedSource => {
  // One simple query is one round trip; an error leaves the transaction open, so the connection goes too.
  const run = async (statement: string): Promise<readonly pg.QueryArrayResult<unknown[]>[]> => {
    try {
      return await pool.use(
        (connection) => connection.queryAll(`${OPEN}; ${statement}; COMMIT`),
        () => true,
      );
    } catch (error) {
      throw fromDatabase(error);
    }
  };
  const rowsOf = async (statement: string): Promise<readonly unknown[][]> => (await run(statement)).at(-2)?.rows ?? [];
  const self = pg.escapeLiteral(replica);

  return {
    async head(): Promise<FeedHead> {
      const [row] = await rowsOf(
        `SELECT h.seq, h.generation, pg_is_in_recovery(), extract(epoch FROM c.at)::text FROM change_head h LEFT JOIN change c ON c.seq = h.seq`,
      );
      const [seq, generation, recovery, stamp] = row as [number, number, boolean, string | null];
      return { seq, generation, recovery, stamp };
    },

    async poll(cursor, generation, limit): Promise<FeedPoll> {
      const answer = await run(
        `SELECT h.seq, h.generation, pg_is_in_recovery(), extract(epoch FROM clock_timestamp())::float8 * 1000, ${COLUMNS}
         FROM change_head h LEFT JOIN LATERAL (SELECT * FROM change WHERE seq >= ${cursor} ORDER BY seq LIMIT ${limit}) c ON true ORDER BY c.seq;
         INSERT INTO replica AS mine (id, cursor, generation, seen_at) VALUES (${self}, ${cursor}, ${generation}, clock_timestamp())
         ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor, generation = excluded.generation, seen_at = excluded.seen_at`,
      );
      const rows = answer[2]?.rows ?? [];
      const first = rows[0];
      if (first === undefined) throw new Error('change_head has no row');
      const [seq, generationNow, recovery, serverTime] = first as [number, number, boolean, Instant];
      const found = rows.filter((row) => row[4] !== null).map((row) => feedRow(row.slice(4) as unknown as RawRow));
      return { seq, generation: generationNow, recovery, serverTime, rows: found };
    },

    async live(after, head, limit, now: Instant) {
      const [page] = await rowsOf(
        `${BY_NUMBER}; SELECT ${LISTS} FROM (
           SELECT c.seq, c.kind, c.tenant_id, c.key, round(date_part('epoch', c.until) * 1000)::bigint AS until, c.detail FROM change c
           WHERE c.seq > ${after} AND c.seq <= ${head} AND c.until > least(to_timestamp(${now / 1000}), clock_timestamp())
           ORDER BY c.seq LIMIT ${limit}) page`,
      );
      return page === undefined ? [] : pageRows(page as unknown as Page);
    },

    async replicas(seq, generation, within: Millis) {
      const [row] = await rowsOf(
        `SELECT count(*) FILTER (WHERE cursor >= ${seq} AND generation = ${generation}), count(*) FROM replica
         WHERE id <> ${self} AND seen_at > clock_timestamp() - make_interval(secs => ${within / 1000})`,
      );
      const [acknowledged, live] = row as [number, number];
      return { acknowledged, live };
    },

    async farewell() {
      await run(`DELETE FROM replica WHERE id = ${self}`);
    },
  };
};

/** Rows nobody can need: an hour old at least, and past their end. Replicas gone for an hour go too. Answers how many rows went. */
export const sweepChanges = (db: Database, batch = 5000): Promise<number> =>
  db.jobs(async (tx) => {
    const { numAffectedRows } = await sql`
      DELETE FROM change WHERE seq IN (
        SELECT seq FROM change WHERE at < clock_timestamp() - interval '1 hour' AND (until IS NULL OR until < clock_timestamp())
        ORDER BY at LIMIT ${batch})`.execute(tx.tables());
    await sql`DELETE FROM replica WHERE seen_at < clock_timestamp() - interval '1 hour'`.execute(tx.tables());
    return Number(numAffectedRows ?? 0n);
  });

// More changes than anybody makes between a backup and its restore: tokens of the lost future keep a smaller number than what comes.
const LEAP = 1_000_000_000;

/**
 * After a restore or a lossy failover: a new generation, whose numbers lie above all that were ever given. Revocations may have been lost,
 * so a watermark of the whole installation (kind `tenant`, tenant and key '') refuses every token issued before, until `refuseUntil`.
 */
export const startGeneration = (db: Database, refuseUntil: Instant): Promise<Numbered> =>
  db.jobs(async (tx) => {
    await sql`UPDATE change_head SET seq = seq + ${LEAP}, generation = generation + 1`.execute(tx.tables());
    return appendChanges(tx, [{ kind: 'tenant', tenantId: '', key: '', until: refuseUntil, detail: 'recovered' }]);
  });
