// What a subject was granted or denied by itself, in Postgres.
import type { JSONColumnType, Selectable } from 'kysely';
import { date, instant } from '../storage/instants.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Condition } from './condition/condition.ts';
import { keyFrom, own, pageOf } from './rows.postgres.ts';
import type { Rules, StoredGrant } from './stores.ts';

interface GrantRow {
  tenant_id: string;
  id: string;
  subject_type: string;
  subject_id: string;
  effect: 'allow' | 'deny';
  permission: string;
  resource_id: string;
  not_before: Date | null;
  expires_at: Date | null;
  condition: string;
  condition_tree: JSONColumnType<Condition> | null;
  reason: string;
  granted_by: string;
  created_at: Date;
}

const toGrant = (row: Selectable<GrantRow>): StoredGrant => ({
  id: row.id,
  subject: { type: row.subject_type, id: row.subject_id },
  effect: row.effect,
  permission: row.permission,
  resourceId: row.resource_id,
  notBefore: instant(row.not_before),
  expiresAt: instant(row.expires_at),
  condition: row.condition,
  tree: row.condition_tree,
  reason: row.reason,
  createdAt: row.created_at.getTime(),
  createdBy: row.granted_by,
});

const tablesOf = (tx: Tx) => tx.tables<{ permission_grant: GrantRow }>();

export const postgresGrants = (db: Pick<Database, 'tenant'>): Pick<Rules, 'putGrant' | 'grant' | 'deleteGrant' | 'listGrants'> => ({
  async putGrant(tx, tenantId, grant) {
    const { subject, effect, permission, resourceId } = grant;
    const rest = {
      not_before: date(grant.notBefore),
      expires_at: date(grant.expiresAt),
      condition: grant.condition,
      condition_tree: grant.tree === null ? null : JSON.stringify(grant.tree),
      reason: grant.reason,
      granted_by: grant.createdBy,
    };
    const row = await tablesOf(tx)
      .insertInto('permission_grant')
      .values({
        tenant_id: tenantId,
        id: grant.id,
        subject_type: subject.type,
        subject_id: subject.id,
        effect,
        permission,
        resource_id: resourceId,
        ...rest,
        created_at: new Date(grant.createdAt),
      })
      .onConflict((conflict) =>
        conflict.columns(['tenant_id', 'subject_type', 'subject_id', 'effect', 'permission', 'resource_id']).doUpdateSet(rest),
      )
      .returningAll()
      .executeTakeFirstOrThrow();
    return toGrant(row);
  },

  async grant(tx, tenantId, id) {
    const row = await tablesOf(tx)
      .selectFrom('permission_grant')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? null : toGrant(row);
  },

  async deleteGrant(tx, tenantId, id) {
    await tablesOf(tx).deleteFrom('permission_grant').where('tenant_id', '=', tenantId).where('id', '=', id).execute();
  },

  listGrants: (tenantId, { subject, permission }, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const [id] = keyFrom(after);
      let query = tablesOf(tx).selectFrom('permission_grant').selectAll().where('tenant_id', '=', tenantId);
      if (subject !== null) query = query.where((eb) => eb.and(own(tenantId, subject)));
      if (permission !== '') query = query.where('permission', '=', permission);
      if (id !== undefined) query = query.where('id', '>', id);
      const rows = await query
        .orderBy('id')
        .limit(size + 1)
        .execute();
      return pageOf(rows, size, (row) => [row.id], toGrant);
    }),
});
