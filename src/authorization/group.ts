// Groups: subjects that hold roles and grants for their members. A group has people and services as members, never groups.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import { type Changed, type ChangeDeps, changeOf, limitsOf, makerOf, rolesIn, subjectChange } from './change.ts';
import { requireLift, requireReach, requireStronger } from './escalation.ts';
import { requireFitting, type Roles } from './exclusive.ts';
import { requireGiftsHeld } from './gifts.ts';
import type { Holding } from './holding.ts';
import { keepingAnOwner } from './owners.ts';
import { requireKnown } from './recipient.ts';
import { NAME } from './resource-type.ts';
import type { Subject, SubjectRows } from './subject.ts';
import type { Group } from './stores.ts';

export interface GroupChanges {
  /** INVALID_ARGUMENT names the field; FAILED_PRECONDITION / LIMIT_REACHED. */
  putGroup(tenantId: TenantId, group: Group, call: Call): Promise<Changed<Group>>;
  /** NOT_FOUND / GROUP_NOT_FOUND; PERMISSION_DENIED / ESCALATION where it gives or denies more than the caller holds. */
  deleteGroup(tenantId: TenantId, name: string, call: Call): Promise<Changed<null>>;
  /**
   * All of them or none. NOT_FOUND / GROUP_NOT_FOUND, SUBJECT_UNKNOWN; INVALID_ARGUMENT / EXPIRY_INVALID; PERMISSION_DENIED / ESCALATION;
   * FAILED_PRECONDITION / ROLE_FULL, ROLE_EXCLUSIVE, LAST_OWNER, LIMIT_REACHED.
   */
  addGroupMembers(
    tenantId: TenantId,
    group: string,
    members: readonly Subject[],
    expiresAt: Instant | null,
    call: Call,
  ): Promise<Changed<null>>;
  /** Removing who is no member is no error. NOT_FOUND / GROUP_NOT_FOUND; PERMISSION_DENIED / ESCALATION. */
  removeGroupMembers(tenantId: TenantId, group: string, members: readonly Subject[], call: Call): Promise<Changed<null>>;
}

const GROUPS_MAX = 10_000;
/** A member's check looks at all of its groups. */
const GROUPS_OF_ONE = 64;
const MEMBERS = ['user', 'service'];

const groupNotFound = (group: string): Fault => new Fault('NOT_FOUND', 'GROUP_NOT_FOUND', 'no such group', { meta: { group } });

const requireMembers = (members: readonly Subject[]): void => {
  for (const [at, { type, id }] of members.entries()) {
    if (!MEMBERS.includes(type)) throw badField(`members[${at}].type`, `one of ${MEMBERS.join(', ')}: groups hold no groups`);
    if (id === '') throw badField(`members[${at}].id`, 'must not be empty');
  }
};

/** A group's rows and the names of its roles. */
interface Reached {
  readonly roles: Roles;
  readonly rows: SubjectRows;
  readonly names: readonly string[];
}

export const createGroupChanges = ({
  rules,
  groups,
  subjectsKnown,
  write,
  holding,
  watermarkUntil,
  policyGifts,
}: ChangeDeps): GroupChanges => {
  const guard = { rules, subjectsKnown };

  /** Whoever lets somebody in or out gives or takes all that the group allows and denies. NOT_FOUND / GROUP_NOT_FOUND; as `requireReach`. */
  const reached = async (tx: Tx, tenantId: TenantId, name: string, held: Holding): Promise<Reached> => {
    if ((await groups.find(tx, tenantId, name)) === null) throw groupNotFound(name);
    const roles = await rolesIn(rules, tx, tenantId);
    const rows = await rules.subject(tx, tenantId, { type: 'group', id: name });
    requireReach(held, rows, roles.lookup);
    return { roles, rows, names: rows.assignments.map(({ role }) => role) };
  };

  /** The same for whoever lets somebody out, himself perhaps: that lifts the limits of the group's roles. As `requireLift`. */
  const requireLetOut = async (tx: Tx, tenantId: TenantId, name: string, held: Holding): Promise<void> => {
    const { names, roles } = await reached(tx, tenantId, name, held);
    requireLift(held, names, roles.lookup);
  };

  return {
    async putGroup(tenantId, group, call) {
      if (!NAME.test(group.name)) throw badField('group.name', 'a lower-case letter, then letters, digits, ".", "_" or "-"');
      return write(tenantId, async (tx) => {
        if ((await groups.find(tx, tenantId, group.name)) === null && (await groups.count(tx, tenantId)) >= GROUPS_MAX)
          throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant has at most ${GROUPS_MAX} groups`);
        await groups.put(tx, tenantId, group, call.now);
        return { result: group, events: [eventOf(call, tenantId, 'group.put', `group:${group.name}`)] };
      });
    },

    async deleteGroup(tenantId, name, call) {
      const held = await holding(call.caller);
      return write(tenantId, async (tx) => {
        await requireLetOut(tx, tenantId, name, held);
        await groups.delete(tx, tenantId, name);
        // Its members are read again, whoever they were.
        const changes = [changeOf('assignment', tenantId, '')];
        return { result: null, changes, events: [eventOf(call, tenantId, 'group.deleted', `group:${name}`)] };
      });
    },

    async addGroupMembers(tenantId, group, members, expiresAt, call) {
      requireMembers(members);
      if (expiresAt !== null && expiresAt <= call.now) throw badField('expires_at', 'must lie in the future', 'EXPIRY_INVALID');
      const held = await holding(call.caller);
      for (const member of members) await requireKnown(subjectsKnown, tenantId, member);
      const gifts = await policyGifts(tenantId);
      return write(tenantId, async (tx) => {
        const { roles, rows, names } = await reached(tx, tenantId, group, held);
        const giving = [`group:${group}`, ...names.map((role) => `role:${role}`)];
        const denies = rows.grants.some(({ effect }) => effect === 'deny');
        const row = { group, expiresAt, createdAt: call.now, createdBy: makerOf(call) };
        await keepingAnOwner(guard, tx, tenantId, async () => {
          for (const member of members) {
            await requireGiftsHeld(rules, tx, tenantId, { held, gifts }, giving, member);
            // As with a deny of his own: not on somebody stronger.
            if (denies) await requireStronger(rules, tx, tenantId, member, held, roles.lookup);
            await groups.add(tx, tenantId, { ...row, member });
            if ((await groups.countOf(tx, tenantId, member)) > GROUPS_OF_ONE)
              throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a subject is a member of at most ${GROUPS_OF_ONE} groups`);
          }
        });
        await requireFitting(rules, tx, tenantId, roles, names, members.length === 1 ? (members[0] ?? null) : null, call.now);
        return {
          result: null,
          changes: members.flatMap((member) => [
            subjectChange('assignment', tenantId, member),
            ...limitsOf({ watermarkUntil }, tenantId, member, names, roles.lookup),
          ]),
          events: members.map(({ type, id }) =>
            eventOf(call, tenantId, 'group.member_added', `${type}:${id}`, { details: { group, expires_at: expiresAt } }),
          ),
        };
      });
    },

    async removeGroupMembers(tenantId, group, members, call) {
      requireMembers(members);
      const held = await holding(call.caller);
      return write(tenantId, async (tx) => {
        await requireLetOut(tx, tenantId, group, held);
        if ((await groups.remove(tx, tenantId, group, members)) === 0) return { result: null };
        return {
          result: null,
          changes: members.map((member) => subjectChange('assignment', tenantId, member)),
          events: members.map(({ type, id }) => eventOf(call, tenantId, 'group.member_removed', `${type}:${id}`, { details: { group } })),
        };
      });
    },
  };
};
