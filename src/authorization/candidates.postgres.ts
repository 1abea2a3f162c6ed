// Who may be allowed something, found by role, grant and delegation: a superset, decided one by one afterwards.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import type { Candidates } from './who-can.ts';

export const postgresCandidates = (db: Pick<Database, 'tenant'>): Candidates => ({
  users: (tenantId, { roles, permissions, resourceIds }, after, limit) =>
    db.tenant(tenantId, async (tx) => {
      const ids = [...resourceIds];
      const { rows } = await sql<{ id: string }>`WITH direct AS (
          SELECT subject_type AS type, subject_id AS id FROM role_assignment
            WHERE tenant_id = ${tenantId} AND role = ANY(${[...roles]})
          UNION SELECT subject_type, subject_id FROM permission_grant
            WHERE tenant_id = ${tenantId} AND effect = 'allow' AND permission = ANY(${[...permissions]}) AND resource_id = ANY(${ids})
          UNION SELECT grantee_type, grantee_id FROM delegation
            WHERE tenant_id = ${tenantId} AND permissions && ${[...permissions]}::text[] AND resource_id = ANY(${ids})
        )
        SELECT id FROM direct WHERE type = 'user' AND id > ${after}
        UNION SELECT m.member_id FROM direct d
          JOIN group_member m ON m.tenant_id = ${tenantId} AND m.group_name = d.id
          WHERE d.type = 'group' AND m.member_type = 'user' AND m.member_id > ${after}
        ORDER BY id LIMIT ${limit}`.execute(tx.tables<object>());
      return rows.map(({ id }) => id);
    }),
  someoneUnder: (tenantId, prefix) =>
    db.tenant(tenantId, async (tx) => {
      const { rows } = await sql<{ found: boolean }>`SELECT
          EXISTS (SELECT FROM role_assignment WHERE tenant_id = ${tenantId} AND starts_with(subject_id, ${prefix}))
          OR EXISTS (SELECT FROM permission_grant
            WHERE tenant_id = ${tenantId} AND effect = 'allow' AND starts_with(subject_id, ${prefix}))
          OR EXISTS (SELECT FROM group_member WHERE tenant_id = ${tenantId} AND starts_with(member_id, ${prefix}))
          OR EXISTS (SELECT FROM delegation WHERE tenant_id = ${tenantId} AND starts_with(grantee_id, ${prefix}))
          OR EXISTS (SELECT FROM subject_clearance WHERE tenant_id = ${tenantId} AND starts_with(subject_id, ${prefix})) AS found`.execute(
        tx.tables<object>(),
      );
      return rows[0]?.found ?? true;
    }),
});
