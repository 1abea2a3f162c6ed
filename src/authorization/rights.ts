// What one subject may do, from its roles, grants, denies and delegations at one moment, and until when that holds.
import type { Constraints } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import { clearanceOf, INTERNAL } from './classification.ts';
import { holdsPattern, isDenied } from './holds.ts';
import { parsePermission, type Permission, printPermission } from './permission.ts';
import { indexRights, type RightsIndex } from './rights-index.ts';
import { constraintsOf } from './role.ts';
import type { Situation } from './situation.ts';
import type { Snapshot } from './snapshot.ts';
import { type Delegation, hasEnded, inForce, type Subject, type SubjectRows, type Window } from './subject.ts';

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

/** Everything rights are put together from. */
export interface Sources {
  readonly rows: SubjectRows;
  /** The rows of the groups it is a member of now. */
  readonly groups: readonly SubjectRows[];
  /** Delegations in force, each with its grantor's rights; without those whose grantor cannot act. */
  readonly lent: readonly { readonly delegation: Delegation; readonly grantor: Rights }[];
}

/** The next instant at which one of them begins or ends. */
const nextEdge = (windows: readonly Partial<Window>[], now: Instant): Instant | null => {
  let next: Instant | null = null;
  for (const { notBefore = null, expiresAt = null } of windows)
    for (const edge of [notBefore, expiresAt]) if (edge !== null && edge > now && (next === null || edge < next)) next = edge;
  return next;
};

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
  const roles = snapshot.union(
    assignments.map((assignment) => assignment.role),
    now,
  );
  const cleared = rows.clearance !== null && !hasEnded(rows.clearance, now) ? clearanceOf(rows.clearance.clearance) : null;
  const index = indexRights(snapshot, { roles, grants, lent, cleared });
  const windows = [
    ...stored.assignments,
    ...stored.grants,
    ...all.flatMap((one) => [...one.memberships, ...one.delegations]),
    ...(rows.clearance === null ? [] : [rows.clearance]),
  ];

  const { policies } = snapshot;
  const unconditional = grants.every(({ condition }) => condition === '');
  const plain = policies === null && roles.gated === null && unconditional && lent.every(({ grantor }) => grantor.plain);
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
