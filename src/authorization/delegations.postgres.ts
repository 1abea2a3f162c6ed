// Delegations in Postgres.
import { sql } from 'kysely';
import { date, instant } from '../storage/instants.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Subject } from './subject.ts';
import type { Delegations, StoredDelegation } from './stores.ts';

interface Row {
  readonly id: string;
  readonly grantor_type: string;
  readonly grantor_id: string;
  readonly grantee_type: string;
  readonly grantee_id: string;
  readonly permissions: string[];
  readonly resource_id: string;
  readonly not_before: Date | null;
  readonly expires_at: Date;
  readonly depth: number;
  readonly reason: string;
  readonly created_at: Date;
}

const delegationOf = (row: Row): StoredDelegation => ({
  id: row.id,
  grantor: { type: row.grantor_type, id: row.grantor_id },
  grantee: { type: row.grantee_type, id: row.grantee_id },
  permissions: row.permissions,
  resourceId: row.resource_id,
  notBefore: instant(row.not_before),
  expiresAt: row.expires_at.getTime(),
  depth: row.depth,
  reason: row.reason,
  createdAt: row.created_at.getTime(),
});

const on = (tx: Tx) => tx.tables<object>();
const is = (side: 'grantor' | 'grantee', { type, id }: Subject) =>
  sql`${sql.ref(`${side}_type`)} = ${type} AND ${sql.ref(`${side}_id`)} = ${id}`;

export const postgresDelegations = (db: Pick<Database, 'tenant'>): Delegations => ({
  async put(tx, tenantId, { id, grantor, grantee, permissions, resourceId, notBefore, expiresAt, depth, reason, createdAt }) {
    const { rows } = await sql<Row>`INSERT INTO delegation
        (tenant_id, id, grantor_type, grantor_id, grantee_type, grantee_id, permissions, resource_id, not_before, expires_at, depth, reason, created_at)
      VALUES (${tenantId}, ${id}, ${grantor.type}, ${grantor.id}, ${grantee.type}, ${grantee.id}, ${[...permissions]}, ${resourceId},
        ${date(notBefore)}, ${new Date(expiresAt ?? 0)}, ${depth}, ${reason}, ${new Date(createdAt)})
      ON CONFLICT (tenant_id, grantee_type, grantee_id, grantor_type, grantor_id, resource_id) DO UPDATE SET
        permissions = excluded.permissions, not_before = excluded.not_before, expires_at = excluded.expires_at,
        depth = excluded.depth, reason = excluded.reason
      RETURNING *`.execute(on(tx));
    return delegationOf(rows[0] as Row);
  },

  async find(tx, tenantId, id) {
    const { rows } = await sql<Row>`SELECT * FROM delegation WHERE tenant_id = ${tenantId} AND id = ${id}`.execute(on(tx));
    return rows[0] === undefined ? null : delegationOf(rows[0]);
  },

  async delete(tx, tenantId, id) {
    await sql`DELETE FROM delegation WHERE tenant_id = ${tenantId} AND id = ${id}`.execute(on(tx));
  },

  async countOf(tx, tenantId, side, subject, now) {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::integer AS n FROM delegation
      WHERE tenant_id = ${tenantId} AND ${is(side, subject)} AND expires_at > ${new Date(now)}`.execute(on(tx));
    return rows[0]?.n ?? 0;
  },

  list: (tenantId, { grantor, grantee }, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const by = grantor === null ? sql`true` : is('grantor', grantor);
      const to = grantee === null ? sql`true` : is('grantee', grantee);
      const { rows } = await sql<Row>`SELECT * FROM delegation
        WHERE tenant_id = ${tenantId} AND id > ${after} AND ${by} AND ${to} ORDER BY id LIMIT ${size + 1}`.execute(on(tx));
      const items = rows.slice(0, size).map(delegationOf);
      return { items, after: rows.length > size ? (items.at(-1)?.id ?? '') : '' };
    }),
});
