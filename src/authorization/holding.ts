// What a caller may do at this moment: its rights, as far as what it showed lets them through.
import type { Caller, WorkloadEntry } from '../base/caller.ts';
import { scopeAllows } from '../base/scope.ts';
import type { Level } from './classification.ts';
import { type PatternSet, permissionSet } from './pattern-set.ts';
import { parsePermission } from './permission.ts';
import type { Rights } from './rights.ts';
import type { Subject } from './subject.ts';
import { bareSituation } from './situation.ts';

export interface Holding {
  /** A pattern is held when all of it is. */
  holds(permission: string): boolean;
  /** The same without what others lend: what may be given away. */
  owns(permission: string): boolean;
  /** How secret a thing may be for it. */
  readonly clearance: Level;
}

/** The installation itself. */
export const ALL: Holding = { holds: () => true, owns: () => true, clearance: Number.POSITIVE_INFINITY };
export const NOTHING: Holding = { holds: () => false, owns: () => false, clearance: 0 };

const patterns = new WeakMap<readonly string[], PatternSet<true>>();

const patternsOf = (texts: readonly string[]): PatternSet<true> => {
  const known = patterns.get(texts);
  if (known !== undefined) return known;
  const set = permissionSet(texts);
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

/** What a management call knows of its caller's situation. Hours are part of rights, so the instant does not matter. */
const VERIFIED = bareSituation(0, true);
const UNVERIFIED = bareSituation(0);

type Held = 'holds' | 'owns';

/** Who acts for a user by a token that names no scopes may do what the user may, but gives nothing of it away: that would outlast the token. */
const mayGive = ({ delegated, scopes }: Extract<Caller, { kind: 'user' }>): boolean => delegated !== true || scopes.length > 0;

/**
 * User: rights ∩ scopes, with a second factor where one is needed. API key: the owner's rights ∩ the key's permissions ∩ its scopes.
 * Workload: entry ∪ rights, minus denies.
 */
const callerHas = (caller: Caller, rights: Rights, permission: string, how: Held): boolean => {
  switch (caller.kind) {
    case 'user':
      return (
        (how === 'holds' || mayGive(caller)) &&
        rights[how](permission, caller.mfaVerified ? VERIFIED : UNVERIFIED) &&
        scopeAllows(caller.scopes, permission) &&
        caller.secondFactor?.neededFor(permission) !== true
      );
    case 'api_key':
      return rights[how](permission, UNVERIFIED) && listCovers(caller.permissions, permission) && scopeAllows(caller.scopes, permission);
    case 'workload':
      return rights[how](permission, UNVERIFIED) || (entryCovers(caller.entry, permission) && !rights.denies(permission));
    case 'anonymous':
      return false;
  }
};

export const holdingOf = (caller: Caller, rights: Rights): Holding => ({
  holds: (permission) => callerHas(caller, rights, permission, 'holds'),
  owns: (permission) => callerHas(caller, rights, permission, 'owns'),
  clearance: rights.index.clearance,
});
