// Roles and resource types in Postgres.
import { type JSONColumnType, type Selectable, sql } from 'kysely';
import type { AccessWindow } from '../base/access-window.ts';
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { ResourceType, Role } from './authorization.ts';
import type { Rules } from './stores.ts';

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
  resource_type: TypeRow;
  role_assignment: { tenant_id: string; role: string };
}

/** Without their times: nobody asks for them, and a driver reads times slowly. */
const ROLE = [
  'name',
  'description',
  'permissions',
  'inherits',
  'constraints',
  'workloads',
  'environments',
  'exclusive_with',
  'max_holders',
  'require_mfa',
  'address_ranges',
  'hours',
  'clearance',
] as const;
const TYPE = ['name', 'description', 'actions', 'owner_actions', 'default_classification', 'attributes', 'parent_types'] as const;

const toRole = (row: Pick<Selectable<RoleRow>, (typeof ROLE)[number]>): Role => ({
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

const toType = (row: Pick<Selectable<TypeRow>, (typeof TYPE)[number]>): ResourceType => ({
  name: row.name,
  description: row.description,
  actions: row.actions,
  ownerActions: row.owner_actions,
  defaultClassification: row.default_classification,
  attributes: row.attributes,
  parentTypes: row.parent_types,
  builtIn: false,
});

const tablesOf = (tx: Tx) => tx.tables<Tables>();

const readRoles = async (tx: Tx, tenantId: TenantId): Promise<readonly Role[]> => {
  const rows = await tablesOf(tx).selectFrom('role').select(ROLE).where('tenant_id', '=', tenantId).orderBy('name').execute();
  return rows.map(toRole);
};

const readTypes = async (tx: Tx, tenantId: TenantId): Promise<readonly ResourceType[]> => {
  const rows = await tablesOf(tx).selectFrom('resource_type').select(TYPE).where('tenant_id', '=', tenantId).orderBy('name').execute();
  return rows.map(toType);
};

export const postgresRoles = (
  db: Pick<Database, 'tenant'>,
): Pick<Rules, 'roles' | 'types' | 'allRoles' | 'allTypes' | 'putRole' | 'deleteRole' | 'putType'> => ({
  roles: readRoles,
  types: readTypes,
  allRoles: (tenantId) => db.tenant(tenantId, (tx) => readRoles(tx, tenantId)),
  allTypes: (tenantId) => db.tenant(tenantId, (tx) => readTypes(tx, tenantId)),

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
});
