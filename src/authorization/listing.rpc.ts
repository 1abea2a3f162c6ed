// Window of the listings: what somebody may do, and who may do something. Rows of AuthorizationService.
import { type Caller, lacks, subjectOf, tenantOf } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import { optionalTimestamp } from '../base/proto-time.ts';
import * as proto from '../gen/securityhub/v1/authorization.ts';
import type { Rows } from '../server/rpc/define.ts';
import type { Authorization, HeldPermission, PermissionSource, Question, Situation, Subject } from './authorization.ts';
import { PARENTS_MAX } from './question.ts';
import { NAME } from './resource-type.ts';
import { reading, required, subjectFrom } from './rows.rpc.ts';

type Named = 'getUserPermissions' | 'listSubjects';
export type ListingRows = Pick<Rows<typeof proto.AuthorizationServiceService>, Named>;

const printSource = (source: PermissionSource): proto.PermissionSource => ({
  kind: source.kind,
  rule: source.rule,
  path: [...source.path],
  group: source.group,
  grantor: source.grantor === null ? undefined : { type: source.grantor.type, id: source.grantor.id },
  conditions: [...source.conditions],
  notBefore: optionalTimestamp(source.notBefore),
  expiresAt: optionalTimestamp(source.expiresAt),
  active: source.active,
});

const printHeld = ({ permission, resourceId, effect, sources }: HeldPermission): proto.HeldPermission => ({
  permission,
  resourceId,
  effect: effect === 'allow' ? proto.Effect.EFFECT_ALLOW : proto.Effect.EFFECT_DENY,
  sources: sources.map(printSource),
});

/** What is said of the resource is taken as it is: nobody is let in by this. */
const questionFrom = (action: string, resource: proto.Resource): Question => {
  if (!NAME.test(action)) throw badField('action', 'a lower-case word such as read');
  if (resource.type === '') throw badField('resource.type', 'must name a resource type');
  if (resource.parents.length > PARENTS_MAX) throw badField('resource.parents', `at most ${PARENTS_MAX}`);
  const { type, id, tenantId, ownerId, classification, parents } = resource;
  return { type, action, resourceId: id, resourceTenantId: tenantId, ownerId, classification, parents, believed: true };
};

const situationFrom = (request: proto.ListSubjectsRequest, resource: proto.Resource, now: number): Situation => ({
  now,
  horizon: null,
  mfaVerified: false,
  authMethod: '',
  riskScore: null,
  address: '',
  workload: request.workload,
  saidWorkload: request.workload,
  saidEnvironment: request.environment,
  environment: request.environment,
  scopes: [],
  sessionId: '',
  resource: resource.attributes ?? {},
  context: request.context ?? {},
  asserted: {},
});

const selfOf = (caller: Caller): Subject => (caller.kind === 'api_key' ? { type: 'user', id: caller.ownerId } : subjectOf(caller));

export const listingRows = (door: Omit<Authorization, 'recorder'>, pager: Pager, cursor: () => number): ListingRows => ({
  getUserPermissions: {
    ...reading(''),
    access: { across: true },
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      const self = selfOf(call.caller);
      const subject = request.subject ? subjectFrom(request.subject) : self;
      const own =
        call.caller.kind !== 'anonymous' && tenantId === call.caller.tenantId && subject.type === self.type && subject.id === self.id;
      if (!own && !(await door.holds(call.caller, 'authz:read'))) throw lacks(call.caller, 'authz:read');
      const query = ['permissions', tenantId, subject, request.resourceType];
      const from = { after: pager.open(query, request.pageToken), size: pageSize(request.pageSize) };
      const { rights, page } = await door.permissionsOf(tenantId, subject, request.resourceType, from, call.now);
      return {
        permissions: page.items.map(printHeld),
        roles: [...rights.roles],
        groups: [...rights.groups],
        clearance: door.clearanceName(rights),
        validUntil: optionalTimestamp(rights.validUntil),
        policyRevision: cursor(),
        nextPageToken: page.after === '' ? '' : pager.seal(query, page.after),
      };
    },
  },
  listSubjects: {
    ...reading('authz:read'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      const resource = required('resource', request.resource);
      const question = questionFrom(request.action, resource);
      const query = ['subjects', tenantId, question, request.subjectType, request.workload, request.environment];
      const situation = situationFrom(request, resource, call.now);
      const after = pager.open(query, request.pageToken);
      const page = await door.listSubjects(tenantId, question, situation, request.subjectType, after, pageSize(request.pageSize));
      return {
        subjects: page.items.map(({ subject, username, ruling }) => ({
          subject: { type: subject.type, id: subject.id },
          effect: ruling.allowed ? proto.Effect.EFFECT_ALLOW : proto.Effect.EFFECT_STEP_UP,
          appliedPolicies: [...ruling.rules],
          conditions: [...(ruling.conditions ?? [])],
          username,
        })),
        nextPageToken: page.after === '' ? '' : pager.seal(query, page.after),
        policyRevision: cursor(),
      };
    },
  },
});
