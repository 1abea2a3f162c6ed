// A tenant's roles and resource types at one moment: immutable, indexed once, shared by everybody's rights.
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { ADMIN, BUILT_IN_RESOURCE_TYPES, BUILT_IN_ROLES } from './builtin.ts';
import { type PatternSet, patternSet } from './pattern-set.ts';
import type { ResourceType } from './resource-type.ts';
import { constraintsOf, flatten, type Role, type RoleLookup } from './role.ts';
import { allowedBy, type Ruling } from './ruling.ts';

/** What a set of roles gives together: shared by every subject that has exactly these roles. */
export interface RoleUnion {
  readonly names: readonly string[];
  readonly allows: PatternSet<Ruling>;
  /** Limits of these roles, inherited ones included. */
  readonly constraints: readonly Constraints[];
}

export interface Snapshot {
  readonly tenantId: TenantId;
  readonly role: RoleLookup;
  readonly roles: readonly Role[];
  type(name: string): ResourceType | undefined;
  readonly types: readonly ResourceType[];
  /** Unknown names give nothing and are left out. Flattened on first use, kept for as long as the snapshot lives. */
  union(names: readonly string[]): RoleUnion;
}

export interface SnapshotSource {
  readonly tenantId: TenantId;
  readonly roles: readonly Role[];
  readonly types: readonly ResourceType[];
}

/** Distinct sets of roles remembered; beyond it the oldest is worked out again. */
const UNIONS = 2048;

const builtInTypes = new Map(BUILT_IN_RESOURCE_TYPES.map((type) => [type.name, type]));
const builtInRoles = new Map(BUILT_IN_ROLES.map((role) => [role.name, role]));

export const isBuiltInRole = (name: string): boolean => builtInRoles.has(name);
export const isBuiltInType = (name: string): boolean => builtInTypes.has(name);

/** Built-in names always mean the built-in thing. `admin` reaches the tenant's own resource types, whatever they are called. */
export const roleLookup = (roles: readonly Role[], types: readonly ResourceType[]): RoleLookup => {
  const custom = new Map(roles.map((role) => [role.name, role]));
  const admin = builtInRoles.get(ADMIN);
  const wideAdmin = admin && { ...admin, permissions: [...admin.permissions, ...types.map((type) => `${type.name}:*`)] };
  return (name) => (name === ADMIN ? wideAdmin : (builtInRoles.get(name) ?? custom.get(name)));
};

export const buildSnapshot = ({ tenantId, roles, types }: SnapshotSource): Snapshot => {
  const customTypes = types.filter((type) => !builtInTypes.has(type.name));
  const customRoles = roles.filter((role) => !builtInRoles.has(role.name));
  const lookup = roleLookup(customRoles, customTypes);
  const custom = new Map(customTypes.map((type) => [type.name, type]));
  const unions = new Map<string, RoleUnion>();

  const unite = (names: readonly string[]): RoleUnion => ({
    names,
    constraints: constraintsOf(names, lookup),
    allows: patternSet(
      names.flatMap((name) => {
        const ruling = allowedBy(`role:${name}`);
        return flatten(name, lookup).map(({ permission }) => ({ permission, value: ruling }));
      }),
    ),
  });

  return {
    tenantId,
    role: lookup,
    roles: [...builtInRoles.keys(), ...customRoles.map((role) => role.name)].flatMap((name) => lookup(name) ?? []),
    type: (name) => builtInTypes.get(name) ?? custom.get(name),
    types: [...BUILT_IN_RESOURCE_TYPES, ...customTypes],
    union(names) {
      // No role name holds a comma.
      const known = [...new Set(names)].filter((name) => lookup(name) !== undefined).sort();
      const key = known.join(',');
      const remembered = unions.get(key);
      if (remembered !== undefined) return remembered;
      const union = unite(known);
      if (unions.size >= UNIONS) unions.delete(unions.keys().next().value ?? '');
      unions.set(key, union);
      return union;
    },
  };
};
