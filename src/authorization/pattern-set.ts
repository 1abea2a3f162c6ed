// Many permission patterns, each with what stands behind it, answered in a constant number of look-ups.
import { covers, meets, parsePermission, type Permission, RESERVED_TYPE } from './permission.ts';

export interface PatternSet<V> {
  /** What covers this permission (the first one added wins), or undefined. At most four look-ups, no allocation. */
  find(type: string, action: string): V | undefined;
  /** The first entry that has anything in common with the pattern. Linear where the pattern has a wildcard, else as `find`. */
  meeting(wanted: Permission): V | undefined;
  readonly entries: readonly { readonly permission: Permission; readonly value: V }[];
}

/** Frozen once built: later entries for the same pattern do not replace earlier ones. */
export const patternSet = <V>(given: Iterable<{ readonly permission: Permission; readonly value: V }>): PatternSet<V> => {
  const byType = new Map<string, Map<string, V>>();
  const entries: { readonly permission: Permission; readonly value: V }[] = [];
  for (const entry of given) {
    const { type, action } = entry.permission;
    let actions = byType.get(type);
    if (actions === undefined) byType.set(type, (actions = new Map()));
    if (actions.has(action)) continue;
    actions.set(action, entry.value);
    entries.push(entry);
  }
  const anyType = byType.get('*');

  const find = (type: string, action: string): V | undefined => {
    const own = byType.get(type);
    if (own !== undefined) {
      const value = own.get(action) ?? (type === RESERVED_TYPE ? undefined : own.get('*'));
      if (value !== undefined) return value;
    }
    return type === RESERVED_TYPE || anyType === undefined ? undefined : (anyType.get(action) ?? anyType.get('*'));
  };

  return {
    find,
    meeting(wanted) {
      if (wanted.type !== '*' && wanted.action !== '*') return find(wanted.type, wanted.action);
      return entries.find((entry) => meets(entry.permission, wanted))?.value;
    },
    entries,
  };
};

/** A list of permissions as texts; what is none is left out. */
export const permissionSet = (texts: readonly string[]): PatternSet<true> =>
  patternSet(
    texts.flatMap((text) => {
      const permission = parsePermission(text);
      return permission === null ? [] : [{ permission, value: true as const }];
    }),
  );

/** The naive meaning of `find`, kept beside it for whoever reads or tests it. */
export const findSlowly = <V>(
  entries: readonly { readonly permission: Permission; readonly value: V }[],
  wanted: Permission,
): V | undefined => entries.find((entry) => covers(entry.permission, wanted))?.value;
