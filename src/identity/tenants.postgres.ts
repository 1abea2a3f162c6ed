// Tenants and their namespaces in Postgres.
import { sql, type Selectable } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { TenantPolicy } from './policy.ts';
import type { TenantLists, TenantStore } from './stores.ts';
import type { Tenant, TenantStatus } from './tenant.ts';

interface TenantRow {
  readonly tenant_id: string;
  readonly display_name: string;
  readonly status: TenantStatus;
  readonly default_key_name: string;
  readonly constraints: Constraints | null;
  readonly policy: TenantPolicy | null;
  readonly watermark: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

interface Tables {
  readonly tenants: TenantRow;
  readonly tenant_namespaces: { readonly tenant_id: string; readonly namespace: string };
}

const NAMESPACES = sql<string[]>`ARRAY(SELECT namespace FROM tenant_namespaces n WHERE n.tenant_id = tenants.tenant_id ORDER BY namespace)`;

const select = (tx: Tx) =>
  tx
    .tables<Tables>()
    .selectFrom('tenants')
    .select([
      'tenant_id',
      'display_name',
      'status',
      'default_key_name',
      'constraints',
      'policy',
      'watermark',
      'created_at',
      'updated_at',
      NAMESPACES.as('namespaces'),
    ]);

const tenantOfRow = (row: Selectable<TenantRow> & { readonly namespaces: readonly string[] }): Tenant => ({
  tenantId: row.tenant_id,
  displayName: row.display_name,
  status: row.status,
  namespaces: row.namespaces,
  defaultKeyName: row.default_key_name,
  constraints: row.constraints,
  policy: row.policy,
  watermark: row.watermark,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
});

const json = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));

export const tenantStore: TenantStore = {
  async insert(tx, { tenantId, displayName, defaultKeyName }) {
    const inserted = await sql`
      INSERT INTO tenants (tenant_id, display_name, status, default_key_name)
      VALUES (${tenantId}, ${displayName}, 'active', ${defaultKeyName}) ON CONFLICT DO NOTHING RETURNING tenant_id`.execute(
      tx.tables<Tables>(),
    );
    return inserted.rows.length === 1;
  },
  async claimNamespaces(tx, tenantId, namespaces) {
    if (namespaces.length === 0) return [];
    // One by one in the given (sorted) order: two tenants asking for the same two namespaces must not wait for each other.
    const taken: string[] = [];
    for (const namespace of namespaces) {
      const inserted = await sql`
        INSERT INTO tenant_namespaces (tenant_id, namespace) VALUES (${tenantId}, ${namespace})
        ON CONFLICT DO NOTHING RETURNING namespace`.execute(tx.tables<Tables>());
      if (inserted.rows.length === 0) taken.push(namespace);
    }
    return taken;
  },
  async find(tx, tenantId) {
    const row = await select(tx).where('tenant_id', '=', tenantId).executeTakeFirst();
    return row === undefined ? null : tenantOfRow(row);
  },
  async lock(tx, tenantId) {
    const row = await select(tx).where('tenant_id', '=', tenantId).forUpdate().executeTakeFirst();
    return row === undefined ? null : tenantOfRow(row);
  },
  async setStatus(tx, tenantId, status, watermark) {
    await sql`UPDATE tenants SET status = ${status}, watermark = ${watermark}, updated_at = clock_timestamp()
      WHERE tenant_id = ${tenantId}`.execute(tx.tables<Tables>());
  },
  async update(tx, tenantId, { displayName, defaultKeyName, constraints, policy }) {
    await sql`UPDATE tenants SET display_name = ${displayName}, default_key_name = ${defaultKeyName}, constraints = ${json(constraints)}::jsonb,
        policy = ${json(policy)}::jsonb, updated_at = clock_timestamp()
      WHERE tenant_id = ${tenantId}`.execute(tx.tables<Tables>());
  },
  async isActive(tx, tenantId) {
    const row = await sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenantId} AND status = 'active' FOR SHARE`.execute(tx.tables<Tables>());
    return row.rows.length === 1;
  },
};

/** Reads over every wall: only for callers with rights over the installation, and for the look-ups that find a tenant. */
export const createTenantLists = (db: Pick<Database, 'jobs'>): TenantLists => ({
  page: (status, after, limit) =>
    db.jobs(async (tx) => {
      const all = select(tx).where('tenant_id', '>', after).orderBy('tenant_id').limit(limit);
      const rows = await (status === '' ? all : all.where('status', '=', status as TenantStatus)).execute();
      return rows.map(tenantOfRow);
    }),
  ownerOf: (namespace) =>
    db.jobs(async (tx) => {
      const row = await tx
        .tables<Tables>()
        .selectFrom('tenant_namespaces')
        .select('tenant_id')
        .where('namespace', '=', namespace)
        .executeTakeFirst();
      return row?.tenant_id ?? null;
    }),
  sole: () =>
    db.jobs(async (tx): Promise<TenantId | null> => {
      const rows = await tx.tables<Tables>().selectFrom('tenants').select('tenant_id').where('status', '=', 'active').limit(2).execute();
      return rows.length === 1 ? (rows[0]?.tenant_id ?? null) : null;
    }),
});
