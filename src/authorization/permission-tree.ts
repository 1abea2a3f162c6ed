// All that a subject may do, with where each permission comes from and when it ends: roles with the way there, groups, grants, denies,
// what others lend, what owners may, what policies say. Complete: whatever a check allows is covered by an entry.
import type { Instant } from '../base/time.ts';
import { hoursGate } from './gate.ts';
import { intersect, meets, parsePermission, type Permission, printPermission, RESERVED_TYPE } from './permission.ts';
import type { Rights } from './rights.ts';
import { type Delegation, hasBegun, hasEnded, inForce, type Subject, type SubjectRows, type Window } from './subject.ts';
import { flatten } from './role.ts';

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

/** What the grantor holds, as far as it is lent. His denies take away where the question is asked; here they would say too much. */
const ofLent = (rights: Rights, now: Instant): readonly Entry[] =>
  (rights.index.lent ?? []).flatMap(({ delegation, grantor }) => {
    const held = entriesOf(grantor, now).filter(({ effect, source }) => effect === 'allow' && source.active);
    return delegation.permissions.flatMap((text) => {
      const lent = parsePermission(text);
      if (lent === null) return [];
      if (delegation.resourceId !== '') return [onOne(delegation, grantor, lent)];
      return held.flatMap((entry): Entry[] => {
        const { permission, resourceId, source } = entry;
        const same = intersect(lent, permission);
        const both = same ?? inside(rights, lent, entry);
        if (both === null) return [];
        const expiresAt = sooner(delegation.expiresAt, source.expiresAt);
        const rule = `delegation:${delegation.id}`;
        const within = same === null ? [`it lies in ${permission.type}:${resourceId}`] : [];
        const conditions = [...source.conditions, ...within];
        return [
          {
            permission: both,
            resourceId,
            effect: 'allow',
            source: { ...NO_SOURCE, kind: 'delegation', rule, path: source.path, grantor: grantor.subject, conditions, expiresAt },
          },
        ];
      });
    });
  });

const ofOwner = ({ snapshot }: Rights): readonly Entry[] =>
  snapshot.types.flatMap(({ name, ownerActions }) =>
    ownerActions.map((action): Entry => {
      const source = { ...NO_SOURCE, kind: 'owner', rule: 'owner', conditions: ['the subject owns the resource'] } as const;
      return { permission: { type: name, action }, resourceId: '', effect: 'allow', source };
    }),
  );

/** What policies allow and deny it; what they only ask for besides narrows these and is no entry. */
const ofPolicies = (rights: Rights, now: Instant): readonly Entry[] =>
  (rights.snapshot.policies?.told(rights) ?? []).flatMap(({ type, action, effect, name, rule }): Entry[] => {
    const window = rule.window();
    if (hasEnded(window, now)) return [];
    const [group, conditions, active] = [rule.group(rights), rule.asks(), hasBegun(window, now)];
    const source = { ...NO_SOURCE, ...window, kind: 'policy', rule: name, group, conditions, active } as const;
    return [{ permission: { type, action }, resourceId: '', effect, source }];
  });

const entriesOf = (rights: Rights, now: Instant): readonly Entry[] => {
  const { rows, groups } = rights.sources;
  return [
    ...ofRows(rows, rights, '', now),
    ...groups.flatMap((group) => ofRows(group, rights, group.subject.id, now)),
    ...ofLent(rights, now),
    ...ofOwner(rights),
    ...ofPolicies(rights, now),
  ];
};

const fits = ({ type }: Permission, wanted: string): boolean =>
  wanted === '' || type === wanted || (wanted !== RESERVED_TYPE && meets({ type, action: '*' }, { type: wanted, action: '*' }));

/** Sorts by permission, then resource, then effect: what a page token stands for. */
export const keyOf = ({ permission, resourceId, effect }: Omit<HeldPermission, 'sources'>): string =>
  `${permission}\0${resourceId}\0${effect}`;

/** `resourceType`: '' = all. `also`: a workload entry's permissions. */
export const permissionTree = (rights: Rights, also: readonly string[], resourceType: string, now: Instant): readonly HeldPermission[] => {
  const ofEntry = also.flatMap((text): Entry[] => {
    const permission = parsePermission(text);
    const source = { ...NO_SOURCE, kind: 'workload', rule: 'workload' } as const;
    return permission === null ? [] : [{ permission, resourceId: '', effect: 'allow', source }];
  });
  const held = new Map<string, { readonly entry: Omit<HeldPermission, 'sources'>; readonly sources: PermissionSource[] }>();
  for (const { permission, resourceId, effect, source } of [...entriesOf(rights, now), ...ofEntry]) {
    if (!fits(permission, resourceType)) continue;
    const entry = { permission: printPermission(permission), resourceId, effect };
    const key = keyOf(entry);
    const known = held.get(key);
    if (known === undefined) held.set(key, { entry, sources: [source] });
    else known.sources.push(source);
  }
  return [...held].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { entry, sources }]) => ({ ...entry, sources }));
};
