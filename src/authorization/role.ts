// Roles: names for sets of permissions that may inherit from one another, never in a ring.
import type { Constraints } from '../base/constraints.ts';
import { isGated, type RoleBounds } from './bounds.ts';
import { parsePermission, type Permission } from './permission.ts';

export interface Role extends RoleBounds {
  readonly name: string;
  readonly description: string;
  readonly permissions: readonly string[];
  readonly inherits: readonly string[];
  readonly builtIn: boolean;
  /** Limits on whoever has it, also through an heir. */
  readonly constraints?: Constraints | null;
}

export type RoleLookup = (name: string) => Role | undefined;

/** A way from a role down to one that it inherits, itself included: `developer → member → viewer`. */
export interface Way {
  readonly role: Role;
  readonly path: readonly string[];
  /** The roles along it that count only under conditions. */
  readonly gated: readonly Role[];
}

/** What a role gives, and the way it comes. */
export interface Given extends Way {
  readonly permission: Permission;
}

/** Beyond it a role gives nothing more: nobody draws such a graph by accident. */
const WAYS_MAX = 4096;

const passes = (known: readonly (readonly Role[])[], gated: readonly Role[]): boolean =>
  known.some((gates) => gates.every((role) => gated.includes(role)));

/**
 * Every role below, nearest first. One met before is met again only on a way that asks for less in some respect.
 * Unknown names give nothing; a ring in stored data ends where it began.
 */
export const waysDown = (name: string, lookup: RoleLookup): readonly Way[] => {
  const first = lookup(name);
  if (first === undefined) return [];
  const known = new Map<string, (readonly Role[])[]>();
  const ways: Way[] = [];
  const meet = (role: Role, path: readonly string[], above: readonly Role[]): void => {
    if (ways.length >= WAYS_MAX) return;
    const gated = isGated(role) ? [...above, role] : above;
    let gates = known.get(role.name);
    if (gates === undefined) known.set(role.name, (gates = []));
    if (passes(gates, gated)) return;
    gates.push(gated);
    ways.push({ role, path, gated });
  };
  meet(first, [name], []);
  for (const way of ways)
    for (const parent of way.role.inherits) {
      const role = lookup(parent);
      if (role !== undefined && !way.path.includes(parent)) meet(role, [...way.path, parent], way.gated);
    }
  return ways;
};

const read = new WeakMap<Role, readonly Permission[]>();

export const permissionsOf = (role: Role): readonly Permission[] => {
  const known = read.get(role);
  if (known !== undefined) return known;
  const parsed = role.permissions.flatMap((text) => parsePermission(text) ?? []);
  read.set(role, parsed);
  return parsed;
};

/** A role and everything below it, nearest first. */
export const flatten = (name: string, lookup: RoleLookup): readonly Given[] =>
  waysDown(name, lookup).flatMap((way) => permissionsOf(way.role).map((permission) => ({ ...way, permission })));

/** It and all the roles below it. */
export const rolesBelow = (name: string, lookup: RoleLookup): ReadonlySet<string> =>
  new Set(waysDown(name, lookup).map(({ role }) => role.name));

/** The limits of the named roles and of everything they inherit from. */
export const constraintsOf = (names: readonly string[], lookup: RoleLookup): readonly Constraints[] => {
  const seen = new Set<string>(names);
  const found: Constraints[] = [];
  for (const name of seen) {
    const role = lookup(name);
    if (role?.constraints) found.push(role.constraints);
    // A set is walked in the order of insertion, what is added on the way included.
    for (const parent of role?.inherits ?? []) seen.add(parent);
  }
  return found;
};

/** The ring that `role` would close, as the names along it, or null. */
export const ringOf = (role: Pick<Role, 'name' | 'inherits'>, lookup: RoleLookup): readonly string[] | null => {
  const seen = new Set<string>();
  const walk = (names: readonly string[], path: readonly string[]): readonly string[] | null => {
    for (const name of names) {
      if (name === role.name) return [...path, name];
      if (seen.has(name)) continue;
      seen.add(name);
      const ring = walk(lookup(name)?.inherits ?? [], [...path, name]);
      if (ring !== null) return ring;
    }
    return null;
  };
  return walk(role.inherits, [role.name]);
};
