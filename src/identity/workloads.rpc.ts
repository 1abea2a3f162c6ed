// Window of workloads.
import { tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import {
  type DeleteWorkloadResponse,
  type GetWorkloadResponse,
  type ListWorkloadsResponse,
  type PutWorkloadResponse,
  type Workload as Printed,
  WorkloadServiceService,
} from '../gen/securityhub/v1/workload.ts';
import { type Service, service } from '../server/rpc/define.ts';
import { type Identity, spiffeIdOf, type Workload } from './identity.ts';

type Door = Pick<Identity, 'putWorkload' | 'getWorkload' | 'listWorkloads' | 'deleteWorkload' | 'holds'>;

const WRITE = { permission: 'workloads:write', across: true } as const;
const READ = { permission: 'workloads:read', across: true } as const;
const COLUMNS = { limit: 'manage', deadline: seconds(10) } as const;

export const workloadService = (identity: Door, trustDomain: string): Service => {
  const printed = (workload: Workload): Printed => ({
    tenantId: workload.tenantId,
    namespace: workload.namespace,
    name: workload.name,
    spiffeId: spiffeIdOf(trustDomain, workload.namespace, workload.name),
    audiences: [...workload.audiences],
    anyAudience: workload.anyAudience,
    tenants: [...workload.tenants],
    resourceTypes: [...workload.resourceTypes],
    calls: [...workload.calls],
    permissions: [...workload.permissions],
    keyNames: [...workload.keyNames],
    dnsNames: [...workload.dnsNames],
    certificateTtl: workload.certificateTtlSeconds === 0 ? undefined : { seconds: workload.certificateTtlSeconds, nanos: 0 },
    asserts: [...workload.asserts],
    owner: workload.owner,
    createdAt: timestampOf(workload.createdAt),
    updatedAt: timestampOf(workload.updatedAt),
    exchangeAudiences: [...(workload.exchangeAudiences ?? [])],
  });

  return service(WorkloadServiceService, {
    putWorkload: {
      ...COLUMNS,
      access: WRITE,
      audit: 'in-transaction',
      inPerson: true,
      idempotency: 'idempotent',
      async handle(request, call): Promise<PutWorkloadResponse> {
        const given = request.workload;
        if (given === undefined) throw badField('workload', 'is needed');
        // It stands inside the entry, where the access layer does not look: another tenant needs rights over the installation.
        const tenantId = tenantOf(call.caller, given.tenantId, await identity.holds(call, 'installation:tenants'));
        const { workload, revision } = await identity.putWorkload(
          { ...given, tenantId, certificateTtlSeconds: given.certificateTtl?.seconds ?? 0 },
          call,
        );
        return { workload: printed(workload), revision };
      },
    },
    getWorkload: {
      ...COLUMNS,
      access: READ,
      audit: 'none',
      idempotency: 'safe',
      async handle({ tenantId, namespace, name }, call): Promise<GetWorkloadResponse> {
        return { workload: printed(await identity.getWorkload(tenantOf(call.caller, tenantId, true), namespace, name)) };
      },
    },
    listWorkloads: {
      ...COLUMNS,
      access: READ,
      audit: 'none',
      idempotency: 'safe',
      async handle(request, call): Promise<ListWorkloadsResponse> {
        const { items, next } = await identity.listWorkloads({ ...request, tenantId: tenantOf(call.caller, request.tenantId, true) });
        return { workloads: items.map(printed), nextPageToken: next };
      },
    },
    deleteWorkload: {
      ...COLUMNS,
      access: WRITE,
      audit: 'in-transaction',
      idempotency: 'idempotent',
      handle: ({ tenantId, namespace, name }, call): Promise<DeleteWorkloadResponse> =>
        identity.deleteWorkload({ tenantId: tenantOf(call.caller, tenantId, true), namespace, name }, call),
    },
  });
};
