// Which roles a subject was given, in Postgres.
import type { Selectable } from 'kysely';
import { date, instant } from '../storage/instants.ts';
import type { Database, Tx } from '../storage/storage.ts';
import { keyFrom, own, pageOf } from './rows.postgres.ts';
import type { Rules, StoredAssignment } from './stores.ts';

interface AssignmentRow {
  tenant_id: string;
  subject_type: string;
  subject_id: string;
  role: string;
  not_before: Date | null;
  expires_at: Date | null;
  assigned_by: string;
  created_at: Date;
}

const toAssignment = (row: Selectable<AssignmentRow>): StoredAssignment => ({
  subject: { type: row.subject_type, id: row.subject_id },
  role: row.role,
  notBefore: instant(row.not_before),
  expiresAt: instant(row.expires_at),
  createdAt: row.created_at.getTime(),
  createdBy: row.assigned_by,
});

const tablesOf = (tx: Tx) => tx.tables<{ role_assignment: AssignmentRow }>();

export const postgresAssignments = (db: Pick<Database, 'tenant'>): Pick<Rules, 'assign' | 'unassign' | 'rolesOf' | 'listAssignments'> => ({
  async assign(tx, tenantId, { subject, role, notBefore, expiresAt, createdAt, createdBy }) {
    const window = { not_before: date(notBefore), expires_at: date(expiresAt), assigned_by: createdBy };
    const row = await tablesOf(tx)
      .insertInto('role_assignment')
      .values({
        tenant_id: tenantId,
        subject_type: subject.type,
        subject_id: subject.id,
        role,
        ...window,
        created_at: new Date(createdAt),
      })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'subject_type', 'subject_id', 'role']).doUpdateSet(window))
      .returningAll()
      .executeTakeFirstOrThrow();
    return toAssignment(row);
  },

  async unassign(tx, tenantId, subject, role) {
    const gone = await tablesOf(tx)
      .deleteFrom('role_assignment')
      .where((eb) => eb.and(own(tenantId, subject)))
      .where('role', '=', role)
      .returning('role')
      .execute();
    return gone.length > 0;
  },

  rolesOf: (tenantId, userIds, now) =>
    db.tenant(tenantId, async (tx) => {
      if (userIds.length === 0) return new Map();
      const rows = await tablesOf(tx)
        .selectFrom('role_assignment')
        .select(['subject_id', 'role'])
        .where((eb) => eb.and({ tenant_id: tenantId, subject_type: 'user' }))
        .where('subject_id', 'in', [...userIds])
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', new Date(now))]))
        .where((eb) => eb.or([eb('not_before', 'is', null), eb('not_before', '<=', new Date(now))]))
        .orderBy('role')
        .execute();
      return new Map([...Map.groupBy(rows, (row) => row.subject_id)].map(([id, given]) => [id, given.map((row) => row.role)]));
    }),

  listAssignments: (tenantId, { subject, role }, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const [type, id, name] = keyFrom(after);
      let query = tablesOf(tx).selectFrom('role_assignment').selectAll().where('tenant_id', '=', tenantId);
      if (subject !== null) query = query.where((eb) => eb.and(own(tenantId, subject)));
      if (role !== '') query = query.where('role', '=', role);
      if (type !== undefined && id !== undefined && name !== undefined)
        query = query.where((eb) => eb(eb.refTuple('subject_type', 'subject_id', 'role'), '>', eb.tuple(type, id, name)));
      const rows = await query
        .orderBy('subject_type')
        .orderBy('subject_id')
        .orderBy('role')
        .limit(size + 1)
        .execute();
      return pageOf(rows, size, (row) => [row.subject_type, row.subject_id, row.role], toAssignment);
    }),
});
