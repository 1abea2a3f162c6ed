// Registers a workload, replaces its entry, or deletes it. Nobody registers more than it may do itself.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Change, Tx, Write } from '../storage/storage.ts';
import type { WorkloadStore } from './stores.ts';
import { newWorkload, type NewWorkload, type Workload, workloadChanges, workloadKey, workloadNotFound } from './workload.ts';

interface Ports {
  readonly write: Write;
  readonly workloads: Pick<WorkloadStore, 'put' | 'find' | 'remove'>;
  readonly namespaceOwner: (namespace: string) => MaybePromise<TenantId | null>;
  /** Names of all methods, such as `ValidateToken`; asked at each call, since the table is put together last. */
  readonly methodNames: () => ReadonlySet<string>;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
}

export type EndService = (
  tx: Tx,
  tenantId: TenantId,
  name: { readonly namespace: string; readonly service: string },
  call: Call,
) => Promise<readonly Change[]>;

const lacking = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `registering this needs ${permission}`, { meta: { permission } });

/** Which of these the caller does not hold. Asked before the transaction, which must not wait for another connection. */
const lackedOf = async ({ holds }: Ports, permissions: readonly string[], call: Call): Promise<ReadonlySet<string>> => {
  const lacked = new Set<string>();
  for (const permission of permissions) if (!(await holds(call, permission))) lacked.add(permission);
  return lacked;
};

/** What the entry gives beyond what it gave must be the caller's own to give. */
const checkGiven = (given: NewWorkload, before: Workload | null, lacked: ReadonlySet<string>): void => {
  const beyond = given.permissions.find((permission) => lacked.has(permission) && !before?.permissions.includes(permission));
  if (beyond !== undefined) throw lacking(beyond);
  const foreign = given.tenants.some((tenant) => tenant !== given.tenantId && !before?.tenants.includes(tenant));
  if (foreign && lacked.has('installation:tenants')) throw lacking('installation:tenants');
};

export const putWorkload =
  (ports: Ports) =>
  async (asked: NewWorkload, call: Call): Promise<{ readonly workload: Workload; readonly revision: number }> => {
    const given = newWorkload(asked, ports.methodNames());
    const { tenantId, namespace, name } = given;
    // A namespace nobody has and one of somebody else read alike.
    if ((await ports.namespaceOwner(namespace)) !== tenantId)
      throw new Fault('FAILED_PRECONDITION', 'NAMESPACE_FORBIDDEN', 'the tenant does not own this namespace', {
        violations: [{ field: 'workload.namespace', description: "is not one of the tenant's" }],
      });
    const lacked = await lackedOf(ports, [...given.permissions, 'installation:tenants'], call);
    const { result, revision } = await ports.write(tenantId, async (tx) => {
      checkGiven(given, await ports.workloads.find(tx, tenantId, namespace, name), lacked);
      const { permissions, calls, tenants } = given;
      return {
        result: await ports.workloads.put(tx, given),
        changes: workloadChanges(given),
        events: [
          eventOf(call, tenantId, 'workload.put', `workload:${workloadKey(namespace, name)}`, { details: { permissions, calls, tenants } }),
        ],
      };
    });
    return { workload: result, revision };
  };

export const deleteWorkload =
  ({ write, workloads, endService }: Pick<Ports, 'write' | 'workloads'> & { readonly endService: EndService }) =>
  async (
    key: { readonly tenantId: TenantId; readonly namespace: string; readonly name: string },
    call: Call,
  ): Promise<{ readonly revision: number }> => {
    const { tenantId, namespace, name } = key;
    const { revision } = await write(tenantId, async (tx) => {
      if (!(await workloads.remove(tx, tenantId, namespace, name))) throw workloadNotFound();
      // Whoever still has a certificate of it would renew it for ever.
      const ended = await endService(tx, tenantId, { namespace, service: name }, call);
      const said = { level: 'warning', details: { certificates_revoked: ended.length } } as const;
      return {
        result: null,
        changes: [...workloadChanges(key), ...ended],
        events: [eventOf(call, tenantId, 'workload.deleted', `workload:${workloadKey(namespace, name)}`, said)],
      };
    });
    return { revision };
  };
