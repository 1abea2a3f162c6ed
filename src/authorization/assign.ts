// Gives roles to subjects and takes them: never beyond the caller's own rights, never the last owner's.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import type { Tx } from '../storage/storage.ts';
import { OWNER } from './builtin.ts';
import { type Changed, type ChangeDeps, type Felt, limitsOf, makerOf, roleNotFound, rolesIn, subjectChange } from './change.ts';
import { requireLift, requireRolesHeld } from './escalation.ts';
import { requireFitting, type Roles } from './exclusive.ts';
import { type PolicyGifts, requireGiftsHeld } from './gifts.ts';
import { ALL, type Holding } from './holding.ts';
import { keepingAnOwner, requireOtherOwner } from './owners.ts';
import { requireFuture, requireSubject, requireThere } from './recipient.ts';
import type { Subject, Window } from './subject.ts';
import type { StoredAssignment } from './stores.ts';

export interface AssignmentChanges {
  /**
   * Also changes when an assignment begins and ends. NOT_FOUND / ROLE_NOT_FOUND, SUBJECT_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID;
   * PERMISSION_DENIED / ESCALATION; FAILED_PRECONDITION / LAST_OWNER when an end would be set for the last owner, ROLE_FULL,
   * ROLE_EXCLUSIVE.
   */
  assignRole(tenantId: TenantId, given: GivenRole, call: Call): Promise<Changed<StoredAssignment>>;
  /** Taking what is not there is no error. NOT_FOUND / ROLE_NOT_FOUND; PERMISSION_DENIED / ESCALATION; FAILED_PRECONDITION / LAST_OWNER. */
  unassignRole(tenantId: TenantId, subject: Subject, role: string, call: Call): Promise<Changed<null>>;
  /** The first roles of a new subject, in the transaction that creates it. `call` null: the installation itself at its first start. */
  assignRoles(tx: Tx, tenantId: TenantId, subject: Subject, roles: readonly string[], call: Call | null): Promise<Felt>;
  /** Before a user is made unable to act: FAILED_PRECONDITION / LAST_OWNER when no other owner would be left. */
  requireOtherOwner(tx: Tx, tenantId: TenantId, userId: string): Promise<void>;
}

export interface GivenRole extends Window {
  readonly subject: Subject;
  readonly role: string;
}

interface Known {
  readonly roles: Roles;
  readonly gifts: PolicyGifts;
}

/** A tenant without any owner gets its first one from whoever runs the installation. */
const firstOwner = (role: string, held: Holding, owners: readonly string[]): boolean =>
  role === OWNER && owners.length === 0 && held.holds('installation:tenants');

export const createAssignmentChanges = ({
  rules,
  groups,
  subjectsKnown,
  write,
  holding,
  watermarkUntil,
  policyGifts,
}: ChangeDeps): AssignmentChanges => {
  const guard = { rules, subjectsKnown };

  /** Under the tenant's lock. */
  const give = async (tx: Tx, tenantId: TenantId, given: GivenRole, { roles, gifts }: Known, held: Holding, call: Call | null) => {
    const { lookup } = roles;
    if (lookup(given.role) === undefined) throw roleNotFound(given.role);
    if (!firstOwner(given.role, held, await rules.owners(tx, tenantId))) {
      requireRolesHeld(held, [given.role], lookup);
      await requireGiftsHeld(rules, tx, tenantId, { held, gifts }, [`role:${given.role}`], given.subject);
    }
    const now = call?.now ?? Date.now();
    const row = { ...given, createdAt: now, createdBy: makerOf(call) };
    const stored = await keepingAnOwner(guard, tx, tenantId, () => rules.assign(tx, tenantId, row));
    await requireFitting(rules, tx, tenantId, roles, [given.role], given.subject.type === 'group' ? null : given.subject, now);
    return stored;
  };

  return {
    async assignRole(tenantId, given, call) {
      requireSubject(given.subject);
      requireFuture(given, call.now);
      const held = await holding(call.caller);
      const gifts = await policyGifts(tenantId);
      return write(tenantId, async (tx) => {
        await requireThere({ groups, subjectsKnown }, tx, tenantId, given.subject);
        const roles = await rolesIn(rules, tx, tenantId);
        const result = await give(tx, tenantId, given, { roles, gifts }, held, call);
        const details = { role: given.role, not_before: given.notBefore, expires_at: given.expiresAt };
        return {
          result,
          changes: [
            subjectChange('assignment', tenantId, given.subject),
            ...limitsOf({ watermarkUntil }, tenantId, given.subject, [given.role], roles.lookup),
          ],
          events: [eventOf(call, tenantId, 'role.assigned', `${given.subject.type}:${given.subject.id}`, { details })],
        };
      });
    },

    async unassignRole(tenantId, subject, role, call) {
      requireSubject(subject);
      const held = await holding(call.caller);
      return write(tenantId, async (tx) => {
        const { lookup } = await rolesIn(rules, tx, tenantId);
        if (lookup(role) === undefined) throw roleNotFound(role);
        requireRolesHeld(held, [role], lookup);
        requireLift(held, [role], lookup);
        const there = await keepingAnOwner(guard, tx, tenantId, () => rules.unassign(tx, tenantId, subject, role));
        if (!there) return { result: null };
        return {
          result: null,
          changes: [subjectChange('assignment', tenantId, subject)],
          events: [eventOf(call, tenantId, 'role.unassigned', `${subject.type}:${subject.id}`, { details: { role } })],
        };
      });
    },

    async assignRoles(tx, tenantId, subject, roles, call) {
      if (roles.length === 0) return { changes: [], events: [] };
      requireSubject(subject);
      // The caller's rights are in the cache: its access to this very call was just decided on them.
      const held = call === null ? ALL : await holding(call.caller);
      const gifts = call === null ? () => [] : await policyGifts(tenantId);
      await rules.lock(tx, tenantId);
      const known = await rolesIn(rules, tx, tenantId);
      for (const role of new Set(roles))
        await give(tx, tenantId, { subject, role, notBefore: null, expiresAt: null }, { roles: known, gifts }, held, call);
      const resource = `${subject.type}:${subject.id}`;
      return {
        changes: [subjectChange('assignment', tenantId, subject), ...limitsOf({ watermarkUntil }, tenantId, subject, roles, known.lookup)],
        events: call === null ? [] : roles.map((role) => eventOf(call, tenantId, 'role.assigned', resource, { details: { role } })),
      };
    },

    async requireOtherOwner(tx, tenantId, userId) {
      await rules.lock(tx, tenantId);
      await requireOtherOwner(guard, tx, tenantId, userId);
    },
  };
};
