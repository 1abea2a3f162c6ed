// Changes what a tenant says about itself, its sessions and its limits; what is not asked for stays.
import type { Call, MaybePromise } from '../base/call.ts';
import { canonicalJson } from '../base/canonical.ts';
import { lacks, type TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { eventOf } from '../base/event.ts';
import type { Instant } from '../base/time.ts';
import type { Write } from '../storage/storage.ts';
import { claimNamespaces } from './create-tenant.ts';
import { DEFAULT_POLICY, type MfaWords, type SessionWords, type TenantPolicy } from './policy.ts';
import type { TenantStore } from './stores.ts';
import { newNamespaces, type Tenant, tenantChanges, tenantNotFound } from './tenant.ts';
import { limitsChange, readable } from './user.ts';

export interface TenantUpdate {
  readonly tenantId: TenantId;
  /** undefined = stays, here and below. */
  readonly displayName: string | undefined;
  readonly defaultKeyName: string | undefined;
  /** null = no limits. */
  readonly constraints: Constraints | null | undefined;
  readonly session: SessionWords | undefined;
  readonly mfa: MfaWords | undefined;
  readonly addNamespaces: readonly string[];
}

interface Ports {
  readonly write: Write;
  readonly tenants: Pick<TenantStore, 'lock' | 'update' | 'claimNamespaces' | 'find'>;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
}

const limiting = ({ constraints, session, mfa }: TenantUpdate): boolean =>
  constraints !== undefined || session !== undefined || mfa !== undefined;

const policyOf = (before: TenantPolicy | null, { session, mfa }: TenantUpdate): TenantPolicy | null => {
  const policy = { ...(before ?? DEFAULT_POLICY), ...session, ...mfa };
  // Members come back from the store in an order of its own.
  return canonicalJson(policy) === canonicalJson(DEFAULT_POLICY) ? null : policy;
};

const need = async (ports: Ports, call: Call, permission: string): Promise<void> => {
  if (!(await ports.holds(call, permission))) throw lacks(call.caller, permission);
};

export const updateTenant =
  (ports: Ports) =>
  async (asked: TenantUpdate, call: Call): Promise<{ readonly tenant: Tenant; readonly revision: number }> => {
    const { tenantId } = asked;
    const own = call.caller.kind !== 'anonymous' && call.caller.tenantId === tenantId;
    await need(ports, call, own ? 'admin:security' : 'installation:tenants');
    const namespaces = newNamespaces('add_namespaces', asked.addNamespaces);
    if (namespaces.length > 0) await need(ports, call, 'installation:tenants');
    const displayName = asked.displayName === undefined ? undefined : readable('display_name', asked.displayName) || tenantId;
    const defaultKeyName = asked.defaultKeyName === undefined ? undefined : readable('default_key_name', asked.defaultKeyName) || 'default';
    const { result, revision } = await ports.write(tenantId, async (tx) => {
      const before = await ports.tenants.lock(tx, tenantId);
      if (before === null) throw tenantNotFound();
      const after = {
        displayName: displayName ?? before.displayName,
        defaultKeyName: defaultKeyName ?? before.defaultKeyName,
        constraints: asked.constraints === undefined ? before.constraints : asked.constraints,
        policy: policyOf(before.policy, asked),
      };
      const fresh = namespaces.filter((namespace) => !before.namespaces.includes(namespace));
      await claimNamespaces(ports.tenants, tx, tenantId, fresh);
      await ports.tenants.update(tx, tenantId, after);
      return {
        result: (await ports.tenants.find(tx, tenantId)) ?? before,
        changes: [...tenantChanges(tenantId, fresh), ...(limiting(asked) ? [limitsChange(tenantId, '*', ports.watermarkUntil())] : [])],
        events: [
          eventOf(call, tenantId, 'tenant.updated', `tenant:${tenantId}`, {
            level: 'warning',
            details: { ...after, ...(fresh.length === 0 ? {} : { namespaces: fresh }) },
          }),
        ],
      };
    });
    return { tenant: result, revision };
  };
