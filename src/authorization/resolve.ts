// Brings rights together: a tenant's snapshot, a subject's rows, its groups' and its grantors', all from the caches, all of one moment.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { unavailable } from '../base/fault.ts';
import { isPromise } from '../base/maybe.ts';
import type { Instant } from '../base/time.ts';
import type { Tracked } from '../storage/storage.ts';
import { compileRights, type Rights } from './rights.ts';
import { type Delegation, hasEnded, inForce, type Subject, type SubjectRows } from './subject.ts';
import type { Snapshot } from './snapshot.ts';

export interface ResolveDeps {
  /** One entry a tenant, under the key ''. */
  readonly snapshots: Pick<Tracked<Snapshot>, 'get'>;
  /** By `<type>:<id>`. What was loaded is contained in the feed's cursor: see `settled`. */
  readonly subjects: Pick<Tracked<SubjectRows>, 'get'>;
  /** Every change up to this number has been applied here. */
  readonly cursor: () => number;
  /** Grows with every change applied here. */
  readonly applied: () => number;
  /** Can this subject act at all? A suspended grantor lends nothing. */
  readonly acts: (tenantId: TenantId, subject: Subject) => MaybePromise<boolean>;
}

export interface Wanted {
  readonly tenantId: TenantId;
  readonly subject: Subject;
}

export type Resolve = (wanted: readonly Wanted[], now: Instant) => MaybePromise<readonly Rights[]>;

export const subjectKey = (subject: Subject): string => `${subject.type}:${subject.id}`;

/** Passes over cold caches before we say that changes come faster than we can read: a subject, its groups, and each further hand. */
const PASSES = 12;
/** So many cold subjects are read at once: those of a whole batch, which go to the database together. */
const AT_ONCE = 1024;
/** Hands that a right may pass through: the depth of a delegation ends at two. */
const HANDS = 3;

/** What rights were put together from, besides snapshot and own rows. */
interface Parts {
  readonly groups: readonly SubjectRows[];
  readonly lent: readonly { readonly delegation: Delegation; readonly grantor: Rights }[];
}

const NO_PARTS: Parts = { groups: [], lent: [] };

/** One way through everything that is wanted. */
interface Reading {
  readonly waiting: Promise<unknown>[];
  /** What was read for it, where the cache may be too small for all who read at once; null before the first wait. */
  readonly memory: Map<string, SubjectRows> | null;
}

interface Kept {
  readonly rights: Rights;
  readonly parts: Parts;
  /** Nothing was applied since all of it was looked at. */
  applied: number;
}

const sameParts = (a: Parts, b: Parts): boolean =>
  a.groups.length === b.groups.length &&
  a.lent.length === b.lent.length &&
  a.groups.every((rows, at) => rows === b.groups[at]) &&
  a.lent.every(({ delegation, grantor }, at) => delegation === b.lent[at]?.delegation && grantor === b.lent[at]?.grantor);

/**
 * All of them at one moment. The caches hold only what was true at the feed's cursor and is dropped when the cursor passes a change;
 * so what they all answer at once, without an await in between, belongs together. After any wait everything is asked again:
 * else a role widened later could meet an assignment that had ended before.
 */
export const createResolve = ({ snapshots, subjects, cursor, applied, acts }: ResolveDeps): Resolve => {
  const compiled = new WeakMap<SubjectRows, Rights>();
  // A grantor's rights are fewer with each hand: only what may be passed on counts.
  const composed = new WeakMap<SubjectRows, (Kept | undefined)[]>();

  const isCurrent = (rights: Rights, snapshot: Snapshot, now: Instant): boolean =>
    rights.snapshot === snapshot && (rights.validUntil === null || now < rights.validUntil);

  /** Nobody but itself stands behind it. */
  const alone = (snapshot: Snapshot, rows: SubjectRows, now: Instant): Rights => {
    const known = compiled.get(rows);
    if (known !== undefined && isCurrent(known, snapshot, now)) return known;
    const fresh = compileRights(snapshot, { rows, ...NO_PARTS }, now, cursor());
    compiled.set(rows, fresh);
    return fresh;
  };

  // Roles that a subject brings with its credential: the same rows for the same list, so that what is made of them is kept.
  const brought = new WeakMap<readonly string[], WeakMap<SubjectRows, SubjectRows>>();
  const withRoles = (rows: SubjectRows, roles: readonly string[] | undefined): SubjectRows => {
    if (roles === undefined || roles.length === 0) return rows;
    let kept = brought.get(roles);
    if (kept === undefined) brought.set(roles, (kept = new WeakMap()));
    let joined = kept.get(rows);
    if (joined === undefined) {
      const assignments = [...rows.assignments, ...roles.map((role) => ({ role, notBefore: null, expiresAt: null }))];
      kept.set(rows, (joined = { ...rows, subject: { ...rows.subject, roles }, assignments }));
    }
    return joined;
  };

  /** undefined: it is waited for. */
  const rowsOf = (tenantId: TenantId, key: string, { waiting, memory }: Reading): SubjectRows | undefined => {
    if (memory === null) {
      const stored = subjects.get(tenantId, key);
      if (!isPromise(stored)) return stored;
      waiting.push(stored);
      return undefined;
    }
    const id = `${tenantId}\0${key}`;
    const read = memory.get(id);
    if (read !== undefined) return read;
    const stored = subjects.get(tenantId, key);
    if (!isPromise(stored)) return stored;
    waiting.push(stored.then((rows) => memory.set(id, rows)));
    return undefined;
  };

  /** undefined: something is waited for. */
  const assemble = (tenantId: TenantId, subject: Subject, hand: number, now: Instant, reading: Reading): Rights | undefined => {
    const snapshot = snapshots.get(tenantId, '');
    const stored = rowsOf(tenantId, subjectKey(subject), reading);
    if (isPromise(snapshot)) reading.waiting.push(snapshot);
    if (isPromise(snapshot) || stored === undefined) return undefined;
    const rows = withRoles(stored, subject.roles);
    if (rows.memberships.length === 0 && rows.delegations.length === 0) return alone(snapshot, rows, now);
    return together(tenantId, snapshot, rows, hand, now, reading);
  };

  const partsOf = (tenantId: TenantId, rows: SubjectRows, hand: number, now: Instant, reading: Reading): Parts | undefined => {
    let missing = false;
    const groups: SubjectRows[] = [];
    for (const membership of rows.memberships) {
      if (hasEnded(membership, now)) continue;
      const group = rowsOf(tenantId, `group:${membership.group}`, reading);
      if (group === undefined) missing = true;
      else groups.push(group);
    }
    const lent: Parts['lent'][number][] = [];
    for (const delegation of [rows, ...groups].flatMap((one) => one.delegations)) {
      if (delegation.depth < hand || hand >= HANDS || !inForce(delegation, now)) continue;
      const able = acts(tenantId, delegation.grantor);
      if (isPromise(able)) missing = reading.waiting.push(able) > 0;
      if (able === false) continue;
      const grantor = assemble(tenantId, delegation.grantor, hand + 1, now, reading);
      if (grantor === undefined) missing = true;
      else lent.push({ delegation, grantor });
    }
    return missing ? undefined : { groups, lent };
  };

  const together = (
    tenantId: TenantId,
    snapshot: Snapshot,
    rows: SubjectRows,
    hand: number,
    now: Instant,
    reading: Reading,
  ): Rights | undefined => {
    let hands = composed.get(rows);
    if (hands === undefined) composed.set(rows, (hands = []));
    const kept = hands[hand];
    const current = kept !== undefined && isCurrent(kept.rights, snapshot, now);
    if (current && kept.applied === applied()) return kept.rights;
    const parts = partsOf(tenantId, rows, hand, now, reading);
    if (parts === undefined) return undefined;
    if (current && sameParts(kept.parts, parts)) {
      kept.applied = applied();
      return kept.rights;
    }
    const rights = compileRights(snapshot, { rows, ...parts }, now, cursor());
    hands[hand] = { rights, parts, applied: applied() };
    return rights;
  };

  const pass = (wanted: readonly Wanted[], now: Instant, reading: Reading): readonly Rights[] => {
    const found: Rights[] = [];
    for (const { tenantId, subject } of wanted) {
      const rights = assemble(tenantId, subject, 0, now, reading);
      if (rights !== undefined) found.push(rights);
      else if (reading.waiting.length >= AT_ONCE) break;
    }
    return found;
  };

  const settle = async (wanted: readonly Wanted[], now: Instant, first: readonly Promise<unknown>[]): Promise<readonly Rights[]> => {
    const memory = new Map<string, SubjectRows>();
    let waiting = first;
    let asOf = applied();
    for (let left = PASSES * Math.ceil(wanted.length / AT_ONCE); left > 0; left -= 1) {
      await Promise.all(waiting);
      // Read before a change and not looked at since: nobody tells whether it was touched.
      if (asOf !== applied()) memory.clear();
      asOf = applied();
      const reading = { waiting: [], memory };
      const found = pass(wanted, now, reading);
      if (reading.waiting.length === 0) return found;
      waiting = reading.waiting;
    }
    await Promise.allSettled(waiting);
    throw unavailable('RIGHTS_UNSETTLED', 'rights change faster than they can be read');
  };

  return (wanted, now) => {
    const reading: Reading = { waiting: [], memory: null };
    const found = pass(wanted, now, reading);
    return reading.waiting.length === 0 ? found : settle(wanted, now, reading.waiting);
  };
};
