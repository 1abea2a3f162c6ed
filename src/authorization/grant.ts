// Single permissions, allowed or denied to a subject, for all resources of a type or for one.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { requireFuture, requireSubject } from './assign.ts';
import type { StoredGrant } from './authorization.ts';
import { type Changed, type ChangeDeps, keepingAnOwner, makerOf, requireKnown, rolesIn, subjectChange } from './change.ts';
import { requireHeld, requireRoleHeld } from './escalation.ts';
import { parsePermission, printPermission } from './permission.ts';
import { isBuiltInType } from './snapshot.ts';

export interface GrantChanges {
  /**
   * NOT_FOUND / SUBJECT_UNKNOWN, RESOURCE_TYPE_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID; PERMISSION_DENIED / ESCALATION, also for a deny
   * on somebody who holds more than the caller;
   * FAILED_PRECONDITION / LAST_OWNER for a deny that would lock the last owner out, LIMIT_REACHED.
   */
  putGrant(tenantId: TenantId, draft: GrantDraft, call: Call): Promise<Changed<StoredGrant>>;
  /** NOT_FOUND / GRANT_NOT_FOUND; PERMISSION_DENIED / ESCALATION: taking a deny away gives. */
  deleteGrant(tenantId: TenantId, id: string, call: Call): Promise<Changed<null>>;
}

export type GrantDraft = Pick<StoredGrant, 'subject' | 'effect' | 'permission' | 'resourceId' | 'expiresAt' | 'reason'>;

/** A subject's rows are read whole: this bounds them. More than that is a role. */
const GRANTS_MAX = 1000;

export const createGrantChanges = ({ rules, subjectsKnown, write, random, holding }: ChangeDeps): GrantChanges => ({
  async putGrant(tenantId, draft, call) {
    requireSubject(draft.subject);
    requireFuture(draft.expiresAt, call.now);
    const parsed = parsePermission(draft.permission);
    if (parsed === null) throw badField('permission', '<resource type>:<action>, "*" for either side');
    const permission = printPermission(parsed);
    const held = await holding(call.caller);
    requireHeld(held, [permission]);
    await requireKnown(subjectsKnown, tenantId, draft.subject);

    return write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      const named =
        parsed.type === '*' || isBuiltInType(parsed.type) || (await rules.types(tx, tenantId)).some(({ name }) => name === parsed.type);
      if (!named) throw new Fault('NOT_FOUND', 'RESOURCE_TYPE_UNKNOWN', 'no such resource type', { meta: { resource_type: parsed.type } });
      const { assignments, grants } = await rules.subject(tx, tenantId, draft.subject);
      if (grants.length >= GRANTS_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a subject has at most ${GRANTS_MAX} grants and denies`);

      if (draft.effect === 'deny') {
        // Not on somebody stronger: whoever is denied a permission cannot take that deny away, so it would stay for ever.
        const lookup = await rolesIn(rules, tx, tenantId);
        for (const { role } of assignments) requireRoleHeld(held, role, lookup);
        requireHeld(
          held,
          grants.filter(({ effect }) => effect === 'allow').map((grant) => grant.permission),
        );
      }
      const row = { ...draft, permission, id: random.id('grt'), createdAt: call.now, createdBy: makerOf(call) };
      const result = await keepingAnOwner({ rules, subjectsKnown }, tx, tenantId, () => rules.putGrant(tx, tenantId, row));
      const details = { permission, effect: draft.effect, resource_id: draft.resourceId, expires_at: draft.expiresAt, grant_id: result.id };
      return {
        result,
        changes: [subjectChange('grant', tenantId, draft.subject)],
        events: [eventOf(call, tenantId, 'grant.put', `${draft.subject.type}:${draft.subject.id}`, { details })],
      };
    });
  },

  async deleteGrant(tenantId, id, call) {
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      const grant = await rules.grant(tx, tenantId, id);
      if (grant === null) throw new Fault('NOT_FOUND', 'GRANT_NOT_FOUND', 'no such grant');
      requireHeld(held, [grant.permission]);
      await rules.deleteGrant(tx, tenantId, id);
      const { subject, permission, effect } = grant;
      return {
        result: null,
        changes: [subjectChange('grant', tenantId, subject)],
        events: [
          eventOf(call, tenantId, 'grant.deleted', `${subject.type}:${subject.id}`, { details: { permission, effect, grant_id: id } }),
        ],
      };
    });
  },
});
