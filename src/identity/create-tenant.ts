// Creates a tenant and gives it its namespaces; the database decides who was first.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Tx, Write } from '../storage/storage.ts';
import type { TenantStore } from './stores.ts';
import { newNamespaces, newTenantId, type Tenant, tenantChanges, tenantNotFound } from './tenant.ts';
import { readable } from './user.ts';

export interface NewTenant {
  readonly tenantId: string;
  readonly displayName: string;
  readonly namespaces: readonly string[];
  readonly defaultKeyName: string;
  readonly idempotencyKey: string;
}

interface Ports {
  readonly write: Write;
  readonly tenants: Pick<TenantStore, 'insert' | 'claimNamespaces' | 'find'>;
  readonly claim: ClaimIdempotency;
}

/** ALREADY_EXISTS / NAMESPACE_TAKEN for the first that is another tenant's. `namespaces` sorted. */
export const claimNamespaces = async (
  tenants: Pick<TenantStore, 'claimNamespaces'>,
  tx: Tx,
  tenantId: TenantId,
  namespaces: readonly string[],
): Promise<void> => {
  const [taken] = await tenants.claimNamespaces(tx, tenantId, namespaces);
  if (taken === undefined) return;
  throw new Fault('ALREADY_EXISTS', 'NAMESPACE_TAKEN', `the namespace ${taken} belongs to a tenant already`, {
    violations: [{ field: 'namespaces', description: `${taken} is taken` }],
  });
};

/** Stores a tenant with its namespaces inside a transaction of that tenant; false where the tenant is there already. */
export const insertTenant = async (
  tenants: Pick<TenantStore, 'insert' | 'claimNamespaces'>,
  tx: Tx,
  tenant: Pick<Tenant, 'tenantId' | 'displayName' | 'defaultKeyName' | 'namespaces'>,
): Promise<boolean> => {
  if (!(await tenants.insert(tx, tenant))) return false;
  await claimNamespaces(tenants, tx, tenant.tenantId, tenant.namespaces);
  return true;
};

export const createTenant =
  ({ write, tenants, claim }: Ports) =>
  async (asked: NewTenant, call: Call): Promise<{ readonly tenant: Tenant; readonly revision: number }> => {
    const tenantId = newTenantId(asked.tenantId);
    const namespaces = newNamespaces('namespaces', asked.namespaces);
    const displayName = readable('display_name', asked.displayName) || tenantId;
    const defaultKeyName = readable('default_key_name', asked.defaultKeyName) || 'default';
    const { result, revision } = await write(tenantId, async (tx) => {
      const request = [displayName, namespaces, defaultKeyName];
      const earlier = await claim(tx, { tenantId, call, key: asked.idempotencyKey, request, objectId: tenantId });
      if (earlier === null && !(await insertTenant(tenants, tx, { tenantId, displayName, defaultKeyName, namespaces })))
        throw new Fault('ALREADY_EXISTS', 'TENANT_EXISTS', 'there is a tenant of this id', {
          violations: [{ field: 'id', description: 'is taken' }],
        });
      const tenant = await tenants.find(tx, tenantId);
      if (tenant === null) throw tenantNotFound();
      if (earlier !== null) return { result: tenant };
      return {
        result: tenant,
        changes: tenantChanges(tenantId, namespaces),
        events: [eventOf(call, tenantId, 'tenant.created', `tenant:${tenantId}`, { details: { namespaces } })],
      };
    });
    return { tenant: result, revision };
  };
