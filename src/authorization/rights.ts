// What one subject may do, from its roles, grants, denies and delegations at one moment, and until when that holds.
import type { Constraints } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import { clearanceOf, INTERNAL, type Level } from './classification.ts';
import { compileRule, type Weighed } from './conditional.ts';
import type { Condition } from './condition/condition.ts';
import { holdsPattern, isDenied } from './holds.ts';
import { type PatternSet, patternSet } from './pattern-set.ts';
import { parsePermission, type Permission, printPermission } from './permission.ts';
import { constraintsOf } from './role.ts';
import { allowedBy, deniedBy, type Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';
import type { Snapshot } from './snapshot.ts';
import type { RoleUnion } from './union.ts';

/** `user` and a user id, `service` and `<namespace>/<name>`, `group` and its name. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  /** Roles it brings along besides those assigned here: of a trusted issuer's token. The same list for the same token. */
  readonly roles?: readonly string[];
}

/** From the first instant to before the second; null = no such bound. */
export interface Window {
  readonly notBefore: Instant | null;
  readonly expiresAt: Instant | null;
}

export interface Assignment extends Window {
  readonly role: string;
}

export interface Grant extends Window {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly permission: string;
  /** '' = every resource of the type. */
  readonly resourceId: string;
  /** '' = none. */
  readonly condition: string;
  readonly tree: Condition | null;
}

export interface Membership {
  readonly group: string;
  readonly expiresAt: Instant | null;
}

/** What somebody lends the subject, for as long as he holds it himself. */
export interface Delegation extends Window {
  readonly id: string;
  readonly grantor: Subject;
  readonly permissions: readonly string[];
  readonly resourceId: string;
  /** How many further hands it may pass through. */
  readonly depth: number;
}

export interface StoredClearance {
  readonly clearance: string;
  readonly expiresAt: Instant | null;
}

/** What is stored about a subject, ended things included: they end by the clock, not by a write. */
export interface SubjectRows {
  readonly subject: Subject;
  readonly assignments: readonly Assignment[];
  readonly grants: readonly Grant[];
  readonly memberships: readonly Membership[];
  readonly delegations: readonly Delegation[];
  readonly clearance: StoredClearance | null;
}

export interface Rights {
  readonly subject: Subject;
  /** Roles in force, assigned or through a group, sorted. */
  readonly roles: readonly string[];
  /** Limits of the roles in force. */
  readonly constraints: readonly Constraints[];
  /** A role that is assigned already, and begins later, brings limits with it: what is said of them now will not do then. */
  readonly limitsToCome: boolean;
  /** Groups it is a member of now, sorted. */
  readonly groups: readonly string[];
  /**
   * What roles and grants allow on every resource of a type without further conditions, patterns included, sorted.
   * Denies are not taken off: ask `holds`.
   */
  readonly permissions: readonly string[];
  /**
   * Allowed on every resource of the type, and denied nowhere. A pattern is held when one held pattern covers all of it and no deny
   * meets it. What depends on a situation counts only in one that is given and fits.
   */
  readonly holds: (permission: string, situation?: Situation) => boolean;
  /** The same without what others lend: what is borrowed cannot be given away for good. */
  readonly owns: (permission: string, situation?: Situation) => boolean;
  /** An explicit deny for every resource of the type meets it, whatever its condition. */
  readonly denies: (permission: string) => boolean;
  /** No rule looks at the situation of a question. */
  readonly plain: boolean;
  /** Roles and ownership decide everything that is not classified. */
  readonly rolesAlone: boolean;
  /** The next instant at which these rights change by themselves; null = not before a change. */
  readonly validUntil: Instant | null;
  /** Every change up to this number is contained (the feed's cursor when they were put together). */
  readonly revision: number;
  readonly snapshot: Snapshot;
  readonly index: RightsIndex;
  /** For whoever tells where each right comes from. */
  readonly sources: Sources;
}

export interface ConditionalGrant extends Weighed {
  readonly grant: Grant;
  readonly permission: Permission;
}

export interface Lent {
  readonly delegation: Delegation;
  readonly patterns: PatternSet<true>;
  readonly allowed: Ruling;
  /** The grantor's rights now. */
  readonly grantor: Rights;
}

/** The look-ups behind `evaluate`. */
export interface RightsIndex {
  readonly roles: RoleUnion;
  readonly allows: PatternSet<Ruling> | null;
  readonly denies: PatternSet<Ruling> | null;
  /** By resource id; null where no grant names a resource. */
  readonly allowsOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
  readonly deniesOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
  /** Under conditions; null where there are none. */
  readonly allowsIf: readonly ConditionalGrant[] | null;
  readonly deniesIf: readonly ConditionalGrant[] | null;
  readonly lent: readonly Lent[] | null;
  /** How secret a thing may be for the subject without further ado. */
  readonly clearance: Level;
  /** Stands above what roles say: gated roles give nothing more. */
  readonly cleared: boolean;
}

/** Everything rights are put together from. */
export interface Sources {
  readonly rows: SubjectRows;
  /** The rows of the groups it is a member of now. */
  readonly groups: readonly SubjectRows[];
  /** Delegations in force, each with its grantor's rights; without those whose grantor cannot act. */
  readonly lent: readonly { readonly delegation: Delegation; readonly grantor: Rights }[];
}

export const hasEnded = ({ expiresAt }: { readonly expiresAt: Instant | null }, now: Instant): boolean =>
  expiresAt !== null && expiresAt <= now;
export const hasBegun = ({ notBefore }: { readonly notBefore: Instant | null }, now: Instant): boolean =>
  notBefore === null || notBefore <= now;
export const inForce = (window: Window, now: Instant): boolean => !hasEnded(window, now) && hasBegun(window, now);

/** The next instant at which one of them begins or ends. */
const nextEdge = (windows: readonly Partial<Window>[], now: Instant): Instant | null => {
  let next: Instant | null = null;
  for (const { notBefore = null, expiresAt = null } of windows)
    for (const edge of [notBefore, expiresAt]) if (edge !== null && edge > now && (next === null || edge < next)) next = edge;
  return next;
};

const rulingsOf = (grants: readonly Grant[]): PatternSet<Ruling> =>
  patternSet(
    grants.flatMap((grant) => {
      const permission = parsePermission(grant.permission);
      const value = grant.effect === 'allow' ? allowedBy(`grant:${grant.id}`) : deniedBy(`deny:${grant.id}`);
      return permission === null ? [] : [{ permission, value }];
    }),
  );

const everywhere = (grants: readonly Grant[], effect: Grant['effect']): PatternSet<Ruling> | null => {
  const fitting = grants.filter((grant) => grant.effect === effect && grant.resourceId === '');
  return fitting.length === 0 ? null : rulingsOf(fitting);
};

const byResource = (grants: readonly Grant[], effect: Grant['effect']): ReadonlyMap<string, PatternSet<Ruling>> | null => {
  const fitting = Map.groupBy(
    grants.filter((grant) => grant.effect === effect && grant.resourceId !== ''),
    (grant) => grant.resourceId,
  );
  return fitting.size === 0 ? null : new Map([...fitting].map(([id, list]) => [id, rulingsOf(list)]));
};

const conditional = (grants: readonly Grant[], effect: Grant['effect'], snapshot: Snapshot): readonly ConditionalGrant[] | null => {
  const compiled = grants.flatMap((grant): ConditionalGrant[] => {
    const permission = parsePermission(grant.permission);
    if (permission === null || grant.effect !== effect) return [];
    const rule = `${effect === 'allow' ? 'grant' : 'deny'}:${grant.id}`;
    return [{ ...compileRule(rule, effect, grant.condition, grant.tree, snapshot.schema(permission.type)), grant, permission }];
  });
  return compiled.length === 0 ? null : compiled;
};

const lentOf = ({ delegation, grantor }: Sources['lent'][number]): Lent => ({
  delegation,
  grantor,
  allowed: allowedBy(`delegation:${delegation.id}`),
  patterns: patternSet(
    delegation.permissions.flatMap((text) => {
      const permission = parsePermission(text);
      return permission === null ? [] : [{ permission, value: true as const }];
    }),
  ),
});

const earliest = (instants: readonly (Instant | null)[]): Instant | null =>
  instants.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);

/** A pattern is a way to speak of rights; policies speak of what is done. */
const isSpoken = ({ type, action }: Permission): boolean => type !== '*' && action !== '*';

export const compileRights = (snapshot: Snapshot, sources: Sources, now: Instant, revision: number): Rights => {
  const { rows, groups, lent } = sources;
  const all = groups.length === 0 ? [rows] : [rows, ...groups];
  const stored = { assignments: all.flatMap((one) => one.assignments), grants: all.flatMap((one) => one.grants) };
  const assignments = stored.assignments.filter((assignment) => inForce(assignment, now));
  const grants = stored.grants.filter((grant) => inForce(grant, now));
  const plainly = grants.filter(({ condition }) => condition === '');
  const asked = grants.filter(({ condition }) => condition !== '');
  const roles = snapshot.union(
    assignments.map((assignment) => assignment.role),
    now,
  );
  const own = rows.clearance !== null && !hasEnded(rows.clearance, now) ? clearanceOf(rows.clearance.clearance) : null;
  const index: RightsIndex = {
    roles,
    allows: everywhere(plainly, 'allow'),
    denies: everywhere(plainly, 'deny'),
    allowsOn: byResource(plainly, 'allow'),
    deniesOn: byResource(plainly, 'deny'),
    allowsIf: conditional(asked, 'allow', snapshot),
    deniesIf: conditional(asked, 'deny', snapshot),
    lent: lent.length === 0 ? null : lent.map(lentOf),
    clearance: own ?? roles.clearance,
    cleared: own !== null,
  };
  const windows = [
    ...stored.assignments,
    ...stored.grants,
    ...all.flatMap((one) => [...one.memberships, ...one.delegations]),
    ...(rows.clearance === null ? [] : [rows.clearance]),
  ];

  const { policies } = snapshot;
  const plain = policies === null && roles.gated === null && asked.length === 0 && lent.every(({ grantor }) => grantor.plain);
  const has = (text: string, situation: Situation | undefined, borrowed: boolean): boolean => {
    const held = holdsPattern(index, text, situation, borrowed);
    const wanted = policies === null ? null : parsePermission(text);
    if (policies === null || wanted === null || !isSpoken(wanted)) return held;
    return policies.holds(wanted, rights, situation, held);
  };

  const rights: Rights = {
    subject: rows.subject,
    roles: roles.names,
    constraints: roles.constraints,
    limitsToCome: stored.assignments.some(
      ({ role, notBefore }) => notBefore !== null && notBefore > now && constraintsOf([role], snapshot.role).length > 0,
    ),
    groups: groups.map(({ subject }) => subject.id).sort(),
    get permissions() {
      const allowed = [...roles.allows.entries, ...(index.allows?.entries ?? [])];
      return [...new Set(allowed.map(({ permission }) => printPermission(permission)))].sort();
    },
    holds: (text, situation) => has(text, situation, true),
    owns: (text, situation) => has(text, situation, false),
    denies(text) {
      const wanted = parsePermission(text);
      if (wanted === null) return false;
      // Held by other means, would policies leave it?
      return isDenied(index, wanted) || (isSpoken(wanted) && policies?.holds(wanted, rights, undefined, true) === false);
    },
    plain,
    rolesAlone: plain && grants.length === 0 && lent.length === 0 && !snapshot.classified && index.clearance >= INTERNAL,
    validUntil: earliest([nextEdge(windows, now), roles.until, ...lent.map(({ grantor }) => grantor.validUntil)]),
    revision,
    snapshot,
    index,
    sources,
  };
  return rights;
};
