// Registered resources in Postgres.
import { sql } from 'kysely';
import type { Database, Tx } from '../../storage/storage.ts';
import type { ResourceRef } from '../question.ts';
import type { Attributes } from '../situation.ts';
import type { RegisteredResource, ResourceStore } from './resource.ts';

interface Row {
  readonly type: string;
  readonly id: string;
  readonly owner_id: string;
  readonly classification: string;
  readonly attributes: Attributes;
  readonly parents: readonly ResourceRef[];
}

const on = (tx: Tx) => tx.tables<object>();

const resourceOf = ({ owner_id: ownerId, ...row }: Row): RegisteredResource => ({ ...row, ownerId });

export const postgresResources = (db: Pick<Database, 'tenant'>): ResourceStore => ({
  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`resource:${tenantId}`}, 0))`.execute(on(tx));
  },

  async count(tx, tenantId, most) {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::integer AS n FROM
      (SELECT FROM resource WHERE tenant_id = ${tenantId} LIMIT ${most}) AS counted`.execute(on(tx));
    return rows[0]?.n ?? 0;
  },

  async put(tx, tenantId, resources, now) {
    const rows = resources.map(({ ownerId: owner_id, type, id, classification, attributes, parents }) => {
      return { type, id, owner_id, classification, attributes, parents };
    });
    await sql`INSERT INTO resource (tenant_id, type, id, owner_id, classification, attributes, parents, updated_at)
      SELECT ${tenantId}, r.type, r.id, r.owner_id, r.classification, r.attributes, r.parents, ${new Date(now)}
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS r(type text, id text, owner_id text, classification text, attributes jsonb, parents jsonb)
      ON CONFLICT (tenant_id, type, id) DO UPDATE SET owner_id = excluded.owner_id, classification = excluded.classification,
        attributes = excluded.attributes, parents = excluded.parents, updated_at = excluded.updated_at`.execute(on(tx));
  },

  async delete(tx, tenantId, type, ids) {
    const gone = await sql`DELETE FROM resource WHERE tenant_id = ${tenantId} AND type = ${type} AND id = ANY(${[...ids]})`.execute(on(tx));
    return Number(gone.numAffectedRows ?? 0);
  },

  page: (tenantId, type, id, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const only = id === '' ? sql`TRUE` : sql`id = ${id}`;
      const { rows } = await sql<Row>`SELECT type, id, owner_id, classification, attributes, parents FROM resource
        WHERE tenant_id = ${tenantId} AND type = ${type} AND id > ${after} AND ${only} ORDER BY id LIMIT ${size}`.execute(on(tx));
      return rows.map(resourceOf);
    }),
});
