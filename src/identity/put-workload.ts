// Registers a workload, replaces its entry, or deletes it. Nobody registers more than it may do itself.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Change, Tx, Write } from '../storage/storage.ts';
import type { WorkloadStore } from './stores.ts';
import {
  beyondOwn,
  EVERYTHING,
  issuesForOthers,
  newWorkload,
  type NewWorkload,
  type Workload,
  workloadChanges,
  workloadKey,
  workloadNotFound,
} from './workload.ts';

const TENANTS = 'installation:tenants';

interface Ports {
  readonly write: Write;
  readonly workloads: Pick<WorkloadStore, 'put' | 'find' | 'remove'>;
  readonly namespaceOwner: (namespace: string) => MaybePromise<TenantId | null>;
  /** Names of all methods, such as `ValidateToken`; asked at each call, since the table is put together last. */
  readonly methodNames: () => ReadonlySet<string>;
  /** Held, and not only lent: an entry outlasts every loan. */
  readonly owns: (call: Call, permission: string) => MaybePromise<boolean>;
  readonly forgetService: ForgetService;
  /** Does the caller own all that this service holds by itself, and `more`? */
  readonly outranksService: (call: Call, tenantId: TenantId, key: string, more: readonly string[]) => MaybePromise<boolean>;
}

export type EndService = (
  tx: Tx,
  tenantId: TenantId,
  name: { readonly namespace: string; readonly service: string },
  call: Call,
) => Promise<readonly Change[]>;

/** Inside the transaction that deletes or creates a service: takes what was given to one of that name. PERMISSION_DENIED beyond the caller's reach. */
export type ForgetService = (
  tx: Tx,
  tenantId: TenantId,
  key: string,
  call: Call,
) => Promise<{ readonly changes: readonly Change[]; readonly events: readonly AuditEntry[] }>;

const lacking = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `registering this needs ${permission}`, { meta: { permission } });

const escalation = (what: string): Fault => new Fault('PERMISSION_DENIED', 'ESCALATION', what);

/** What the caller itself could give. Asked before the transaction, which must not wait for another connection. */
interface Reach {
  readonly lacked: ReadonlySet<string>;
  /** Everything the service would hold. */
  readonly covers: boolean;
}

const reachOf = async ({ owns, outranksService }: Ports, given: NewWorkload, call: Call): Promise<Reach> => {
  const lacked = new Set<string>();
  for (const permission of [...given.permissions, TENANTS, EVERYTHING]) if (!(await owns(call, permission))) lacked.add(permission);
  const key = workloadKey(given.namespace, given.name);
  return { lacked, covers: await outranksService(call, given.tenantId, key, given.permissions) };
};

/** What the entry gives beyond what it gave must be the caller's own to give. */
const checkGiven = (given: NewWorkload, before: Workload | null, { lacked, covers }: Reach, { caller }: Call): void => {
  const beyond = given.permissions.find((permission) => lacked.has(permission) && !before?.permissions.includes(permission));
  if (beyond !== undefined) throw lacking(beyond);
  const foreign = given.tenants.some((tenant) => tenant !== given.tenantId && !before?.tenants.includes(tenant));
  if (foreign && lacked.has(TENANTS)) throw lacking(TENANTS);
  const added = given.calls.filter((name) => !before?.calls.includes(name));
  // A call makes use of whatever the service holds, by its entry or by roles and grants.
  if (added.length > 0 && !covers) throw escalation('the service may do more than the caller: it gets no further calls from it');
  // People have all keys and calls that their permissions open; a workload has those of its entry, and could else write itself more.
  const beyondCaller = caller.kind === 'workload' && lacked.has(EVERYTHING) ? beyondOwn(given, before, caller.entry) : null;
  if (beyondCaller !== null) throw escalation(`a workload gives what its own entry lists: ${beyondCaller} needs ${EVERYTHING}`);
  if (issuesForOthers({ calls: added }) && lacked.has(EVERYTHING) && lacked.has(TENANTS))
    throw escalation(`who issues for others can be any service of the tenant: registering it needs ${EVERYTHING}`);
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
    const reach = await reachOf(ports, given, call);
    const { result, revision } = await ports.write(tenantId, async (tx) => {
      checkGiven(given, await ports.workloads.find(tx, tenantId, namespace, name), reach, call);
      const { permissions, calls, tenants } = given;
      const key = workloadKey(namespace, name);
      const { workload, created } = await ports.workloads.put(tx, given);
      // A replica that had not heard of the deletion may have given the old one something afterwards.
      const old = created ? await ports.forgetService(tx, tenantId, key, call) : { changes: [], events: [] };
      return {
        result: workload,
        changes: [...workloadChanges(given), ...old.changes],
        events: [...old.events, eventOf(call, tenantId, 'workload.put', `workload:${key}`, { details: { permissions, calls, tenants } })],
      };
    });
    return { workload: result, revision };
  };

export const deleteWorkload =
  ({
    write,
    workloads,
    forgetService,
    endService,
  }: Pick<Ports, 'write' | 'workloads' | 'forgetService'> & { readonly endService: EndService }) =>
  async (
    named: { readonly tenantId: TenantId; readonly namespace: string; readonly name: string },
    call: Call,
  ): Promise<{ readonly revision: number }> => {
    const { tenantId, namespace, name } = named;
    const { revision } = await write(tenantId, async (tx) => {
      if (!(await workloads.remove(tx, tenantId, namespace, name))) throw workloadNotFound();
      // Whoever still has a certificate of it would renew it for ever.
      const ended = await endService(tx, tenantId, { namespace, service: name }, call);
      const key = workloadKey(namespace, name);
      const forgotten = await forgetService(tx, tenantId, key, call);
      const said = { level: 'warning', details: { certificates_revoked: ended.length } } as const;
      return {
        result: null,
        changes: [...workloadChanges(named), ...ended, ...forgotten.changes],
        events: [...forgotten.events, eventOf(call, tenantId, 'workload.deleted', `workload:${key}`, said)],
      };
    });
    return { revision };
  };
