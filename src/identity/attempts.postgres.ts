// Failed guesses in Postgres, counted per account and address and per account alone. The database's clock decides.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import type { Attempts } from './stores.ts';

/** The rows that count all addresses together: strange networks, and those that the account is known at. */
const STRANGERS = '';
const AT_HOME = 'home';

/** Rows forgotten in one transaction. */
const SLICE = 5000;

interface Answer {
  readonly locked: boolean | null;
  readonly here: boolean | null;
  readonly everywhere: boolean | null;
}

/** A failure more in one row, unless it is locked: what is forgotten starts anew, the failure that reaches the limit locks. */
const oneMore = (limit: number, seconds: number) => sql`
  ON CONFLICT (tenant_id, account, source) DO UPDATE SET
    failures = CASE WHEN a.forget_at <= clock_timestamp() THEN 1 ELSE a.failures + 1 END,
    locked_until = CASE WHEN CASE WHEN a.forget_at <= clock_timestamp() THEN 1 ELSE a.failures + 1 END >= ${limit}::int
      THEN clock_timestamp() + make_interval(secs => ${seconds}) END,
    forget_at = clock_timestamp() + make_interval(secs => ${seconds})
  WHERE a.locked_until IS NULL OR a.locked_until <= clock_timestamp()
  RETURNING locked_until IS NOT NULL AS last`;

const first = (limit: number, seconds: number) => sql`1,
  CASE WHEN ${limit}::int <= 1 THEN clock_timestamp() + make_interval(secs => ${seconds}) END,
  clock_timestamp() + make_interval(secs => ${seconds})`;

export const createAttempts = (db: Pick<Database, 'jobs'>): Attempts => ({
  async judge(tx, { tenantId, account, source, atHome }, right, { perSource, perAccount, duration }) {
    const everybody = atHome ? AT_HOME : STRANGERS;
    const seconds = duration / 1000;
    // One statement, so that whoever is locked out takes as long, right or wrong. The rows are held until the commit: one guess after the other.
    const { rows } = await sql<Answer>`
      WITH held AS MATERIALIZED (
        SELECT locked_until > clock_timestamp() AS locked FROM login_attempts
        WHERE tenant_id = ${tenantId} AND account = ${account} AND source IN (${everybody}, ${source}) ORDER BY source FOR UPDATE),
      here AS (
        INSERT INTO login_attempts AS a (tenant_id, account, source, failures, locked_until, forget_at)
        SELECT ${tenantId}, ${account}, ${source}, ${first(perSource, seconds)}
        WHERE NOT ${right}::boolean AND NOT EXISTS (SELECT FROM held WHERE locked) ${oneMore(perSource, seconds)}),
      everywhere AS (
        INSERT INTO login_attempts AS a (tenant_id, account, source, failures, locked_until, forget_at)
        SELECT ${tenantId}, ${account}, ${everybody}, ${first(perAccount, seconds)} FROM here ${oneMore(perAccount, seconds)})
      SELECT (SELECT bool_or(locked) FROM held) AS locked, (SELECT last FROM here) AS here,
        (SELECT last FROM everywhere) AS everywhere`.execute(tx.tables());
    const answer = rows[0];
    if (answer === undefined || answer.locked === true) return 'locked';
    if (right) return 'open';
    // Locked by those that came between the first look and the count.
    if (answer.here === null || answer.everywhere === null) return 'locked';
    return answer.here || answer.everywhere ? 'last' : 'open';
  },
  async clear(tx, { tenantId, account, source }) {
    await sql`DELETE FROM login_attempts WHERE tenant_id = ${tenantId} AND account = ${account} AND source = ${source}`.execute(
      tx.tables(),
    );
  },
  async failures(tx, tenantId, account) {
    const { rows } = await sql<{ failures: number }>`SELECT coalesce(sum(failures), 0)::int AS failures FROM login_attempts
      WHERE tenant_id = ${tenantId} AND account = ${account} AND source IN (${STRANGERS}, ${AT_HOME})
        AND forget_at > clock_timestamp()`.execute(tx.tables());
    return rows[0]?.failures ?? 0;
  },
  async unlock(tx, tenantId, account) {
    await sql`DELETE FROM login_attempts WHERE tenant_id = ${tenantId} AND account = ${account}`.execute(tx.tables());
  },
  async sweep() {
    for (;;) {
      const { rows } = await db.jobs((tx) =>
        sql`DELETE FROM login_attempts WHERE (tenant_id, account, source) IN (
          SELECT tenant_id, account, source FROM login_attempts WHERE forget_at < clock_timestamp() LIMIT ${SLICE})
          RETURNING 1`.execute(tx.tables()),
      );
      if (rows.length < SLICE) return;
    }
  },
});
