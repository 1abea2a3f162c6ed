// Who holds which roles, directly or through a group: counted and compared by the database, inside the transaction that changes it.
import { type RawBuilder, sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import { OWNER } from './builtin.ts';
import type { Subject } from './subject.ts';
import type { HolderLists } from './stores.ts';

const notEnded = (table: string, now: Instant) =>
  sql`(${sql.ref(`${table}.expires_at`)} IS NULL OR ${sql.ref(`${table}.expires_at`)} > ${new Date(now)})`;

/** type and id of all who hold one of the roles; groups are replaced by their members. */
const holding = (tenantId: TenantId, roles: readonly string[], now: Instant): RawBuilder<Subject> => sql<Subject>`
  SELECT a.subject_type AS type, a.subject_id AS id FROM role_assignment a
    WHERE a.tenant_id = ${tenantId} AND a.role = ANY(${[...roles]}) AND a.subject_type <> 'group' AND ${notEnded('a', now)}
  UNION
  SELECT m.member_type, m.member_id FROM role_assignment a
    JOIN group_member m ON m.tenant_id = a.tenant_id AND m.group_name = a.subject_id
    WHERE a.tenant_id = ${tenantId} AND a.role = ANY(${[...roles]}) AND a.subject_type = 'group' AND ${notEnded('a', now)} AND ${notEnded('m', now)}`;

/** A deny that would leave an owner unable to hand out roles, whatever its condition. */
const LOCKING_OUT = ['users:roles', 'users:*', '*:roles', '*:*'];

export const createHolders = (): HolderLists => ({
  async owners(tx, tenantId) {
    const { rows } = await sql<{ id: string }>`SELECT a.subject_id AS id FROM role_assignment a
      WHERE a.tenant_id = ${tenantId} AND a.role = ${OWNER} AND a.subject_type = 'user' AND a.expires_at IS NULL AND a.not_before IS NULL
        AND NOT EXISTS (SELECT FROM permission_grant g
          WHERE g.tenant_id = a.tenant_id AND g.effect = 'deny' AND g.resource_id = '' AND g.permission = ANY(${LOCKING_OUT})
            AND ((g.subject_type = a.subject_type AND g.subject_id = a.subject_id)
              OR (g.subject_type = 'group' AND g.subject_id IN (SELECT m.group_name FROM group_member m
                WHERE m.tenant_id = a.tenant_id AND m.member_type = a.subject_type AND m.member_id = a.subject_id))))
      ORDER BY a.subject_id`.execute(tx.tables<object>());
    return rows.map(({ id }) => id);
  },

  async countHolders(tx, tenantId, role, now) {
    const { rows } = await sql<{ count: number }>`SELECT count(*)::integer AS count FROM (${holding(tenantId, [role], now)}) h`.execute(
      tx.tables<object>(),
    );
    return rows[0]?.count ?? 0;
  },

  async holderOfBoth(tx, tenantId, these, those, among, now) {
    const only = among === null ? sql`true` : sql`type = ${among.type} AND id = ${among.id}`;
    const { rows } = await sql<Subject>`SELECT type, id FROM (
        (${holding(tenantId, these, now)}) INTERSECT (${holding(tenantId, those, now)})
      ) both_of_them WHERE ${only} LIMIT 1`.execute(tx.tables<object>());
    return rows[0] ?? null;
  },

  async heldBy(tx, tenantId, subject) {
    const whom = sql`(subject_type = ${subject.type} AND subject_id = ${subject.id}) OR (subject_type, subject_id) IN (
      SELECT m.member_type, m.member_id FROM group_member m
        WHERE m.tenant_id = ${tenantId} AND ${subject.type} = 'group' AND m.group_name = ${subject.id})`;
    const db = tx.tables<object>();
    const roles = await sql<{
      role: string;
    }>`SELECT DISTINCT role FROM role_assignment WHERE tenant_id = ${tenantId} AND (${whom})`.execute(db);
    const permissions = await sql<{
      permission: string;
    }>`SELECT DISTINCT permission FROM permission_grant WHERE tenant_id = ${tenantId} AND effect = 'allow' AND (${whom})`.execute(db);
    return { roles: roles.rows.map(({ role }) => role), permissions: permissions.rows.map(({ permission }) => permission) };
  },
});
