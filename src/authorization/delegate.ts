// Delegation: somebody lends what he holds, for a time. Nothing is copied: each check asks whether the grantor still may.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { days, type Instant } from '../base/time.ts';
import { type Changed, type ChangeDeps, requireTypes, subjectChange } from './change.ts';
import { requireHeld } from './escalation.ts';
import { type Holding, rightsHolder } from './holding.ts';
import { covers, parsePermission, type Permission, printPermission } from './permission.ts';
import { requireFuture, requireOneResource, requireSubject, requireThere } from './recipient.ts';
import type { ResourceType } from './resource-type.ts';
import { hasEnded, isSame, type SubjectRows } from './subject.ts';
import { typeLookup } from './snapshot.ts';
import type { StoredDelegation } from './stores.ts';

export type DelegationDraft = Pick<
  StoredDelegation,
  'grantee' | 'permissions' | 'resourceId' | 'notBefore' | 'expiresAt' | 'depth' | 'reason'
>;

export interface DelegationChanges {
  /**
   * The caller lends; an API key lends for its owner. NOT_FOUND / SUBJECT_UNKNOWN, RESOURCE_TYPE_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID;
   * PERMISSION_DENIED / ESCALATION for what the caller does not hold; FAILED_PRECONDITION / DELEGATION_DEPTH, LIMIT_REACHED.
   */
  putDelegation(tenantId: TenantId, draft: DelegationDraft, call: Call): Promise<Changed<StoredDelegation>>;
  /** By its grantor, its grantee, or whoever holds users:roles. NOT_FOUND / DELEGATION_NOT_FOUND for everybody else. */
  deleteDelegation(tenantId: TenantId, id: string, call: Call): Promise<Changed<null>>;
}

const LONGEST = days(90);
/** A grantee's check looks at all that is lent to it. */
const RECEIVED_MAX = 64;
const GIVEN_MAX = 256;

const readPermissions = (texts: readonly string[]): readonly Permission[] => {
  if (texts.length === 0) throw badField('permissions', 'names at least one');
  return texts.map((text, at) => {
    const permission = parsePermission(text);
    if (permission === null) throw badField(`permissions[${at}]`, '<resource type>:<action>, "*" for either side');
    return permission;
  });
};

/** Lent by somebody who may pass it on that far. */
const passedOn = ({ delegations }: SubjectRows, permission: Permission, { resourceId, depth }: DelegationDraft, now: Instant): boolean =>
  delegations.some(
    (one) =>
      one.depth > depth &&
      !hasEnded(one, now) &&
      (one.resourceId === '' || one.resourceId === resourceId) &&
      one.permissions.some((text) => {
        const lent = parsePermission(text);
        return lent !== null && covers(lent, permission);
      }),
  );

/** On one resource: what is granted there, or what its owner may do. Whether he is the owner is asked at each check. */
const onResource = ({ grants }: SubjectRows, permission: Permission, resourceId: string, type: ResourceType | undefined): boolean =>
  resourceId !== '' &&
  (grants.some((grant) => {
    const granted = parsePermission(grant.permission);
    return grant.effect === 'allow' && grant.resourceId === resourceId && granted !== null && covers(granted, permission);
  }) ||
    type?.ownerActions.some((action) => action === '*' || action === permission.action) === true);

export const createDelegationChanges = ({
  rules,
  groups,
  delegations,
  subjectsKnown,
  write,
  random,
  holding,
}: ChangeDeps): DelegationChanges => {
  const requireOwn = (
    rows: SubjectRows,
    permission: Permission,
    draft: DelegationDraft,
    held: Holding,
    types: readonly ResourceType[],
    now: Instant,
  ) => {
    const text = printPermission(permission);
    if (held.owns(text) || onResource(rows, permission, draft.resourceId, typeLookup(types)(permission.type))) return;
    if (passedOn(rows, permission, draft, now)) return;
    if (held.holds(text))
      throw new Fault('FAILED_PRECONDITION', 'DELEGATION_DEPTH', 'what was lent may not be passed on that far', {
        meta: { permission: text },
      });
    requireHeld(held, [text]);
  };

  return {
    async putDelegation(tenantId, draft, call) {
      const grantor = rightsHolder(call.caller);
      if (grantor === null) throw new Fault('PERMISSION_DENIED', 'ESCALATION', 'nobody lends what is not his own');
      requireSubject(draft.grantee);
      if (isSame(grantor, draft.grantee)) throw badField('grantee', 'must be somebody else');
      requireFuture(draft, call.now);
      requireOneResource(draft.resourceId);
      if (draft.expiresAt === null || draft.expiresAt > call.now + LONGEST)
        throw badField('expires_at', 'must be set, at most 90 days ahead', 'EXPIRY_INVALID');
      const permissions = readPermissions(draft.permissions);
      const held = await holding(call.caller);
      return write(tenantId, async (tx) => {
        await requireThere({ groups, subjectsKnown }, tx, tenantId, draft.grantee);
        const types = await rules.types(tx, tenantId);
        requireTypes(permissions, types);
        const rows = await rules.subject(tx, tenantId, grantor);
        for (const permission of permissions) requireOwn(rows, permission, draft, held, types, call.now);

        const texts = [...new Set(permissions.map(printPermission))].sort();
        const row = { ...draft, permissions: texts, grantor, id: random.id('dlg'), createdAt: call.now };
        const result = await delegations.put(tx, tenantId, row);
        if ((await delegations.countOf(tx, tenantId, 'grantee', draft.grantee, call.now)) > RECEIVED_MAX)
          throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `at most ${RECEIVED_MAX} delegations to one subject`);
        if ((await delegations.countOf(tx, tenantId, 'grantor', grantor, call.now)) > GIVEN_MAX)
          throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `at most ${GIVEN_MAX} delegations by one subject`);
        const { type, id } = draft.grantee;
        const details = {
          delegation_id: result.id,
          permissions: texts,
          resource_id: draft.resourceId,
          not_before: draft.notBefore,
          expires_at: draft.expiresAt,
          depth: draft.depth,
          reason: draft.reason,
        };
        return {
          result,
          changes: [subjectChange('grant', tenantId, draft.grantee)],
          events: [eventOf(call, tenantId, 'delegation.put', `${type}:${id}`, { details })],
        };
      });
    },

    async deleteDelegation(tenantId, id, call) {
      const held = await holding(call.caller);
      const self = rightsHolder(call.caller);
      return write(tenantId, async (tx) => {
        const found = await delegations.find(tx, tenantId, id);
        const own = found !== null && self !== null && (isSame(found.grantor, self) || isSame(found.grantee, self));
        if (found === null || (!own && !held.holds('users:roles')))
          throw new Fault('NOT_FOUND', 'DELEGATION_NOT_FOUND', 'no such delegation', { meta: { delegation_id: id } });
        await delegations.delete(tx, tenantId, id);
        const { type, id: grantee } = found.grantee;
        return {
          result: null,
          changes: [subjectChange('grant', tenantId, found.grantee)],
          events: [eventOf(call, tenantId, 'delegation.deleted', `${type}:${grantee}`, { details: { delegation_id: id } })],
        };
      });
    },
  };
};
