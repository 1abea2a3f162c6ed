// Window of tenants.
import { tenantOf } from '../base/caller.ts';
import { constraintsFrom, printConstraints } from '../base/constraints.ts';
import { timestampOf } from '../base/proto-time.ts';
import { seconds } from '../base/time.ts';
import {
  type CreateTenantResponse,
  type GetTenantResponse,
  type ListTenantsResponse,
  type ReactivateTenantResponse,
  type SuspendTenantResponse,
  type Tenant as Printed,
  TenantServiceService,
  type UpdateTenantResponse,
} from '../gen/securityhub/v1/tenant.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { Identity, Tenant } from './identity.ts';
import { mfaFrom, printMfa, printSession, sessionFrom } from './policy.rpc.ts';

const printed = (tenant: Tenant): Printed => ({
  id: tenant.tenantId,
  displayName: tenant.displayName,
  namespaces: [...tenant.namespaces],
  status: tenant.status,
  defaultKeyName: tenant.defaultKeyName,
  createdAt: timestampOf(tenant.createdAt),
  constraints: printConstraints(tenant.constraints),
  sessionPolicy: tenant.policy === null ? undefined : printSession(tenant.policy),
  mfaPolicy: tenant.policy === null ? undefined : printMfa(tenant.policy),
  updatedAt: timestampOf(tenant.updatedAt),
});

const INSTALLATION = { permission: 'installation:tenants', across: true } as const;
const CHANGE = { audit: 'in-transaction', limit: 'manage', deadline: seconds(10) } as const;
const READ = { audit: 'none', limit: 'manage', deadline: seconds(10), idempotency: 'safe' } as const;

type Door = Pick<Identity, 'createTenant' | 'updateTenant' | 'getTenant' | 'listTenants' | 'changeTenantStatus' | 'holds'>;

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
    updateTenant: {
      ...CHANGE,
      // The handler looks closer: the own tenant, another one and namespaces take different permissions.
      access: { across: true },
      idempotency: 'idempotent',
      async handle({ constraints, sessionPolicy, mfaPolicy, ...request }, call): Promise<UpdateTenantResponse> {
        const { tenant, revision } = await identity.updateTenant(
          {
            tenantId: tenantOf(call.caller, request.tenantId, true),
            displayName: request.displayName,
            defaultKeyName: request.defaultKeyName,
            addNamespaces: request.addNamespaces,
            constraints: constraints === undefined ? undefined : constraintsFrom('constraints', constraints),
            session: sessionPolicy === undefined ? undefined : sessionFrom(sessionPolicy),
            mfa: mfaPolicy === undefined ? undefined : mfaFrom(mfaPolicy),
          },
          call,
        );
        return { tenant: printed(tenant), revision };
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
