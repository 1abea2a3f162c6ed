// Who may have a certificate for whom: a service for itself, a right within the own tenant, or an attestation.
import type { Call, MaybePromise } from '../base/call.ts';
import {
  type Caller,
  known,
  type KnownCaller,
  refuseDelegated,
  subjectOf,
  type TenantId,
  tenantOf,
  type WorkloadEntry,
} from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import { namespaceIn, type OwnNames, type Permitted } from './names.ts';
import { parseSpiffeId, type ServiceName, spiffeIdOf } from './spiffe-id.ts';

/** What the certificates ask of others. */
export interface EntitlementPorts {
  namespaceOwner(namespace: string): MaybePromise<TenantId | null>;
  tenant(tenantId: TenantId): MaybePromise<{ readonly status: string } | null>;
  /** null where nobody registered it. */
  workload(namespace: string, name: string): MaybePromise<Pick<WorkloadEntry, 'dnsNames' | 'certificateTtlSeconds'> | null>;
  /** Does the caller hold all that the service may do? */
  outranks(caller: Caller, tenantId: TenantId, name: ServiceName): MaybePromise<boolean>;
  /** Does the caller hold the permission now? */
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

export interface EntitleDeps extends EntitlementPorts {
  readonly trustDomain: string;
  readonly development: boolean;
  readonly own: OwnNames;
  readonly life: { readonly default: Millis; readonly least: Millis; readonly most: Millis };
}

/** Whose certificate it will be, and on whose word. */
export interface Entitlement {
  readonly tenantId: TenantId;
  readonly name: ServiceName;
  /** `<type>:<id>`. */
  readonly issuedBy: string;
  /** Who acted, where the caller itself is nobody. */
  readonly actor: AuditEntry['actor'] | null;
  readonly attestation: '' | 'join_token' | 'expired_certificate';
  readonly permitted: Permitted;
  readonly ttl: { readonly default: Millis; readonly most: Millis };
}

const ISSUE = 'certificates:issue';

const namespaceForbidden = (namespace: string): Fault =>
  new Fault('PERMISSION_DENIED', 'NAMESPACE_FORBIDDEN', 'that namespace is not one of this tenant', { meta: { namespace } });

/** Throws unless the tenant may have a certificate for that service; answers what it may carry. */
export const createAdmission = (deps: EntitleDeps) => {
  const { own, life, trustDomain } = deps;

  const admitName = async (tenantId: TenantId, name: ServiceName): Promise<void> => {
    // Ours is nobody else's, whatever the tables say.
    if (name.namespace === own.namespace) throw namespaceForbidden(name.namespace);
    if ((await deps.namespaceOwner(name.namespace)) !== tenantId) throw namespaceForbidden(name.namespace);
    if (name.service === own.service || parseSpiffeId(spiffeIdOf(trustDomain, name)) === null)
      throw new Fault('PERMISSION_DENIED', 'IDENTITY_FORBIDDEN', 'that name is reserved', { meta: { service: name.service } });
    const tenant = await deps.tenant(tenantId);
    if (tenant?.status !== 'active') throw new Fault('PERMISSION_DENIED', 'TENANT_SUSPENDED', 'the tenant is suspended');
  };

  /** Registered names without those of another tenant's services: whoever may register workloads may write anything there. */
  const ownOf = async (tenantId: TenantId, names: readonly string[]): Promise<readonly string[]> => {
    const kept: string[] = [];
    for (const name of names) {
      const { namespace, within } = namespaceIn(name);
      const owner = namespace === '' ? null : await deps.namespaceOwner(namespace);
      if (owner === tenantId || (owner === null && !within)) kept.push(name);
    }
    return kept;
  };

  const admit = async (
    tenantId: TenantId,
    name: ServiceName,
    on: Pick<Entitlement, 'issuedBy' | 'actor' | 'attestation'> & Pick<Permitted, 'anyInNamespace'>,
  ): Promise<Entitlement> => {
    await admitName(tenantId, name);
    const entry = await deps.workload(name.namespace, name.service);
    const registeredLife = (entry?.certificateTtlSeconds ?? 0) * 1000;
    const most = registeredLife > 0 ? Math.min(registeredLife, life.most) : life.most;
    const { issuedBy, actor, attestation, anyInNamespace } = on;
    const { development } = deps;
    return {
      tenantId,
      name,
      issuedBy,
      actor,
      attestation,
      permitted: { name, registered: await ownOf(tenantId, entry?.dnsNames ?? []), anyInNamespace, development, own },
      ttl: { default: registeredLife > 0 ? most : Math.min(life.default, most), most },
    };
  };
  /** To take a service's identity is to take its rights. A registered workload issues for others by its office, people by what they hold. */
  const requireReach = async (caller: Caller, tenantId: TenantId, name: ServiceName): Promise<void> => {
    if (caller.kind === 'workload' || (await deps.outranks(caller, tenantId, name))) return;
    throw new Fault('PERMISSION_DENIED', 'ESCALATION', 'the service may do more than the caller', { meta: { service: name.service } });
  };

  return { admitName, admit, requireReach };
};

export type Admission = ReturnType<typeof createAdmission>;

export interface WhoFor {
  /** '' each: the caller's own. */
  readonly tenantId: string;
  readonly namespace: string;
  readonly service: string;
}

/** The caller's own name, where it asks for itself. */
const itself = (caller: Caller, { namespace, service, tenantId }: WhoFor): ServiceName | null =>
  caller.kind === 'workload' &&
  (namespace === '' || namespace === caller.namespace) &&
  (service === '' || service === caller.name) &&
  (tenantId === '' || tenantId === caller.tenantId)
    ? { namespace: caller.namespace, service: caller.name }
    : null;

const checkCalls = (caller: KnownCaller): void => {
  if (caller.kind !== 'workload' || caller.entry?.calls.includes('IssueServiceCert')) return;
  throw new Fault('PERMISSION_DENIED', 'CALL_NOT_ALLOWED', 'this workload may have certificates for itself only');
};

/** The entitlement of a caller that proved who it is. UNAUTHENTICATED / CREDENTIALS_MISSING for one that did not. */
export const createEntitle =
  (admission: Admission, holds: EntitlementPorts['holds']) =>
  async (call: Call, who: WhoFor): Promise<Entitlement> => {
    const caller = known(call.caller);
    const { type, id } = subjectOf(caller);
    const on = { issuedBy: `${type}:${id}`, actor: null, attestation: '' } as const;
    refuseDelegated(caller);
    const own = itself(caller, who);
    if (own !== null) return admission.admit(caller.tenantId, own, { ...on, anyInNamespace: false });
    checkCalls(caller);
    if (!(await holds(caller, ISSUE)))
      throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `this call needs the permission ${ISSUE}`, {
        meta: { permission: ISSUE },
      });
    // In its own tenant only, whatever else it may do elsewhere.
    const tenantId = tenantOf({ ...caller, ...(caller.kind === 'workload' ? { entry: null } : {}) }, who.tenantId);
    const namespace = who.namespace || (caller.kind === 'workload' ? caller.namespace : '');
    if (namespace === '') throw badField('namespace', 'must be set: this caller has none of its own');
    if (who.service === '') throw badField('service', 'must be set: this caller is not a service');
    const name = { namespace, service: who.service };
    const entitlement = await admission.admit(tenantId, name, { ...on, anyInNamespace: true });
    await admission.requireReach(caller, tenantId, name);
    return entitlement;
  };
