// Trusted issuers in Postgres, and what the change feed's table knows of the time of a number.
import { sql } from 'kysely';
import { CLOCK_SKEW, type Instant } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { NewIssuer, TrustedIssuer } from './issuer.ts';
import type { IssuerStore } from './stores.ts';

interface IssuerRow {
  readonly tenant_id: string;
  readonly name: string;
  readonly issuer: string;
  readonly entry: Omit<NewIssuer, 'tenantId' | 'name' | 'issuer'>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const ofRow = (row: IssuerRow): TrustedIssuer => ({
  ...row.entry,
  tenantId: row.tenant_id,
  name: row.name,
  issuer: row.issuer,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
});

const db = (tx: Tx) => tx.tables<{ readonly trusted_issuers: IssuerRow }>();
const COLUMNS = sql.raw('tenant_id, name, issuer, entry, created_at, updated_at');

export const issuerStore: IssuerStore = {
  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`trusted_issuers ${tenantId}`}, 0))`.execute(db(tx));
  },
  async put(tx, { tenantId, name, issuer, ...entry }) {
    const { rows } = await sql<IssuerRow>`
      INSERT INTO trusted_issuers AS t (tenant_id, name, issuer, entry) VALUES (${tenantId}, ${name}, ${issuer}, ${JSON.stringify(entry)})
      ON CONFLICT (tenant_id, name) DO UPDATE SET entry = excluded.entry,
        updated_at = greatest(clock_timestamp(), t.updated_at + interval '1 millisecond')
      RETURNING ${COLUMNS}`.execute(db(tx));
    if (rows[0] === undefined) throw new Error('an upsert returned no row');
    return ofRow(rows[0]);
  },
  async find(tx, tenantId, name) {
    const { rows } = await sql<IssuerRow>`SELECT ${COLUMNS} FROM trusted_issuers WHERE tenant_id = ${tenantId} AND name = ${name}`.execute(
      db(tx),
    );
    return rows[0] === undefined ? null : ofRow(rows[0]);
  },
  async remove(tx, tenantId, name) {
    const { rows } = await sql`DELETE FROM trusted_issuers WHERE tenant_id = ${tenantId} AND name = ${name} RETURNING name`.execute(db(tx));
    return rows.length === 1;
  },
  async page(tx, tenantId, after, limit) {
    const { rows } = await sql<IssuerRow>`SELECT ${COLUMNS} FROM trusted_issuers
      WHERE tenant_id = ${tenantId} AND name > ${after} ORDER BY name LIMIT ${limit}`.execute(db(tx));
    return rows.map(ofRow);
  },
};

/**
 * For a token that carries no number of the feed: the last number before its issue, so that every watermark written since refuses it.
 * A change's time is the database's, taken under the head's lock, so times appear in the order of numbers. Clocks may differ: a watermark
 * written up to CLOCK_SKEW before the token's issue refuses it as well.
 */
export const numberAt =
  (database: Database) =>
  (issuedAt: Instant): Promise<number> =>
    database.jobs(async (tx) => {
      const since = new Date(issuedAt - CLOCK_SKEW);
      const { rows } = await sql<{ readonly number: string }>`
        SELECT coalesce((SELECT seq - 1 FROM change WHERE at >= ${since} ORDER BY at, seq LIMIT 1), (SELECT seq FROM change_head)) AS number`.execute(
        tx.tables(),
      );
      return Number(rows[0]?.number ?? 0);
    });
