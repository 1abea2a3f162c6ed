// What an API key may do: what it lists, and never more than its owner may do now.

/** The owner's rights as they are at this moment. */
export interface OwnerRights {
  readonly permissions: readonly string[];
  holds(permission: string): boolean;
}

// Rights over the installation are given by name only.
const RESERVED = 'installation';

const PERMISSION = /^(?:\*|[a-z][a-z0-9_.-]{0,63}):(?:\*|[a-z][a-z0-9_.-]{0,63})$/;

/** `<resource type>:<action>`, `*` for either side; no wildcard action over the installation. */
export const isPermission = (text: string): boolean => PERMISSION.test(text) && text !== `${RESERVED}:*`;

const sides = (permission: string): readonly [string, string] => {
  const at = permission.indexOf(':');
  return [permission.slice(0, at), permission.slice(at + 1)];
};

const meet = (a: string, b: string): string | null => (a === b || b === '*' ? a : a === '*' ? b : null);

/** The permission that two patterns have in common, null where there is none. */
const intersect = (a: string, b: string): string | null => {
  if (a === b) return a;
  const [[typeA, actionA], [typeB, actionB]] = [sides(a), sides(b)];
  if (typeA === RESERVED || typeB === RESERVED) return null;
  const [type, action] = [meet(typeA, typeB), meet(actionA, actionB)];
  return type === null || action === null ? null : `${type}:${action}`;
};

/** Whether a pattern covers a permission. `installation:*` and `*:*` do not cover `installation:tenants`. */
export const covers = (pattern: string, permission: string): boolean => intersect(pattern, permission) === permission;

const isPattern = (permission: string): boolean => permission.includes('*');

/**
 * The key's permissions as far as its owner holds them now: pattern by pattern, the narrower side of each pair.
 * A single permission also has to pass the owner's denies.
 */
export const effectivePermissions = (keyPermissions: readonly string[], owner: OwnerRights): readonly string[] => {
  const common = new Set<string>();
  for (const mine of keyPermissions) {
    for (const theirs of owner.permissions) {
      const both = intersect(mine, theirs);
      if (both !== null && (isPattern(both) || owner.holds(both))) common.add(both);
    }
  }
  return [...common].sort();
};

/** May the key do this now? Both have to say yes; the owner's denies count. */
export const keyHolds = (keyPermissions: readonly string[], owner: Pick<OwnerRights, 'holds'>, permission: string): boolean =>
  keyPermissions.some((pattern) => covers(pattern, permission)) && owner.holds(permission);
