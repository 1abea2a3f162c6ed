// Creates, changes and deletes a tenant's own roles: no rings, nothing beyond the caller's own rights.
import type { Call } from '../base/call.ts';
import { canonicalJson } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Changed, type ChangeDeps, changeOf, limitsOf, roleNotFound, rolesOf } from './change.ts';
import { requireLift, requireRolesHeld } from './escalation.ts';
import { requireExclusive, requireRoom } from './exclusive.ts';
import { keepingAnOwner } from './owners.ts';
import { type RoleDraft, readRole } from './read-role.ts';
import { parsePermission } from './permission.ts';
import { actionsOf, type ResourceType } from './resource-type.ts';
import { constraintsOf, type Role, ringOf } from './role.ts';
import { isBuiltInRole, roleLookup, typeLookup } from './snapshot.ts';

export type { RoleDraft } from './read-role.ts';

export interface PutRole {
  readonly role: Role;
  /** Types that its permissions name and nobody has declared: a slip, or declared later. */
  readonly undeclared: readonly string[];
  /** Permissions to do what their type does not know. */
  readonly unknown: readonly string[];
}

export interface RoleChanges {
  /**
   * FAILED_PRECONDITION / ROLE_BUILT_IN, LIMIT_REACHED, ROLE_EXCLUSIVE and ROLE_FULL where the new bounds do not hold among those who
   * hold it already; INVALID_ARGUMENT / ROLE_NOT_FOUND (inherited, excluded), ROLE_CYCLE;
   * PERMISSION_DENIED / ESCALATION when the old or the new role holds more than the caller.
   */
  putRole(tenantId: TenantId, role: RoleDraft, call: Call): Promise<Changed<PutRole>>;
  /** With its assignments. NOT_FOUND / ROLE_NOT_FOUND; FAILED_PRECONDITION / ROLE_BUILT_IN, ROLE_IN_USE when others inherit it. */
  deleteRole(tenantId: TenantId, name: string, call: Call): Promise<Changed<null>>;
}

/** A snapshot is read whole: this bounds it. */
const ROLES_MAX = 1000;

const undeclaredIn = ({ permissions }: Role, types: readonly ResourceType[]): readonly string[] => {
  const known = typeLookup(types);
  const named = new Set(permissions.flatMap((text) => parsePermission(text)?.type ?? []));
  return [...named].filter((type) => type !== '*' && known(type) === undefined).sort();
};

const unknownIn = ({ permissions }: Role, types: readonly ResourceType[]): readonly string[] => {
  const known = typeLookup(types);
  return permissions.filter((text) => {
    const { type = '', action = '*' } = parsePermission(text) ?? {};
    const declared = known(type);
    return action !== '*' && declared !== undefined && actionsOf([declared])?.has(action) === false;
  });
};

const roleMissing = (field: string, name: string): Fault =>
  badField(field, `names ${name}, which does not exist: make it with PutRole, or correct the name`, 'ROLE_NOT_FOUND');

const builtIn = (name: string): Fault =>
  new Fault('FAILED_PRECONDITION', 'ROLE_BUILT_IN', 'built-in roles cannot be changed', { meta: { role: name } });

export const createRoleChanges = ({ rules, subjectsKnown, write, holding, watermarkUntil }: ChangeDeps): RoleChanges => ({
  async putRole(tenantId, draft, call) {
    if (isBuiltInRole(draft.name)) throw builtIn(draft.name);
    const role = readRole(draft);
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      const [stored, types] = [await rules.roles(tx, tenantId), await rules.types(tx, tenantId)];
      const others = stored.filter((other) => other.name !== role.name);
      const before = roleLookup(stored, types);
      const roles = rolesOf([...others, role], types);
      const after = roles.lookup;

      const unknown = role.inherits.find((name) => after(name) === undefined);
      if (unknown !== undefined) throw roleMissing('role.inherits', unknown);
      const stranger = role.exclusiveWith.find((name) => after(name) === undefined);
      if (stranger !== undefined) throw roleMissing('role.exclusive_with', stranger);
      const ring = ringOf(role, before);
      if (ring !== null) throw badField('role.inherits', `closes the ring ${ring.join(' → ')}`, 'ROLE_CYCLE');
      if (others.length >= ROLES_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant has at most ${ROLES_MAX} roles of its own`);
      requireRolesHeld(held, [role.name], before);
      requireRolesHeld(held, [role.name], after);

      await rules.putRole(tx, tenantId, role, call.now);
      await requireExclusive(rules, tx, tenantId, roles, call.now);
      await requireRoom(rules, tx, tenantId, role, call.now);
      const [limits, newLimits] = [constraintsOf([role.name], before), constraintsOf([role.name], after)];
      const same = canonicalJson(limits) === canonicalJson(newLimits);
      if (!same) requireLift(held, [role.name], before);
      const limited = same ? [] : limitsOf({ watermarkUntil }, tenantId, { type: 'group', id: '' }, [role.name], after);
      const { name: _name, description: _description, builtIn: _builtIn, ...details } = role;
      return {
        result: { role, undeclared: undeclaredIn(role, types), unknown: unknownIn(role, types) },
        changes: [changeOf('role', tenantId, role.name), ...limited],
        events: [eventOf(call, tenantId, 'role.put', `role:${role.name}`, { details })],
      };
    });
  },

  async deleteRole(tenantId, name, call) {
    if (isBuiltInRole(name)) throw builtIn(name);
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      const stored = await rules.roles(tx, tenantId);
      if (!stored.some((role) => role.name === name)) throw roleNotFound(name);
      const heir = stored.find((role) => role.inherits.includes(name) || role.exclusiveWith.includes(name));
      if (heir !== undefined)
        throw new Fault('FAILED_PRECONDITION', 'ROLE_IN_USE', 'other roles inherit from it or exclude it', { meta: { role: heir.name } });
      const lookup = roleLookup(stored, await rules.types(tx, tenantId));
      requireRolesHeld(held, [name], lookup);
      requireLift(held, [name], lookup);

      await keepingAnOwner({ rules, subjectsKnown }, tx, tenantId, () => rules.deleteRole(tx, tenantId, name));
      return {
        result: null,
        // Whoever had it has it no more: all subjects of the tenant are read again.
        changes: [changeOf('role', tenantId, name), changeOf('assignment', tenantId, '')],
        events: [eventOf(call, tenantId, 'role.deleted', `role:${name}`)],
      };
    });
  },
});
