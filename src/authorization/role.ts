// Roles: names for sets of permissions that may inherit from one another, never in a ring.
import type { Constraints } from '../base/constraints.ts';
import { parsePermission, type Permission } from './permission.ts';

export interface Role {
  readonly name: string;
  readonly description: string;
  readonly permissions: readonly string[];
  readonly inherits: readonly string[];
  readonly builtIn: boolean;
  /** Limits on whoever has it, also through an heir. */
  readonly constraints?: Constraints | null;
}

export type RoleLookup = (name: string) => Role | undefined;

/** What a role gives, and through which roles: `developer → member → viewer`. */
export interface Given {
  readonly permission: Permission;
  readonly path: readonly string[];
}

/** A role and everything below it, nearest first. Unknown names give nothing; a ring in stored data ends where it began. */
export const flatten = (name: string, lookup: RoleLookup): readonly Given[] => {
  const given: Given[] = [];
  const seen = new Set<string>([name]);
  const queue: { readonly name: string; readonly path: readonly string[] }[] = [{ name, path: [name] }];
  for (const step of queue) {
    const role = lookup(step.name);
    if (role === undefined) continue;
    for (const text of role.permissions) {
      const permission = parsePermission(text);
      if (permission !== null) given.push({ permission, path: step.path });
    }
    for (const parent of role.inherits) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      queue.push({ name: parent, path: [...step.path, parent] });
    }
  }
  return given;
};

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
