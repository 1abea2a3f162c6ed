// Roles, assignments, grants and resource types in Postgres. Every query names its tenant, and the wall stands behind it.
import { type JSONColumnType, type Selectable, sql } from 'kysely';
import type { AccessWindow } from '../base/access-window.ts';
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Page, ResourceType, Role, Rules, StoredAssignment, StoredGrant } from './authorization.ts';
import type { Condition } from './condition/condition.ts';
import { createHolders } from './holders.postgres.ts';
import { forgetRest, readSubjects, setClearance } from './subject-rows.postgres.ts';
import type { Subject, SubjectRows } from './rights.ts';

interface RoleRow {
  tenant_id: string;
  name: string;
  description: string;
  permissions: string[];
  inherits: string[];
  constraints: Constraints | null;
  workloads: string[];
  environments: string[];
  exclusive_with: string[];
  max_holders: number;
  require_mfa: boolean;
  address_ranges: string[];
  hours: JSONColumnType<AccessWindow[]>;
  clearance: string;
  created_at: Date;
  updated_at: Date;
}

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

interface TypeRow {
  tenant_id: string;
  name: string;
  description: string;
  actions: string[];
  owner_actions: string[];
  default_classification: string;
  attributes: JSONColumnType<Record<string, string>>;
  parent_types: string[];
  created_at: Date;
  updated_at: Date;
}

interface Tables {
  role: RoleRow;
  role_assignment: AssignmentRow;
  permission_grant: GrantRow;
  resource_type: TypeRow;
}

const instant = (date: Date | null): Instant | null => (date === null ? null : date.getTime());
const date = (at: Instant | null): Date | null => (at === null ? null : new Date(at));

const toRole = (row: Selectable<RoleRow>): Role => ({
  name: row.name,
  description: row.description,
  permissions: row.permissions,
  inherits: row.inherits,
  workloads: row.workloads,
  environments: row.environments,
  exclusiveWith: row.exclusive_with,
  maxHolders: row.max_holders,
  requireMfa: row.require_mfa,
  addressRanges: row.address_ranges,
  hours: row.hours,
  clearance: row.clearance,
  builtIn: false,
  constraints: row.constraints,
});

const toType = (row: Selectable<TypeRow>): ResourceType => ({
  name: row.name,
  description: row.description,
  actions: row.actions,
  ownerActions: row.owner_actions,
  defaultClassification: row.default_classification,
  attributes: row.attributes,
  parentTypes: row.parent_types,
  builtIn: false,
});

const toAssignment = (row: Selectable<AssignmentRow>): StoredAssignment => ({
  subject: { type: row.subject_type, id: row.subject_id },
  role: row.role,
  notBefore: instant(row.not_before),
  expiresAt: instant(row.expires_at),
  createdAt: row.created_at.getTime(),
  createdBy: row.assigned_by,
});

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

const tablesOf = (tx: Tx) => tx.tables<Tables>();

const own = (tenantId: TenantId, subject: Subject) => ({ tenant_id: tenantId, subject_type: subject.type, subject_id: subject.id });

/** Keyset pages by the primary key behind the tenant: `after` is the last row's key as JSON. */
const pageOf = <R, T>(rows: readonly R[], size: number, keyOf: (row: R) => readonly string[], map: (row: R) => T): Page<T> => {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return { items: shown.map(map), after: rows.length > size && last !== undefined ? JSON.stringify(keyOf(last)) : '' };
};

const keyFrom = (after: string): readonly string[] => (after === '' ? [] : (JSON.parse(after) as readonly string[]));

const readRoles = async (tx: Tx, tenantId: TenantId): Promise<readonly Role[]> => {
  const rows = await tablesOf(tx).selectFrom('role').selectAll().where('tenant_id', '=', tenantId).orderBy('name').execute();
  return rows.map(toRole);
};

const readTypes = async (tx: Tx, tenantId: TenantId): Promise<readonly ResourceType[]> => {
  const rows = await tablesOf(tx).selectFrom('resource_type').selectAll().where('tenant_id', '=', tenantId).orderBy('name').execute();
  return rows.map(toType);
};

export const postgresRules = (db: Pick<Database, 'tenant' | 'jobs'>): Rules => ({
  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`authorization:${tenantId}`}, 0))`.execute(tablesOf(tx));
  },

  roles: readRoles,
  types: readTypes,
  allRoles: (tenantId) => db.tenant(tenantId, (tx) => readRoles(tx, tenantId)),
  allTypes: (tenantId) => db.tenant(tenantId, (tx) => readTypes(tx, tenantId)),

  async subject(tx, tenantId, subject) {
    const [rows] = await readSubjects(tx, tenantId, [subject]);
    return rows as SubjectRows;
  },
  subjects: readSubjects,
  setClearance,
  ...createHolders(),

  async putRole(tx, tenantId, role, now) {
    const { name, description } = role;
    const values = {
      description,
      permissions: [...role.permissions],
      inherits: [...role.inherits],
      constraints: role.constraints ? sql<Constraints>`${JSON.stringify(role.constraints)}::jsonb` : null,
      workloads: [...role.workloads],
      environments: [...role.environments],
      exclusive_with: [...role.exclusiveWith],
      max_holders: role.maxHolders,
      require_mfa: role.requireMfa,
      address_ranges: [...role.addressRanges],
      hours: JSON.stringify(role.hours),
      clearance: role.clearance,
      updated_at: new Date(now),
    };
    await tablesOf(tx)
      .insertInto('role')
      .values({ tenant_id: tenantId, name, ...values, created_at: new Date(now) })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doUpdateSet(values))
      .execute();
  },

  async deleteRole(tx, tenantId, name) {
    await tablesOf(tx).deleteFrom('role_assignment').where('tenant_id', '=', tenantId).where('role', '=', name).execute();
    await tablesOf(tx).deleteFrom('role').where('tenant_id', '=', tenantId).where('name', '=', name).execute();
  },

  async putType(tx, tenantId, type, now) {
    const values = {
      description: type.description,
      actions: [...type.actions],
      owner_actions: [...type.ownerActions],
      default_classification: type.defaultClassification,
      attributes: JSON.stringify(type.attributes),
      parent_types: [...type.parentTypes],
      updated_at: new Date(now),
    };
    await tablesOf(tx)
      .insertInto('resource_type')
      .values({ tenant_id: tenantId, name: type.name, ...values, created_at: new Date(now) })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doUpdateSet(values))
      .execute();
  },

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

  async forget(tx, tenantId, subject) {
    const assignments = await tablesOf(tx)
      .deleteFrom('role_assignment')
      .where((eb) => eb.and(own(tenantId, subject)))
      .returning('role')
      .execute();
    const grants = await tablesOf(tx)
      .deleteFrom('permission_grant')
      .where((eb) => eb.and(own(tenantId, subject)))
      .returning('id')
      .execute();
    return assignments.length + grants.length + (await forgetRest(tx, tenantId, subject));
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

  sweep: (before) =>
    db.jobs(async (tx) => {
      for (const table of ['role_assignment', 'permission_grant', 'group_member', 'delegation', 'subject_clearance'] as const)
        await sql`DELETE FROM ${sql.table(table)} WHERE ctid IN (SELECT ctid FROM ${sql.table(table)} WHERE expires_at < ${new Date(before)} LIMIT 5000)`.execute(
          tablesOf(tx),
        );
    }),
});
