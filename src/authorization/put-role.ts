// Creates, changes and deletes a tenant's own roles: no rings, nothing beyond the caller's own rights.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import type { Constraints } from '../base/constraints.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Changed, type ChangeDeps, changeOf, keepingAnOwner, roleNotFound } from './change.ts';
import { requireRoleHeld } from './escalation.ts';
import { parsePermission, printPermission } from './permission.ts';
import { NAME } from './resource-type.ts';
import { type Role, ringOf } from './role.ts';
import { isBuiltInRole, roleLookup } from './snapshot.ts';

export interface RoleChanges {
  /**
   * FAILED_PRECONDITION / ROLE_BUILT_IN, LIMIT_REACHED; INVALID_ARGUMENT / ROLE_NOT_FOUND (inherited), ROLE_CYCLE;
   * PERMISSION_DENIED / ESCALATION when the old or the new role holds more than the caller.
   */
  putRole(tenantId: TenantId, role: RoleDraft, call: Call): Promise<Changed<Role>>;
  /** With its assignments. NOT_FOUND / ROLE_NOT_FOUND; FAILED_PRECONDITION / ROLE_BUILT_IN, ROLE_IN_USE when others inherit it. */
  deleteRole(tenantId: TenantId, name: string, call: Call): Promise<Changed<null>>;
}

export type RoleDraft = Pick<Role, 'name' | 'description' | 'permissions' | 'inherits' | 'constraints'>;

/** A snapshot is read whole: this bounds it. */
const ROLES_MAX = 1000;

const builtIn = (name: string): Fault =>
  new Fault('FAILED_PRECONDITION', 'ROLE_BUILT_IN', 'built-in roles cannot be changed', { meta: { role: name } });

/** Consent and residency belong to people and tenants; so do claims of one's own. */
const readConstraints = (given: Constraints | null | undefined): Constraints | null => {
  if (given === null || given === undefined) return null;
  const elsewhere = 'is set on tenants and users';
  if (given.consentVersion !== '') throw badField('role.constraints.consent_version', elsewhere);
  if (given.dataResidency !== '') throw badField('role.constraints.data_residency', elsewhere);
  if (Object.keys(given.custom).length > 0) throw badField('role.constraints.custom', elsewhere);
  return given;
};

/** INVALID_ARGUMENT names what is wrong; otherwise permissions in one spelling, sorted, each once. */
export const readRole = ({ name, description, permissions, inherits, constraints }: RoleDraft): Role => {
  if (!NAME.test(name)) throw badField('role.name', 'a lower-case letter, then letters, digits, ".", "_" or "-"');
  const read = permissions.map((text, at) => {
    const permission = parsePermission(text);
    if (permission === null) throw badField(`role.permissions[${at}]`, '<resource type>:<action>, "*" for either side');
    return printPermission(permission);
  });
  return {
    name,
    description,
    permissions: [...new Set(read)].sort(),
    inherits: [...new Set(inherits)].sort(),
    builtIn: false,
    constraints: readConstraints(constraints),
  };
};

export const createRoleChanges = ({ rules, subjectsKnown, write, holding }: ChangeDeps): RoleChanges => ({
  async putRole(tenantId, draft, call) {
    if (isBuiltInRole(draft.name)) throw builtIn(draft.name);
    const role = readRole(draft);
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      const [stored, types] = [await rules.roles(tx, tenantId), await rules.types(tx, tenantId)];
      const others = stored.filter((other) => other.name !== role.name);
      const before = roleLookup(stored, types);
      const after = roleLookup([...others, role], types);

      const unknown = role.inherits.find((name) => after(name) === undefined);
      if (unknown !== undefined) throw badField('role.inherits', 'names a role that does not exist', 'ROLE_NOT_FOUND');
      const ring = ringOf(role, before);
      if (ring !== null) throw badField('role.inherits', `closes the ring ${ring.join(' → ')}`, 'ROLE_CYCLE');
      if (others.length >= ROLES_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant has at most ${ROLES_MAX} roles of its own`);
      requireRoleHeld(held, role.name, before);
      requireRoleHeld(held, role.name, after);

      await rules.putRole(tx, tenantId, role, call.now);
      const details = { permissions: role.permissions, inherits: role.inherits, constraints: role.constraints };
      return {
        result: role,
        changes: [changeOf('role', tenantId, role.name)],
        events: [eventOf(call, tenantId, 'role.put', `role:${role.name}`, { details })],
      };
    });
  },

  async deleteRole(tenantId, name, call) {
    if (isBuiltInRole(name)) throw builtIn(name);
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      const stored = await rules.roles(tx, tenantId);
      if (!stored.some((role) => role.name === name)) throw roleNotFound(name);
      const heir = stored.find((role) => role.inherits.includes(name));
      if (heir !== undefined)
        throw new Fault('FAILED_PRECONDITION', 'ROLE_IN_USE', 'other roles inherit from it', { meta: { role: heir.name } });
      requireRoleHeld(held, name, roleLookup(stored, await rules.types(tx, tenantId)));

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
