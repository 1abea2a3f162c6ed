// Counts of what stands in the tables of authorization, in one statement.
import { sql } from 'kysely';
import { days } from '../base/time.ts';
import type { Database } from '../storage/storage.ts';
import type { AuthorizationStatistics, StatisticsStore } from './statistics.ts';

/** Roles whose holders are told. */
const ROLES = 100;

type Counted = Omit<AuthorizationStatistics, 'holders' | 'decisions'> & {
  readonly holders: Readonly<Record<string, number>> | null;
  readonly decisions: Readonly<Record<string, number>> | null;
};

export const postgresStatistics = (db: Pick<Database, 'tenant'>): StatisticsStore => ({
  count: (tenantId, now) =>
    db.tenant(tenantId, async (tx) => {
      const at = new Date(now);
      const own = sql`tenant_id = ${tenantId}`;
      const alive = sql`${own} AND (expires_at IS NULL OR expires_at > ${at})`;
      const count = (table: string, where = own) => sql`(SELECT count(*)::integer FROM ${sql.table(table)} WHERE ${where})`;
      const { rows } = await sql<Counted>`SELECT
          ${count('role')} AS roles,
          ${count('resource_type')} AS "resourceTypes",
          ${count('resource')} AS resources,
          ${count('subject_group')} AS groups,
          ${count('group_member', alive)} AS memberships,
          ${count('role_assignment', alive)} AS assignments,
          ${count('permission_grant', sql`${alive} AND effect = 'allow'`)} AS grants,
          ${count('permission_grant', sql`${alive} AND effect = 'deny'`)} AS denies,
          ${count('delegation', alive)} AS delegations,
          ${count('policy', sql`${own} AND to_version IS NULL`)} AS policies,
          (SELECT json_object_agg(role, holders) FROM (
            SELECT role, count(*)::integer AS holders FROM role_assignment WHERE ${alive} GROUP BY role ORDER BY 2 DESC, 1 LIMIT ${ROLES}
          ) most) AS holders,
          (SELECT json_object_agg(code, made) FROM (
            SELECT code, count(*)::integer AS made FROM decision WHERE ${own} AND at > ${new Date(now - days(1))} GROUP BY code
          ) lately) AS decisions`.execute(tx.tables<object>());
      const [found] = rows;
      if (found === undefined) throw new Error('a count returned no row');
      return { ...found, holders: found.holders ?? {}, decisions: found.decisions ?? {} };
    }),
});
