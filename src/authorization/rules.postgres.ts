// The stored rules of all tenants, put together from their tables. Every query names its tenant, and the wall stands behind it.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import { postgresAssignments } from './assignments.postgres.ts';
import { postgresGrants } from './grants.postgres.ts';
import { createHolders } from './holders.postgres.ts';
import type { SubjectRows } from './subject.ts';
import { postgresRoles } from './roles.postgres.ts';
import { forgetSubject, readSubjects, setClearance } from './subject-rows.postgres.ts';
import type { Rules } from './stores.ts';

export const postgresRules = (db: Pick<Database, 'tenant' | 'jobs'>): Rules => ({
  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`authorization:${tenantId}`}, 0))`.execute(tx.tables<object>());
  },
  ...postgresRoles(db),
  ...postgresAssignments(db),
  ...postgresGrants(db),
  ...createHolders(),
  async subject(tx, tenantId, subject) {
    const [rows] = await readSubjects(tx, tenantId, [subject]);
    return rows as SubjectRows;
  },
  subjects: readSubjects,
  setClearance,
  forget: forgetSubject,
  sweep: (before) =>
    db.jobs(async (tx) => {
      for (const table of ['role_assignment', 'permission_grant', 'group_member', 'delegation', 'subject_clearance'] as const)
        await sql`DELETE FROM ${sql.table(table)} WHERE ctid IN (SELECT ctid FROM ${sql.table(table)} WHERE expires_at < ${new Date(before)} LIMIT 5000)`.execute(
          tx.tables<object>(),
        );
    }),
});
