// Window of groups, delegations and clearance: rows of AuthorizationService.
import { type Caller, subjectOf, tenantOf } from '../base/caller.ts';
import type { Pager } from '../base/page.ts';
import { optionalTimestamp, timestampOf } from '../base/proto-time.ts';
import type { AuthorizationServiceService } from '../gen/securityhub/v1/authorization.ts';
import type * as proto from '../gen/securityhub/v1/authorization.ts';
import type { Rows } from '../server/rpc/define.ts';
import type { Authorization, Member, StoredDelegation, Subject } from './authorization.ts';
import { changing, instant, pages, reading, required, subjectFrom } from './rows.rpc.ts';
import { isSame } from './subject.ts';

type Named =
  | 'putGroup'
  | 'deleteGroup'
  | 'listGroups'
  | 'addGroupMembers'
  | 'removeGroupMembers'
  | 'listGroupMembers'
  | 'putDelegation'
  | 'listDelegations'
  | 'deleteDelegation'
  | 'setClearance';
export type GroupRows = Pick<Rows<typeof AuthorizationServiceService>, Named>;

const printMember = ({ member, expiresAt, createdAt, createdBy }: Member): proto.GroupMember => ({
  member: { type: member.type, id: member.id },
  expiresAt: optionalTimestamp(expiresAt),
  createdAt: timestampOf(createdAt),
  createdBy,
});

const printDelegation = (one: StoredDelegation): proto.Delegation => ({
  id: one.id,
  grantor: { type: one.grantor.type, id: one.grantor.id },
  grantee: { type: one.grantee.type, id: one.grantee.id },
  permissions: [...one.permissions],
  resourceId: one.resourceId,
  notBefore: optionalTimestamp(one.notBefore),
  expiresAt: optionalTimestamp(one.expiresAt),
  depth: one.depth,
  reason: one.reason,
  createdAt: timestampOf(one.createdAt),
});

const own = { ...changing(''), access: {} } as const;
/** The access layer has decided whether the caller may name that tenant. */
const ACROSS = true;

/** Whose rights a caller lends and borrows: an API key's are its owner's. */
const selfOf = (caller: Caller): Subject => (caller.kind === 'api_key' ? { type: 'user', id: caller.ownerId } : subjectOf(caller));

export const groupRows = (door: Omit<Authorization, 'recorder'>, pager: Pager): GroupRows => ({
  putGroup: {
    ...changing('users:roles'),
    async handle(request, call) {
      const { name, description } = required('group', request.group);
      const { result, revision } = await door.putGroup(tenantOf(call.caller, request.tenantId, ACROSS), { name, description }, call);
      return { group: { ...result }, revision };
    },
  },
  deleteGroup: {
    ...changing('users:roles'),
    async handle(request, call) {
      const { revision } = await door.deleteGroup(tenantOf(call.caller, request.tenantId, ACROSS), request.group, call);
      return { revision };
    },
  },
  listGroups: {
    ...reading('authz:read'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
      const member = request.member ? subjectFrom(request.member) : null;
      const { items, nextPageToken } = await pages(pager, ['groups', tenantId, member], request, (after, size) =>
        door.listGroups(tenantId, member, after, size),
      );
      return { groups: items.map((group) => ({ ...group })), nextPageToken };
    },
  },
  addGroupMembers: {
    ...changing('users:roles'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
      const members = request.members.map(subjectFrom);
      const { revision } = await door.addGroupMembers(tenantId, request.group, members, instant(request.expiresAt), call);
      return { revision };
    },
  },
  removeGroupMembers: {
    ...changing('users:roles'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
      const { revision } = await door.removeGroupMembers(tenantId, request.group, request.members.map(subjectFrom), call);
      return { revision };
    },
  },
  listGroupMembers: {
    ...reading('authz:read'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
      const { items, nextPageToken } = await pages(pager, ['members', tenantId, request.group], request, (after, size) =>
        door.listGroupMembers(tenantId, request.group, after, size),
      );
      return { members: items.map(printMember), nextPageToken };
    },
  },
  putDelegation: {
    ...own,
    async handle(request, call) {
      const { permissions, resourceId, depth, reason } = request;
      const draft = {
        grantee: subjectFrom(required('grantee', request.grantee)),
        notBefore: instant(request.notBefore),
        expiresAt: instant(request.expiresAt),
        permissions,
        resourceId,
        depth,
        reason,
      };
      const { result, revision } = await door.putDelegation(tenantOf(call.caller, request.tenantId), draft, call);
      return { delegation: printDelegation(result), revision };
    },
  },
  listDelegations: {
    ...reading(''),
    access: {},
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId);
      const self = selfOf(call.caller);
      const asked = {
        grantor: request.grantor ? subjectFrom(request.grantor) : null,
        grantee: request.grantee ? subjectFrom(request.grantee) : null,
      };
      const own = [asked.grantor, asked.grantee].some((one) => one !== null && isSame(one, self));
      // Others' are none of the caller's business: he is shown what he lends.
      const filter = own || (await door.holds(call.caller, 'authz:read')) ? asked : { ...asked, grantor: self };
      const { items, nextPageToken } = await pages(pager, ['delegations', tenantId, filter], request, (after, size) =>
        door.listDelegations(tenantId, filter, after, size),
      );
      return { delegations: items.map(printDelegation), nextPageToken };
    },
  },
  deleteDelegation: {
    ...own,
    async handle(request, call) {
      const { revision } = await door.deleteDelegation(tenantOf(call.caller, request.tenantId), request.delegationId, call);
      return { revision };
    },
  },
  setClearance: {
    ...changing('users:roles'),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, ACROSS);
      const given = { clearance: request.clearance, expiresAt: instant(request.expiresAt) };
      const { revision } = await door.setClearance(tenantId, subjectFrom(required('subject', request.subject)), given, call);
      return { revision };
    },
  },
});
