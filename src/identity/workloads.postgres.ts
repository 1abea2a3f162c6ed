// Workload entries in Postgres.
import { sql } from 'kysely';
import type { Tx } from '../storage/storage.ts';
import type { WorkloadStore } from './stores.ts';
import type { Workload } from './workload.ts';

interface WorkloadRow {
  readonly tenant_id: string;
  readonly namespace: string;
  readonly name: string;
  readonly audiences: readonly string[];
  readonly any_audience: boolean;
  readonly tenants: readonly string[];
  readonly resource_types: readonly string[];
  readonly calls: readonly string[];
  readonly permissions: readonly string[];
  readonly key_names: readonly string[];
  readonly dns_names: readonly string[];
  readonly certificate_ttl_seconds: number;
  readonly asserts: readonly string[];
  readonly exchange_audiences: readonly string[];
  readonly owner: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const COLUMNS = sql.raw(
  'tenant_id, namespace, name, audiences, any_audience, tenants, resource_types, calls, permissions, key_names, dns_names, certificate_ttl_seconds, asserts, exchange_audiences, owner, created_at, updated_at',
);

const workloadOfRow = (row: WorkloadRow): Workload => ({
  tenantId: row.tenant_id,
  namespace: row.namespace,
  name: row.name,
  audiences: row.audiences,
  anyAudience: row.any_audience,
  tenants: row.tenants,
  resourceTypes: row.resource_types,
  calls: row.calls,
  permissions: row.permissions,
  keyNames: row.key_names,
  dnsNames: row.dns_names,
  certificateTtlSeconds: row.certificate_ttl_seconds,
  asserts: row.asserts,
  exchangeAudiences: row.exchange_audiences,
  owner: row.owner,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
});

const first = (rows: readonly WorkloadRow[]): Workload | null => (rows[0] === undefined ? null : workloadOfRow(rows[0]));
const db = (tx: Tx) => tx.tables<{ readonly workloads: WorkloadRow }>();

export const workloadStore: WorkloadStore = {
  async put(tx, w) {
    const stored = await sql<WorkloadRow & { readonly created: boolean }>`
      INSERT INTO workloads AS w (tenant_id, namespace, name, audiences, any_audience, tenants, resource_types, calls, permissions,
        key_names, dns_names, certificate_ttl_seconds, asserts, exchange_audiences, owner)
      VALUES (${w.tenantId}, ${w.namespace}, ${w.name}, ${w.audiences}, ${w.anyAudience}, ${w.tenants}, ${w.resourceTypes}, ${w.calls},
        ${w.permissions}, ${w.keyNames}, ${w.dnsNames}, ${w.certificateTtlSeconds}, ${w.asserts}, ${w.exchangeAudiences ?? []},
        ${w.owner})
      ON CONFLICT (tenant_id, namespace, name) DO UPDATE SET
        audiences = excluded.audiences, any_audience = excluded.any_audience, tenants = excluded.tenants,
        resource_types = excluded.resource_types, calls = excluded.calls, permissions = excluded.permissions,
        key_names = excluded.key_names, dns_names = excluded.dns_names, certificate_ttl_seconds = excluded.certificate_ttl_seconds,
        asserts = excluded.asserts, exchange_audiences = excluded.exchange_audiences, owner = excluded.owner, updated_at = clock_timestamp()
      RETURNING ${COLUMNS}, xmax = 0 AS created`.execute(db(tx));
    const workload = first(stored.rows);
    if (workload === null) throw new Error('an upsert returned no row');
    return { workload, created: stored.rows[0]?.created === true };
  },
  async find(tx, tenantId, namespace, name) {
    const found = await sql<WorkloadRow>`SELECT ${COLUMNS} FROM workloads
      WHERE tenant_id = ${tenantId} AND namespace = ${namespace} AND name = ${name}`.execute(db(tx));
    return first(found.rows);
  },
  async remove(tx, tenantId, namespace, name) {
    const removed = await sql`DELETE FROM workloads
      WHERE tenant_id = ${tenantId} AND namespace = ${namespace} AND name = ${name} RETURNING name`.execute(db(tx));
    return removed.rows.length === 1;
  },
  async page(tx, tenantId, namespace, after, limit) {
    const only = namespace === '' ? sql`` : sql`AND namespace = ${namespace}`;
    const beyond = after === null ? sql`` : sql`AND (namespace, name) > (${after.namespace}, ${after.name})`;
    const rows = await sql<WorkloadRow>`SELECT ${COLUMNS} FROM workloads WHERE tenant_id = ${tenantId} ${only} ${beyond}
      ORDER BY namespace, name LIMIT ${limit}`.execute(db(tx));
    return rows.rows.map(workloadOfRow);
  },
};
