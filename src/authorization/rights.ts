// What one subject may do, from its roles, grants and denies at one moment, and until when that holds.
import type { Constraints } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import { type PatternSet, patternSet } from './pattern-set.ts';
import { parsePermission, printPermission } from './permission.ts';
import { allowedBy, deniedBy, type Ruling } from './ruling.ts';
import type { RoleUnion, Snapshot } from './snapshot.ts';

export type SubjectType = 'user' | 'service';

/** `user` and a user id, `service` and `<namespace>/<name>`. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  /** Roles it brings along besides those assigned here: of a trusted issuer's token. The same list for the same token. */
  readonly roles?: readonly string[];
}

export interface Assignment {
  readonly role: string;
  readonly expiresAt: Instant | null;
}

export interface Grant {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly permission: string;
  /** '' = every resource of the type. */
  readonly resourceId: string;
  readonly expiresAt: Instant | null;
}

/** What is stored about a subject, ended things included: they end by the clock, not by a write. */
export interface SubjectRows {
  readonly subject: Subject;
  readonly assignments: readonly Assignment[];
  readonly grants: readonly Grant[];
}

export interface Rights {
  readonly subject: Subject;
  /** Assigned roles in force, sorted. */
  readonly roles: readonly string[];
  /** Limits of the roles in force. */
  readonly constraints: readonly Constraints[];
  /** What roles and grants allow on every resource of a type, patterns included, sorted. Denies are not taken off: ask `holds`. */
  readonly permissions: readonly string[];
  /** Allowed on every resource of the type, and denied nowhere. A pattern is held when one held pattern covers all of it and no deny meets it. */
  readonly holds: (permission: string) => boolean;
  /** An explicit deny for every resource of the type meets it. */
  readonly denies: (permission: string) => boolean;
  /** The next instant at which these rights change by themselves; null = not before a change. */
  readonly validUntil: Instant | null;
  /** Every change up to this number is contained (the feed's cursor when they were put together). */
  readonly revision: number;
  readonly snapshot: Snapshot;
  readonly index: RightsIndex;
}

/** The look-ups behind `evaluate`. */
export interface RightsIndex {
  readonly roles: RoleUnion;
  readonly allows: PatternSet<Ruling> | null;
  readonly denies: PatternSet<Ruling> | null;
  /** By resource id; null where no grant names a resource. */
  readonly allowsOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
  readonly deniesOn: ReadonlyMap<string, PatternSet<Ruling>> | null;
}

const inForce = (expiresAt: Instant | null, now: Instant): boolean => expiresAt === null || expiresAt > now;

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

export const compileRights = (snapshot: Snapshot, rows: SubjectRows, now: Instant, revision: number): Rights => {
  const assignments = rows.assignments.filter((assignment) => inForce(assignment.expiresAt, now));
  const grants = rows.grants.filter((grant) => inForce(grant.expiresAt, now));
  const ends = [...assignments, ...grants].flatMap(({ expiresAt }) => expiresAt ?? []);
  const index: RightsIndex = {
    roles: snapshot.union(assignments.map((assignment) => assignment.role)),
    allows: everywhere(grants, 'allow'),
    denies: everywhere(grants, 'deny'),
    allowsOn: byResource(grants, 'allow'),
    deniesOn: byResource(grants, 'deny'),
  };

  const denies = (text: string): boolean => {
    const wanted = parsePermission(text);
    return wanted !== null && index.denies?.meeting(wanted) !== undefined;
  };

  return {
    subject: rows.subject,
    roles: index.roles.names,
    constraints: index.roles.constraints,
    get permissions() {
      const all = [...index.roles.allows.entries, ...(index.allows?.entries ?? [])];
      return [...new Set(all.map(({ permission }) => printPermission(permission)))].sort();
    },
    holds(text) {
      const wanted = parsePermission(text);
      if (wanted === null || index.denies?.meeting(wanted) !== undefined) return false;
      const { type, action } = wanted;
      return (index.roles.allows.find(type, action) ?? index.allows?.find(type, action)) !== undefined;
    },
    denies,
    validUntil: ends.length === 0 ? null : ends.reduce((a, b) => Math.min(a, b)),
    revision,
    snapshot,
    index,
  };
};
