// All that a subject may do, with where each permission comes from and when it ends: roles with the way there, groups, grants, denies,
// what others lend, what owners may, what policies say. Complete: whatever a check allows is covered by an entry. Told in pages, and worked
// out in short steps: 10,000 policies may speak of one subject, and all of them of one permission.
import type { Instant } from '../base/time.ts';
import { hoursGate } from './gate.ts';
import { intersect, meets, parsePermission, type Permission, printPermission, RESERVED_TYPE } from './permission.ts';
import { asksOf, groupOf, nameOfRule, windowOf } from './policy/rule.ts';
import type { Rights } from './rights.ts';
import { type Delegation, hasBegun, hasEnded, inForce, type Subject, type SubjectRows, type Window } from './subject.ts';
import { flatten } from './role.ts';
import { type Page, PAGE_TEXT } from './stores.ts';

export interface PermissionSource extends Window {
  readonly kind: 'role' | 'grant' | 'deny' | 'delegation' | 'owner' | 'workload' | 'policy';
  /** As answers name it: `role:<name>`, `grant:<id>`, …. */
  readonly rule: string;
  /** From the assigned role down to the one that holds the permission. */
  readonly path: readonly string[];
  /** The group it comes through; '' = none. */
  readonly group: string;
  /** Who lends it. */
  readonly grantor: Subject | null;
  /** What it asks for, as answers say it. */
  readonly conditions: readonly string[];
  /** In force at this moment. */
  readonly active: boolean;
}

export interface HeldPermission {
  readonly permission: string;
  /** '' = every resource of the type. */
  readonly resourceId: string;
  readonly effect: 'allow' | 'deny';
  readonly sources: readonly PermissionSource[];
}

interface Entry {
  readonly permission: Permission;
  readonly resourceId: string;
  readonly effect: 'allow' | 'deny';
  readonly source: PermissionSource;
}

const NO_SOURCE = { path: [], group: '', grantor: null, conditions: [], notBefore: null, expiresAt: null, active: true } as const;

const ofRows = (rows: SubjectRows, rights: Rights, group: string, now: Instant): readonly Entry[] => {
  const { snapshot } = rights;
  const roles = rows.assignments
    .filter((one) => !hasEnded(one, now))
    .flatMap(({ role, notBefore, expiresAt }) =>
      flatten(role, snapshot.role).map(({ permission, path, gated }): Entry => {
        const { conditions } = hoursGate(gated, now);
        const active = hasBegun({ notBefore }, now);
        return {
          permission,
          resourceId: '',
          effect: 'allow',
          source: { ...NO_SOURCE, kind: 'role', rule: `role:${role}`, path, group, conditions, notBefore, expiresAt, active },
        };
      }),
    );
  const grants = rows.grants
    .filter((one) => !hasEnded(one, now))
    .flatMap((grant): Entry[] => {
      const permission = parsePermission(grant.permission);
      if (permission === null) return [];
      const { id, effect, resourceId, condition, notBefore, expiresAt } = grant;
      const kind = effect === 'allow' ? 'grant' : 'deny';
      const conditions = condition === '' ? [] : [condition];
      const active = inForce(grant, now);
      return [
        {
          permission,
          resourceId,
          effect,
          source: { ...NO_SOURCE, kind, rule: `${kind}:${id}`, group, conditions, notBefore, expiresAt, active },
        },
      ];
    });
  return [...roles, ...grants];
};

const sooner = (a: Instant | null, b: Instant | null): Instant | null => (a === null ? b : b === null ? a : Math.min(a, b));

/** On one resource, and whatever lies in it: what the grantor may do there is asked at each check. */
const onOne = ({ id, resourceId, notBefore, expiresAt }: Delegation, grantor: Rights, permission: Permission): Entry => {
  const conditions = ['the grantor may do it'];
  const source = {
    ...NO_SOURCE,
    kind: 'delegation',
    rule: `delegation:${id}`,
    grantor: grantor.subject,
    conditions,
    notBefore,
    expiresAt,
  } as const;
  return { permission, resourceId, effect: 'allow', source };
};

/** Can a resource of the type lie in one of the other, however deep? */
const liesIn = ({ snapshot }: Pick<Rights, 'snapshot'>, type: string, other: string, seen: readonly string[] = []): boolean =>
  !seen.includes(type) &&
  (snapshot.type(type)?.parentTypes ?? []).some((parent) => parent === other || liesIn({ snapshot }, parent, other, [...seen, type]));

/** What the grantor holds on a resource counts for what lies in it, and so is lent for that. */
const inside = (rights: Rights, lent: Permission, { permission, resourceId }: Entry): Permission | null => {
  if (resourceId === '' || lent.type === '*' || !liesIn(rights, lent.type, permission.type)) return null;
  const both = intersect({ type: '*', action: lent.action }, { type: '*', action: permission.action });
  return both === null ? null : { type: lent.type, action: both.action };
};

/** Places to rest stand between the entries. */
type Steps = Generator<Entry | null>;

/** What the grantor holds, as far as it is lent. His denies take away where the question is asked; here they would say too much. */
function* ofLent(rights: Rights, now: Instant): Steps {
  for (const { delegation, grantor } of rights.index.lent ?? []) {
    const lent = delegation.permissions.flatMap((text) => parsePermission(text) ?? []);
    if (delegation.resourceId !== '') {
      yield* lent.map((permission) => onOne(delegation, grantor, permission));
      continue;
    }
    for (const entry of entriesOf(grantor, now)) {
      yield null;
      if (entry === null || entry.effect !== 'allow' || !entry.source.active) continue;
      const { permission, resourceId, source } = entry;
      for (const one of lent) {
        const same = intersect(one, permission);
        const both = same ?? inside(rights, one, entry);
        if (both === null) continue;
        const expiresAt = sooner(delegation.expiresAt, source.expiresAt);
        const rule = `delegation:${delegation.id}`;
        const within = same === null ? [`it lies in ${permission.type}:${resourceId}`] : [];
        const conditions = [...source.conditions, ...within];
        yield {
          permission: both,
          resourceId,
          effect: 'allow',
          source: { ...NO_SOURCE, kind: 'delegation', rule, path: source.path, grantor: grantor.subject, conditions, expiresAt },
        };
      }
    }
  }
}

const ofOwner = ({ snapshot }: Rights): readonly Entry[] =>
  snapshot.types.flatMap(({ name, ownerActions }) =>
    ownerActions.map((action): Entry => {
      const source = { ...NO_SOURCE, kind: 'owner', rule: 'owner', conditions: ['the subject owns the resource'] } as const;
      return { permission: { type: name, action }, resourceId: '', effect: 'allow', source };
    }),
  );

/** What policies allow and deny it; what they only ask for besides narrows these and is no entry. */
function* ofPolicies(rights: Rights, now: Instant): Steps {
  for (const told of rights.snapshot.policies?.told(rights) ?? []) {
    yield null;
    if (told === null) continue;
    const { type, action, effect, rule } = told;
    const window = windowOf(rule);
    if (hasEnded(window, now)) continue;
    const [group, conditions, active] = [groupOf(rule, rights), asksOf(rule), hasBegun(window, now)];
    const source = { ...NO_SOURCE, ...window, kind: 'policy', rule: nameOfRule(rule), group, conditions, active } as const;
    yield { permission: { type, action }, resourceId: '', effect, source };
  }
}

function* entriesOf(rights: Rights, now: Instant): Steps {
  const { rows, groups } = rights.sources;
  yield* ofRows(rows, rights, '', now);
  for (const group of groups) yield* ofRows(group, rights, group.subject.id, now);
  yield* ofLent(rights, now);
  yield* ofOwner(rights);
  yield* ofPolicies(rights, now);
}

/** `also`: a workload entry's permissions. */
function* allEntriesOf(rights: Rights, also: readonly string[], now: Instant): Steps {
  yield* entriesOf(rights, now);
  for (const text of also) {
    const permission = parsePermission(text);
    const source = { ...NO_SOURCE, kind: 'workload', rule: 'workload' } as const;
    if (permission !== null) yield { permission, resourceId: '', effect: 'allow', source };
  }
}

const fits = ({ type }: Permission, wanted: string): boolean =>
  wanted === '' || type === wanted || (wanted !== RESERVED_TYPE && meets({ type, action: '*' }, { type: wanted, action: '*' }));

/** Sorts by permission, then resource, then effect. */
const keyOf = ({ permission, resourceId, effect }: Omit<HeldPermission, 'sources'>): string => `${permission}\0${resourceId}\0${effect}`;

/** Where a page begins: with that source of the permission with that key, or what follows it. */
interface Place {
  readonly key: string;
  readonly source: number;
}

const START: Place = { key: '', source: 0 };
const placeOf = (after: string): Place => {
  const at = after.lastIndexOf('\0');
  return at === -1 ? START : { key: after.slice(0, at), source: Number(after.slice(at + 1)) };
};

interface Held {
  readonly entry: Omit<HeldPermission, 'sources'>;
  readonly sources: PermissionSource[];
}

/** Those from a key on, by their keys. */
function* heldFrom(entries: Steps, from: string, resourceType: string): Generator<void, Map<string, Held>> {
  const held = new Map<string, Held>();
  for (const one of entries) {
    yield;
    if (one === null || !fits(one.permission, resourceType)) continue;
    const { permission, resourceId, effect, source } = one;
    const entry = { permission: printPermission(permission), resourceId, effect };
    const key = keyOf(entry);
    if (key < from) continue;
    const known = held.get(key);
    if (known === undefined) held.set(key, { entry, sources: [source] });
    else known.sources.push(source);
  }
  return held;
}

const SORTED_AT_ONCE = 256;

/** The least of the keys, so many, in their order. */
function* leastOf(keys: Iterable<string>, count: number): Generator<void, readonly string[]> {
  let least: string[] = [];
  let some: string[] = [];
  const merge = (): void => {
    least = [...least, ...some].sort().slice(0, count);
    some = [];
  };
  for (const key of keys) {
    const most = least.at(-1);
    if (least.length === count && most !== undefined && key > most) continue;
    if (some.push(key) < SORTED_AT_ONCE) continue;
    merge();
    yield;
  }
  merge();
  return least;
}

const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);
const weightOf = ({ rule, path, group, conditions }: PermissionSource): number =>
  64 + rule.length + group.length + lengthOf(path) + lengthOf(conditions);

/**
 * A page of it. `resourceType`: '' = all; `also`: a workload entry's permissions. Where one permission has more sources than there is room for,
 * the others follow on the next page, under the permission again. `after` of the answer: '' = this was the last.
 */
export function* permissionPage(
  rights: Rights,
  also: readonly string[],
  resourceType: string,
  { after, size }: { readonly after: string; readonly size: number },
  now: Instant,
): Generator<void, Page<HeldPermission>> {
  const from = placeOf(after);
  const held = yield* heldFrom(allEntriesOf(rights, also, now), from.key, resourceType);
  const keys = yield* leastOf(held.keys(), size + 1);
  const items: HeldPermission[] = [];
  let room = PAGE_TEXT;
  for (const key of keys) {
    if (items.length === size) return { items, after: `${key}\0${0}` };
    const { entry, sources } = held.get(key) as Held;
    const begin = key === from.key ? from.source : 0;
    let end = begin;
    for (; end < sources.length && (room > 0 || (items.length === 0 && end === begin)); end += 1) {
      room -= weightOf(sources[end] as PermissionSource);
      yield;
    }
    if (end > begin) items.push({ ...entry, sources: sources.slice(begin, end) });
    if (end < sources.length) return { items, after: `${key}\0${end}` };
  }
  return { items, after: '' };
}
