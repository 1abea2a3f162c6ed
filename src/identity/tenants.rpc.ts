// Window of tenants.
import { tenantOf } from '../base/caller.ts';
import { seconds } from '../base/time.ts';
import {
  type CreateTenantResponse,
  type GetTenantResponse,
  type ListTenantsResponse,
  type ReactivateTenantResponse,
  type SuspendTenantResponse,
  type Tenant as Printed,
  TenantServiceService,
} from '../gen/securityhub/v1/tenant.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { Identity, Tenant } from './identity.ts';
import { timestampOf } from './timestamp.ts';

const printed = (tenant: Tenant): Printed => ({
  id: tenant.tenantId,
  displayName: tenant.displayName,
  namespaces: [...tenant.namespaces],
  status: tenant.status,
  defaultKeyName: tenant.defaultKeyName,
  createdAt: timestampOf(tenant.createdAt),
});

const INSTALLATION = { permission: 'installation:tenants', across: true } as const;
const CHANGE = { audit: 'in-transaction', limit: 'manage', deadline: seconds(10) } as const;
const READ = { audit: 'none', limit: 'manage', deadline: seconds(10), idempotency: 'safe' } as const;

type Door = Pick<Identity, 'createTenant' | 'getTenant' | 'listTenants' | 'changeTenantStatus' | 'holds'>;

export const tenantService = (identity: Door): Service =>
  service(TenantServiceService, {
    createTenant: {
      ...CHANGE,
      access: INSTALLATION,
      idempotency: 'keyed',
      async handle({ id, ...request }, call): Promise<CreateTenantResponse> {
        const { tenant, revision } = await identity.createTenant({ tenantId: id, ...request }, call);
        return { tenant: printed(tenant), revision };
      },
    },
    getTenant: {
      ...READ,
      access: { across: true },
      async handle(request, call): Promise<GetTenantResponse> {
        const across = await identity.holds(call, 'installation:tenants');
        return { tenant: printed(await identity.getTenant(tenantOf(call.caller, request.tenantId, across))) };
      },
    },
    listTenants: {
      ...READ,
      access: INSTALLATION,
      async handle(request): Promise<ListTenantsResponse> {
        const { items, next } = await identity.listTenants(request);
        return { tenants: items.map(printed), nextPageToken: next };
      },
    },
    suspendTenant: {
      ...CHANGE,
      access: INSTALLATION,
      idempotency: 'idempotent',
      async handle({ tenantId, reason }, call): Promise<SuspendTenantResponse> {
        const asked = { tenantId: tenantOf(call.caller, tenantId, true), status: 'suspended', reason } as const;
        const { tenant, revision } = await identity.changeTenantStatus(asked, call);
        return { tenant: printed(tenant), revision };
      },
    },
    reactivateTenant: {
      ...CHANGE,
      access: INSTALLATION,
      idempotency: 'idempotent',
      async handle({ tenantId, reason }, call): Promise<ReactivateTenantResponse> {
        const asked = { tenantId: tenantOf(call.caller, tenantId, true), status: 'active', reason } as const;
        const { tenant, revision } = await identity.changeTenantStatus(asked, call);
        return { tenant: printed(tenant), revision };
      },
    },
  });
