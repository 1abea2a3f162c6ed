// Failed logins in Postgres, counted per account and address and per account alone. The database's clock decides.
import { sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Attempts } from './stores.ts';

/** The row that counts all addresses together. */
const ALL = '';

/** Rows forgotten in one transaction. */
const SLICE = 5000;

type Counted = 'open' | 'last' | 'locked';

/** One atomic step: locked rows stay as they are, forgotten ones start anew, the failure that reaches the limit locks. */
const count = async (tx: Tx, tenantId: TenantId, account: string, source: string, limit: number, seconds: number): Promise<Counted> => {
  const counted = await sql<{ locked: boolean }>`
    INSERT INTO login_attempts AS a (tenant_id, account, source, failures, locked_until, forget_at)
    VALUES (${tenantId}, ${account}, ${source}, 1,
      CASE WHEN ${limit} <= 1 THEN clock_timestamp() + make_interval(secs => ${seconds}) END,
      clock_timestamp() + make_interval(secs => ${seconds}))
    ON CONFLICT (tenant_id, account, source) DO UPDATE SET
      failures = CASE WHEN a.forget_at <= clock_timestamp() THEN 1 ELSE a.failures + 1 END,
      locked_until = CASE WHEN CASE WHEN a.forget_at <= clock_timestamp() THEN 1 ELSE a.failures + 1 END >= ${limit}
        THEN clock_timestamp() + make_interval(secs => ${seconds}) END,
      forget_at = clock_timestamp() + make_interval(secs => ${seconds})
    WHERE a.locked_until IS NULL OR a.locked_until <= clock_timestamp()
    RETURNING locked_until IS NOT NULL AS locked`.execute(tx.tables());
  const row = counted.rows[0];
  return row === undefined ? 'locked' : row.locked ? 'last' : 'open';
};

const uncount = async (tx: Tx, tenantId: TenantId, account: string, source: string, limit: number): Promise<void> => {
  await sql`UPDATE login_attempts SET failures = greatest(failures - 1, 0),
      locked_until = CASE WHEN failures - 1 >= ${limit} THEN locked_until END
    WHERE tenant_id = ${tenantId} AND account = ${account} AND source = ${source}`.execute(tx.tables());
};

export const createAttempts = (db: Pick<Database, 'jobs'>): Attempts => ({
  async reserve(tx, tenantId, account, source, { perSource, perAccount, duration }) {
    const here = await count(tx, tenantId, account, source, perSource, duration / 1000);
    if (here === 'locked') return here;
    const everywhere = await count(tx, tenantId, account, ALL, perAccount, duration / 1000);
    return everywhere === 'open' ? here : everywhere;
  },
  async clear(tx, tenantId, account, source, { perAccount }) {
    await sql`DELETE FROM login_attempts WHERE tenant_id = ${tenantId} AND account = ${account} AND source = ${source}`.execute(
      tx.tables(),
    );
    await uncount(tx, tenantId, account, ALL, perAccount);
  },
  async failures(tx, tenantId, account) {
    const { rows } = await sql<{ failures: number }>`SELECT failures FROM login_attempts
      WHERE tenant_id = ${tenantId} AND account = ${account} AND source = ${ALL} AND forget_at > clock_timestamp()`.execute(tx.tables());
    return rows[0]?.failures ?? 0;
  },
  async refund(tx, tenantId, account, source, { perSource, perAccount }) {
    await uncount(tx, tenantId, account, source, perSource);
    await uncount(tx, tenantId, account, ALL, perAccount);
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
