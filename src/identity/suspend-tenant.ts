// Suspends a tenant, or lifts that: every credential of a suspended tenant is refused, on every replica.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import { CLOCK_SKEW, type Millis } from '../base/time.ts';
import type { Change, ReadHead, Write } from '../storage/storage.ts';
import type { TenantStore } from './stores.ts';
import { type Tenant, type TenantStatus, tenantChanges, tenantNotFound } from './tenant.ts';

interface Ports {
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly tenants: Pick<TenantStore, 'lock' | 'setStatus' | 'find'>;
  /** The longest life of any access token: so long the mirrors keep the watermark. */
  readonly longestTokenLife: Millis;
}

interface Asked {
  readonly tenantId: TenantId;
  readonly status: TenantStatus;
  readonly reason: string;
}

export const changeTenantStatus =
  ({ write, readHead, tenants, longestTokenLife }: Ports) =>
  async ({ tenantId, status, reason }: Asked, call: Call): Promise<{ readonly tenant: Tenant; readonly revision: number }> => {
    const suspending = status === 'suspended';
    // Nobody would be left inside to lift it.
    if (suspending && call.caller.kind !== 'anonymous' && call.caller.tenantId === tenantId)
      throw new Fault('FAILED_PRECONDITION', 'OWN_TENANT', 'a tenant is not suspended from within');
    const { result, revision } = await write(tenantId, async (tx) => {
      const before = await tenants.lock(tx, tenantId);
      if (before === null) throw tenantNotFound();
      if (before.status === status) return { result: before };
      // Above every rsq read before the row was locked, and not above the number this change is going to get.
      const watermark = suspending ? (await readHead(tx)) + 1 : before.watermark;
      await tenants.setStatus(tx, tenantId, status, watermark);
      const ended: Change = {
        kind: 'tenant',
        tenantId,
        key: tenantId,
        until: call.now + longestTokenLife + CLOCK_SKEW,
        detail: 'suspended',
      };
      const tenant = await tenants.find(tx, tenantId);
      return {
        result: tenant ?? before,
        changes: [...(suspending ? [ended] : []), ...tenantChanges(tenantId)],
        events: [
          eventOf(call, tenantId, suspending ? 'tenant.suspended' : 'tenant.reactivated', `tenant:${tenantId}`, {
            level: 'warning',
            details: { reason },
          }),
        ],
      };
    });
    return { tenant: result, revision };
  };
