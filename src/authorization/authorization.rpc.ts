// Window of the authorization capability: AuthorizationService, a row an RPC.
import { tenantOf } from '../base/caller.ts';
import { constraintsFrom, printConstraints } from '../base/constraints.ts';
import { badField } from '../base/fault.ts';
import type { Pager } from '../base/page.ts';
import { optionalTimestamp, timestampOf } from '../base/proto-time.ts';
import * as proto from '../gen/securityhub/v1/authorization.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { AccessRows } from './access/access.rpc.ts';
import type { DecisionRows } from './decision/decision.rpc.ts';
import type { GroupRows } from './groups.rpc.ts';
import type { ListingRows } from './listing.rpc.ts';
import type { PolicyRows } from './policy/policy.rpc.ts';
import type { ResourceRows } from './resource/resource.rpc.ts';
import { changing, instant, pages, reading, required, subjectFrom } from './rows.rpc.ts';
import type { Authorization, Page, ResourceType, Role, StoredAssignment, StoredGrant } from './authorization.ts';

const printRole = (role: Role): proto.Role => ({
  name: role.name,
  description: role.description,
  permissions: [...role.permissions],
  inherits: [...role.inherits],
  builtIn: role.builtIn,
  constraints: printConstraints(role.constraints),
  workloads: [...role.workloads],
  environments: [...role.environments],
  addressRanges: [...role.addressRanges],
  hours: role.hours.map((window) => ({ ...window, days: [...window.days], group: 0 })),
  requireMfa: role.requireMfa,
  exclusiveWith: [...role.exclusiveWith],
  maxHolders: role.maxHolders,
  clearance: role.clearance,
});

const printType = (type: ResourceType): proto.ResourceType => ({
  name: type.name,
  description: type.description,
  actions: [...type.actions],
  ownerActions: [...type.ownerActions],
  defaultClassification: type.defaultClassification,
  attributes: { ...type.attributes },
  parentTypes: [...type.parentTypes],
});

const printAssignment = (assignment: StoredAssignment): proto.Assignment => ({
  subject: { ...assignment.subject },
  role: assignment.role,
  notBefore: optionalTimestamp(assignment.notBefore),
  expiresAt: optionalTimestamp(assignment.expiresAt),
  createdAt: timestampOf(assignment.createdAt),
  createdBy: assignment.createdBy,
});

const printGrant = (grant: StoredGrant): proto.Grant => ({
  id: grant.id,
  subject: { ...grant.subject },
  permission: grant.permission,
  resourceId: grant.resourceId,
  effect: grant.effect === 'allow' ? proto.Effect.EFFECT_ALLOW : proto.Effect.EFFECT_DENY,
  expiresAt: optionalTimestamp(grant.expiresAt),
  reason: grant.reason,
  createdAt: timestampOf(grant.createdAt),
  createdBy: grant.createdBy,
  notBefore: optionalTimestamp(grant.notBefore),
  condition: grant.condition,
});

const effectFrom = (effect: proto.Effect): 'allow' | 'deny' => {
  if (effect === proto.Effect.EFFECT_ALLOW) return 'allow';
  if (effect === proto.Effect.EFFECT_DENY) return 'deny';
  throw badField('effect', 'EFFECT_ALLOW or EFFECT_DENY');
};

/** The access layer has decided whether the caller may name that tenant. */
const ACROSS = true;

export const authorizationServices = (
  door: Omit<Authorization, 'recorder'>,
  pager: Pager,
  others: PolicyRows & DecisionRows & GroupRows & ListingRows & AccessRows & ResourceRows,
): readonly Service[] => {
  const paged = <T>(
    query: readonly unknown[],
    request: { readonly pageSize: number; readonly pageToken: string },
    load: (after: string, size: number) => Promise<Page<T>>,
  ) => pages(pager, query, request, load);

  return [
    service(proto.AuthorizationServiceService, {
      ...others,
      putResourceType: {
        ...changing('config:write'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const { result, revision } = await door.putResourceType(tenantId, required('resource_type', request.resourceType), call);
          return { resourceType: printType(result), revision };
        },
      },
      listResourceTypes: {
        ...reading('config:read'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const { items, nextPageToken } = await paged(['resource_types', tenantId], request, (after, size) =>
            door.listResourceTypes(tenantId, after, size),
          );
          return { resourceTypes: items.map(printType), nextPageToken };
        },
      },
      getAuthorizationStatistics: {
        ...reading('authz:read'),
        handle: (request, call) => door.statistics(tenantOf(call.caller, request.tenantId, ACROSS), call.now),
      },
      putRole: {
        ...changing('users:roles'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const role = required('role', request.role);
          const draft = { ...role, constraints: constraintsFrom('role.constraints', role.constraints) };
          const { result, revision } = await door.putRole(tenantId, draft, call);
          const { undeclared, unknown } = result;
          return { role: printRole(result.role), revision, undeclaredTypes: [...undeclared], undeclaredPermissions: [...unknown] };
        },
      },
      listRoles: {
        ...reading('authz:read'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const { items, nextPageToken } = await paged(['roles', tenantId], request, (after, size) =>
            door.listRoles(tenantId, after, size),
          );
          return { roles: items.map(printRole), nextPageToken };
        },
      },
      deleteRole: {
        ...changing('users:roles'),
        async handle(request, call) {
          const { revision } = await door.deleteRole(tenantOf(call.caller, request.tenantId, ACROSS), request.name, call);
          return { revision };
        },
      },
      assignRole: {
        ...changing('users:roles'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const given = {
            subject: subjectFrom(required('subject', request.subject)),
            role: request.role,
            notBefore: instant(request.notBefore),
            expiresAt: instant(request.expiresAt),
          };
          const { result, revision } = await door.assignRole(tenantId, given, call);
          return { assignment: printAssignment(result), revision };
        },
      },
      unassignRole: {
        ...changing('users:roles'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const { revision } = await door.unassignRole(tenantId, subjectFrom(required('subject', request.subject)), request.role, call);
          return { revision };
        },
      },
      listAssignments: {
        ...reading('authz:read'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const filter = { subject: request.subject ? subjectFrom(request.subject) : null, role: request.role };
          const { items, nextPageToken } = await paged(['assignments', tenantId, filter], request, (after, size) =>
            door.listAssignments(tenantId, filter, after, size),
          );
          return { assignments: items.map(printAssignment), nextPageToken };
        },
      },
      putGrant: {
        ...changing('users:roles'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const { permission, resourceId, reason, condition } = request;
          const draft = {
            subject: subjectFrom(required('subject', request.subject)),
            effect: effectFrom(request.effect),
            notBefore: instant(request.notBefore),
            expiresAt: instant(request.expiresAt),
            condition,
            permission,
            resourceId,
            reason,
          };
          const { result, revision } = await door.putGrant(tenantId, draft, call);
          return { grant: printGrant(result), revision };
        },
      },
      deleteGrant: {
        ...changing('users:roles'),
        async handle(request, call) {
          const { revision } = await door.deleteGrant(tenantOf(call.caller, request.tenantId, ACROSS), request.grantId, call);
          return { revision };
        },
      },
      listGrants: {
        ...reading('authz:read'),
        async handle(request, call) {
          const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
          const filter = { subject: request.subject ? subjectFrom(request.subject) : null, permission: request.permission };
          const { items, nextPageToken } = await paged(['grants', tenantId, filter], request, (after, size) =>
            door.listGrants(tenantId, filter, after, size),
          );
          return { grants: items.map(printGrant), nextPageToken };
        },
      },
    }),
  ];
};
