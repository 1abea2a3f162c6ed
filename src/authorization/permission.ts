// Permissions: `<resource type>:<action>`, `*` for either side in what is held; how a held pattern covers a wanted one.

export interface Permission {
  readonly type: string;
  readonly action: string;
}

const SIDE = '(?:\\*|[a-z][a-z0-9_.-]{0,127})';
const PATTERN = new RegExp(`^(${SIDE}):(${SIDE})$`);

/**
 * Rights over the installation itself, across tenants. No wildcard covers them: whoever may do everything in a tenant
 * must not thereby own its neighbours.
 */
export const RESERVED_TYPE = 'installation';

/** Both sides, or null where the text is no permission. `*` alone is `*:*`. A wildcard action of the reserved type does not exist. */
export const parsePermission = (text: string): Permission | null => {
  if (text === '*') return { type: '*', action: '*' };
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const [, type = '', action = ''] = match;
  return type === RESERVED_TYPE && action === '*' ? null : { type, action };
};

export const printPermission = (permission: Permission): string => `${permission.type}:${permission.action}`;

const sideCovers = (held: string, wanted: string): boolean => held === '*' || held === wanted;
const sidesMeet = (a: string, b: string): boolean => a === '*' || b === '*' || a === b;

/** Does `held` include everything that `wanted` asks for? `users:*` covers `users:read`, never the other way round. */
export const covers = (held: Permission, wanted: Permission): boolean =>
  wanted.type === RESERVED_TYPE
    ? held.type === RESERVED_TYPE && held.action === wanted.action
    : sideCovers(held.type, wanted.type) && sideCovers(held.action, wanted.action);

/** Is there any permission that both include? A deny that meets a wanted pattern spoils all of it. */
export const meets = (a: Permission, b: Permission): boolean =>
  a.type === RESERVED_TYPE || b.type === RESERVED_TYPE
    ? a.type === b.type && a.action === b.action
    : sidesMeet(a.type, b.type) && sidesMeet(a.action, b.action);

/** What both patterns cover, null where that is nothing. */
export const intersect = (a: Permission, b: Permission): Permission | null =>
  meets(a, b) ? { type: a.type === '*' ? b.type : a.type, action: a.action === '*' ? b.action : a.action } : null;
