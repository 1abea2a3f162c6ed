// Single permissions, allowed or denied to a subject, for all resources of a type or for one.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { typesOf } from './attribute.ts';
import { type Changed, type ChangeDeps, makerOf, requireTypes, rolesIn, subjectChange } from './change.ts';
import { requireHeld, requireStronger } from './escalation.ts';
import { type Condition, conditionSchema, parseCondition } from './condition/condition.ts';
import { keepingAnOwner } from './owners.ts';
import { parsePermission, printPermission } from './permission.ts';
import { requireFuture, requireOneResource, requireSubject, requireThere } from './recipient.ts';
import type { ResourceType } from './resource-type.ts';
import type { StoredGrant } from './stores.ts';

export interface GrantChanges {
  /**
   * NOT_FOUND / SUBJECT_UNKNOWN, RESOURCE_TYPE_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID, CONDITION_INVALID; PERMISSION_DENIED /
   * ESCALATION, also for a deny on somebody who holds more than the caller;
   * FAILED_PRECONDITION / LAST_OWNER for a deny that would lock the last owner out, LIMIT_REACHED.
   */
  putGrant(tenantId: TenantId, draft: GrantDraft, call: Call): Promise<Changed<StoredGrant>>;
  /** NOT_FOUND / GRANT_NOT_FOUND; PERMISSION_DENIED / ESCALATION: taking a deny away gives. */
  deleteGrant(tenantId: TenantId, id: string, call: Call): Promise<Changed<null>>;
}

export type GrantDraft = Pick<StoredGrant, 'subject' | 'effect' | 'permission' | 'resourceId' | 'expiresAt' | 'reason'> &
  Partial<Pick<StoredGrant, 'notBefore' | 'condition'>>;

/** A subject's rows are read whole: this bounds them. More than that is a role. */
const GRANTS_MAX = 1000;

/** Checked against the attributes that the resource type declares; '' is none. INVALID_ARGUMENT / CONDITION_INVALID tells where. */
const readCondition = (source: string, type: string, types: readonly ResourceType[]): Condition | null => {
  if (source === '') return null;
  const attributes = types.find(({ name }) => name === type)?.attributes ?? {};
  const parsed = parseCondition(source, conditionSchema({ resource: typesOf(attributes) }));
  if (parsed.ok) return parsed.condition;
  const words = parsed.problems.slice(0, 5).map(({ line, column, message }) => `${line}:${column} ${message}`);
  throw badField('condition', words.join('; '), 'CONDITION_INVALID');
};

export const createGrantChanges = ({ rules, groups, subjectsKnown, write, random, holding }: ChangeDeps): GrantChanges => ({
  async putGrant(tenantId, draft, call) {
    requireSubject(draft.subject);
    const window = { notBefore: draft.notBefore ?? null, expiresAt: draft.expiresAt };
    requireFuture(window, call.now);
    requireOneResource(draft.resourceId);
    const parsed = parsePermission(draft.permission);
    if (parsed === null) throw badField('permission', '<resource type>:<action>, "*" for either side');
    const permission = printPermission(parsed);
    const held = await holding(call.caller);
    requireHeld(held, [permission]);

    return write(tenantId, async (tx) => {
      await requireThere({ groups, subjectsKnown }, tx, tenantId, draft.subject);
      const types = await rules.types(tx, tenantId);
      requireTypes([parsed], types);
      const condition = draft.condition ?? '';
      const tree = readCondition(condition, parsed.type, types);
      const { grants } = await rules.subject(tx, tenantId, draft.subject);
      if (grants.length >= GRANTS_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a subject has at most ${GRANTS_MAX} grants and denies`);

      if (draft.effect === 'deny') {
        // Not on somebody stronger: whoever is denied a permission cannot take that deny away, so it would stay for ever.
        const { lookup } = await rolesIn(rules, tx, tenantId);
        await requireStronger(rules, tx, tenantId, draft.subject, held, lookup);
      }
      const row = { ...draft, ...window, permission, condition, tree, id: random.id('grt'), createdAt: call.now, createdBy: makerOf(call) };
      const result = await keepingAnOwner({ rules, subjectsKnown }, tx, tenantId, () => rules.putGrant(tx, tenantId, row));
      const details = {
        permission,
        effect: draft.effect,
        resource_id: draft.resourceId,
        not_before: window.notBefore,
        expires_at: window.expiresAt,
        condition,
        grant_id: result.id,
      };
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
