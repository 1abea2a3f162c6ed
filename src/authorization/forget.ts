// Takes from a service that goes what it was given, so that the next of its name begins with nothing. What was taken from it stays taken.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import type { Tx } from '../storage/storage.ts';
import { type ChangeDeps, type Felt, rolesIn, subjectChange } from './change.ts';
import { clearanceOf, INTERNAL } from './classification.ts';
import { requireCleared, requireHeld, requireLift, requireReach, requireRolesHeld } from './escalation.ts';
import { hasEnded, type Subject } from './subject.ts';

export interface Forgetting {
  /**
   * Removes roles, grants, memberships, loans on both sides and a clearance beyond what everybody has; denies and a lower clearance stay, or
   * deleting would be the way to shed them. In the transaction that removes or creates the service. PERMISSION_DENIED / ESCALATION,
   * PERMISSION_MISSING where the caller could not take one of them by itself.
   */
  forgetService(tx: Tx, tenantId: TenantId, id: string, call: Call): Promise<Felt>;
}

/** Names an event lists at most; how many there were stands beside them. */
const NAMED = 64;

export const createForgetting = ({ rules, holding }: ChangeDeps): Forgetting => ({
  async forgetService(tx, tenantId, id, call) {
    const service: Subject = { type: 'service', id };
    await rules.lock(tx, tenantId);
    const rows = await rules.subject(tx, tenantId, service);
    const alive = <T extends { readonly expiresAt: number | null }>(list: readonly T[]): readonly T[] =>
      list.filter((one) => !hasEnded(one, call.now));
    const roles = alive(rows.assignments).map(({ role }) => role);
    const groups = alive(rows.memberships).map(({ group }) => group);

    // The caller's rights are in the cache: its access to this very call was just decided on them.
    const held = await holding(call.caller);
    const { lookup } = await rolesIn(rules, tx, tenantId);
    requireRolesHeld(held, roles, lookup);
    requireLift(held, roles, lookup);
    requireHeld(
      held,
      alive(rows.grants).flatMap(({ effect, permission }) => (effect === 'allow' ? [permission] : [])),
    );
    // A group's denies are shed with the membership: who may not let it out does not delete it either.
    const memberOf = groups.map((name): Subject => ({ type: 'group', id: name }));
    for (const group of memberOf.length === 0 ? [] : await rules.subjects(tx, tenantId, memberOf)) {
      requireReach(held, group, lookup);
      requireLift(
        held,
        group.assignments.map(({ role }) => role),
        lookup,
      );
    }
    const cleared = rows.clearance !== null && (clearanceOf(rows.clearance.clearance) ?? 0) > INTERNAL ? rows.clearance.clearance : '';
    requireCleared(held, cleared);

    const gone = await rules.forget(tx, tenantId, service, cleared !== '');
    if (gone.rows === 0) return { changes: [], events: [] };
    const details = {
      roles: roles.slice(0, NAMED),
      groups: groups.slice(0, NAMED),
      clearance: cleared,
      rows: gone.rows,
      denies_kept: rows.grants.filter(({ effect }) => effect === 'deny').length,
    };
    return {
      // Whom it lent something keeps what it has read until told.
      changes: [subjectChange('assignment', tenantId, service), ...gone.grantees.map((one) => subjectChange('grant', tenantId, one))],
      events: [eventOf(call, tenantId, 'subject.rights_removed', `service:${id}`, { level: 'warning', details })],
    };
  },
});
