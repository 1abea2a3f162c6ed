// Brings rights together: a tenant's snapshot and a subject's rows, both from the caches, both of one moment.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { unavailable } from '../base/fault.ts';
import { isPromise } from '../base/maybe.ts';
import type { Instant } from '../base/time.ts';
import type { Tracked } from '../storage/storage.ts';
import { compileRights, type Rights, type Subject, type SubjectRows } from './rights.ts';
import type { Snapshot } from './snapshot.ts';

export interface ResolveDeps {
  /** One entry a tenant, under the key ''. */
  readonly snapshots: Tracked<Snapshot>;
  /** By `<type>:<id>`. What was loaded is contained in the feed's cursor: see `settled`. */
  readonly subjects: Tracked<SubjectRows>;
  /** Every change up to this number has been applied here. */
  readonly cursor: () => number;
}

export interface Wanted {
  readonly tenantId: TenantId;
  readonly subject: Subject;
}

export type Resolve = (wanted: readonly Wanted[], now: Instant) => MaybePromise<readonly Rights[]>;

export const subjectKey = (subject: Subject): string => `${subject.type}:${subject.id}`;

const NONE: readonly string[] = [];

/** Passes over cold caches before we say that changes come faster than we can read. */
const PASSES = 6;

/**
 * All of them at one moment. Both caches hold only what was true at the feed's cursor and is dropped when the cursor passes a change;
 * so what both answer at once, without an await in between, belongs together. After any wait everything is asked again:
 * else a role widened later could meet an assignment that had ended before.
 */
export const createResolve = ({ snapshots, subjects, cursor }: ResolveDeps): Resolve => {
  const compiled = new WeakMap<SubjectRows, Rights>();
  const brought = new WeakMap<readonly string[], WeakMap<SubjectRows, Rights>>();

  const join = (snapshot: Snapshot, rows: SubjectRows, now: Instant, kept: WeakMap<SubjectRows, Rights>, roles = NONE): Rights => {
    const known = kept.get(rows);
    if (known !== undefined && known.snapshot === snapshot && (known.validUntil === null || now < known.validUntil)) return known;
    const assignments = [...rows.assignments, ...roles.map((role) => ({ role, expiresAt: null }))];
    const fresh = compileRights(snapshot, roles.length === 0 ? rows : { ...rows, assignments }, now, cursor());
    kept.set(rows, fresh);
    return fresh;
  };

  const keptFor = (roles: readonly string[]): WeakMap<SubjectRows, Rights> => {
    const known = brought.get(roles);
    if (known !== undefined) return known;
    const fresh = new WeakMap<SubjectRows, Rights>();
    brought.set(roles, fresh);
    return fresh;
  };

  const pass = (
    wanted: readonly Wanted[],
    now: Instant,
  ): { readonly found: readonly Rights[]; readonly waiting: readonly Promise<unknown>[] } => {
    const found: Rights[] = [];
    const waiting: Promise<unknown>[] = [];
    for (const { tenantId, subject } of wanted) {
      const snapshot = snapshots.get(tenantId, '');
      const rows = subjects.get(tenantId, subjectKey(subject));
      if (isPromise(snapshot)) waiting.push(snapshot);
      if (isPromise(rows)) waiting.push(rows);
      if (isPromise(snapshot) || isPromise(rows)) continue;
      const { roles } = subject;
      found.push(roles === undefined ? join(snapshot, rows, now, compiled) : join(snapshot, rows, now, keptFor(roles), roles));
    }
    return { found, waiting };
  };

  const settle = async (wanted: readonly Wanted[], now: Instant, first: readonly Promise<unknown>[]): Promise<readonly Rights[]> => {
    let waiting = first;
    for (let count = 0; count < PASSES; count += 1) {
      await Promise.all(waiting);
      const next = pass(wanted, now);
      if (next.waiting.length === 0) return next.found;
      waiting = next.waiting;
    }
    await Promise.allSettled(waiting);
    throw unavailable('RIGHTS_UNSETTLED', 'rights change faster than they can be read');
  };

  return (wanted, now) => {
    const { found, waiting } = pass(wanted, now);
    return waiting.length === 0 ? found : settle(wanted, now, waiting);
  };
};
