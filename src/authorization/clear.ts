// How secret a thing may be for one subject, said for it alone: above or below what its roles say.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField } from '../base/fault.ts';
import { type Changed, type ChangeDeps, makerOf, rolesIn, subjectChange } from './change.ts';
import { CLASSIFICATIONS } from './classification.ts';
import { requireCleared, requireStronger } from './escalation.ts';
import { requireFuture, requireSubject, requireThere } from './recipient.ts';
import type { StoredClearance, Subject } from './subject.ts';

export interface ClearanceChanges {
  /**
   * '' takes it back: then its roles say. NOT_FOUND / SUBJECT_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID; PERMISSION_DENIED / ESCALATION
   * beyond the caller's own, or over somebody who holds more than the caller.
   */
  setClearance(tenantId: TenantId, subject: Subject, given: StoredClearance, call: Call): Promise<Changed<StoredClearance>>;
}

export const createClearanceChanges = ({ rules, groups, subjectsKnown, write, holding }: ChangeDeps): ClearanceChanges => ({
  async setClearance(tenantId, subject, given, call) {
    requireSubject(subject);
    if (subject.type === 'group') throw badField('subject.type', 'user or service: a group is cleared by a role');
    if (given.clearance !== '' && !CLASSIFICATIONS.includes(given.clearance))
      throw badField('clearance', `one of ${CLASSIFICATIONS.join(', ')}, or empty`);
    requireFuture({ notBefore: null, expiresAt: given.expiresAt }, call.now);
    const held = await holding(call.caller);
    requireCleared(held, given.clearance);
    return write(tenantId, async (tx) => {
      await requireThere({ groups, subjectsKnown }, tx, tenantId, subject);
      const { clearance } = await rules.subject(tx, tenantId, subject);
      requireCleared(held, clearance?.clearance ?? '');
      await requireStronger(rules, tx, tenantId, subject, held, (await rolesIn(rules, tx, tenantId)).lookup);
      await rules.setClearance(tx, tenantId, subject, given, makerOf(call), call.now);
      const details = { clearance: given.clearance, expires_at: given.expiresAt };
      return {
        result: given,
        changes: [subjectChange('assignment', tenantId, subject)],
        events: [eventOf(call, tenantId, 'clearance.set', `${subject.type}:${subject.id}`, { details })],
      };
    });
  },
});
