// What a caller may do at this moment: its rights, as far as what it showed lets them through.
import type { Caller, WorkloadEntry } from '../base/caller.ts';
import { scopeAllows } from '../base/scope.ts';
import { type PatternSet, patternSet } from './pattern-set.ts';
import { parsePermission } from './permission.ts';
import type { Rights, Subject } from './rights.ts';

export interface Holding {
  /** A pattern is held when all of it is. */
  holds(permission: string): boolean;
}

const patterns = new WeakMap<readonly string[], PatternSet<true>>();

const patternsOf = (texts: readonly string[]): PatternSet<true> => {
  const known = patterns.get(texts);
  if (known !== undefined) return known;
  const set = patternSet(
    texts.flatMap((text) => {
      const permission = parsePermission(text);
      return permission === null ? [] : [{ permission, value: true as const }];
    }),
  );
  patterns.set(texts, set);
  return set;
};

/** Does a list of permissions (an API key's, a workload entry's) cover this one? The list is read once and must not change. */
export const listHolds = (texts: readonly string[], type: string, action: string): boolean => patternsOf(texts).find(type, action) === true;

const listCovers = (texts: readonly string[], permission: string): boolean => {
  const wanted = parsePermission(permission);
  return wanted !== null && listHolds(texts, wanted.type, wanted.action);
};

/** Whose rights stand behind a caller; null for nobody's. An API key acts for its owner. */
export const rightsHolder = (caller: Caller): Subject | null => {
  switch (caller.kind) {
    case 'user':
      return { type: 'user', id: caller.userId };
    case 'api_key':
      return { type: 'user', id: caller.ownerId };
    case 'workload':
      return { type: 'service', id: `${caller.namespace}/${caller.name}` };
    case 'anonymous':
      return null;
  }
};

const entryCovers = (entry: WorkloadEntry | null, permission: string): boolean =>
  entry !== null && listCovers(entry.permissions, permission);

/** User: rights ∩ scopes, with a second factor where one is needed. API key: the owner's rights ∩ the key's permissions ∩ its scopes. Workload: entry ∪ rights, minus denies. */
export const callerHolds = (caller: Caller, rights: Rights, permission: string): boolean => {
  switch (caller.kind) {
    case 'user':
      return rights.holds(permission) && scopeAllows(caller.scopes, permission) && caller.secondFactor?.neededFor(permission) !== true;
    case 'api_key':
      return rights.holds(permission) && listCovers(caller.permissions, permission) && scopeAllows(caller.scopes, permission);
    case 'workload':
      return rights.holds(permission) || (entryCovers(caller.entry, permission) && !rights.denies(permission));
    case 'anonymous':
      return false;
  }
};
