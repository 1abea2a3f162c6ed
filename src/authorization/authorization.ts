// Door of the authorization capability: who may do what, decided on live rights; and the rules behind it, changed under guard.
import type { MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Instant } from '../base/time.ts';
import type { Write } from '../storage/storage.ts';
import { type Access, createAccess, type MaskKey } from './access/access.ts';
import { type AssignmentChanges, createAssignmentChanges } from './assign.ts';
import { type ClearanceChanges, createClearanceChanges } from './clear.ts';
import { type ChangeDeps, roleNotFound, takingTurns } from './change.ts';
import { levelName } from './classification.ts';
import { outranks, requireHeld, requireRolesHeld } from './escalation.ts';
import { createDelegationChanges, type DelegationChanges } from './delegate.ts';
import { explain, type Step } from './explain.ts';
import { createForgetting, type Forgetting } from './forget.ts';
import { createGrantChanges, type GrantChanges } from './grant.ts';
import { createGroupChanges, type GroupChanges } from './group.ts';
import { type Holding, holdingOf as holdingFrom, NOTHING, rightsHolder } from './holding.ts';
import { createLists, type Lists } from './list.ts';
import { createTypeChanges, type TypeChanges } from './put-resource-type.ts';
import { type HeldPermission, permissionPage } from './permission-tree.ts';
import { permits } from './permits.ts';
import { keysOf } from './policy/bucket-search.ts';
import { inSlices } from '../base/slices.ts';
import { type Candidates, createWhoCan, type WhoCan } from './who-can.ts';
import { createRoleChanges, type RoleChanges } from './put-role.ts';
import { createResources, type ResourceStore, type Resources } from './resource/resource.ts';
import { createLimitedRights, decide, explainLimits, type LimitedRights, type Limits } from './limits.ts';
import { requireKnown } from './recipient.ts';
import { createResolve, type ResolveDeps, type Wanted } from './resolve.ts';
import type { DecisionRecorder } from './decision/record.ts';
import type { Question } from './question.ts';
import type { Delegations, Groups, Page, Rules, Subjects } from './stores.ts';
import type { Rights } from './rights.ts';
import type { Subject } from './subject.ts';
import type { Ruling } from './ruling.ts';
import { NOWHERE, type Situation } from './situation.ts';
import type { Snapshot } from './snapshot.ts';
import type { StatisticsStore } from './statistics.ts';

export type { KeyedMask } from './access/access.ts';
export type { RowQuestion } from './access/row.ts';
export type { Filter } from './condition/filter.ts';
export type { Step } from './explain.ts';
export type { Holding } from './holding.ts';
export type { HeldPermission, PermissionSource } from './permission-tree.ts';
export type { AbleSubject } from './who-can.ts';
export type { LimitedRights, Limits } from './limits.ts';
export type { Wanted } from './resolve.ts';
export type { DecisionRecorder } from './decision/record.ts';
export type { Question, ResourceRef } from './question.ts';
export type { RegisteredResource } from './resource/resource.ts';
export type { ResourceType } from './resource-type.ts';
export type { Rights } from './rights.ts';
export type { Subject } from './subject.ts';
export type { Role } from './role.ts';
export type { Ruling } from './ruling.ts';
export type { Attributes, Horizon, Situation } from './situation.ts';
export type { Snapshot } from './snapshot.ts';
export type { Group, Member, Page, StoredAssignment, StoredDelegation, StoredGrant, Subjects } from './stores.ts';

export interface AuthorizationDeps extends Omit<ResolveDeps, 'acts'> {
  readonly rules: Rules;
  readonly groups: Groups;
  readonly delegations: Delegations;
  readonly candidates: Candidates;
  readonly counts: StatisticsStore;
  readonly resources: ResourceStore;
  readonly subjectsKnown: Subjects;
  readonly write: Write;
  /** What any replica committed before the call is applied here afterwards. */
  readonly settle: (tenantId: TenantId) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly maskKey: MaskKey;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
}

export interface HeldPermissions {
  readonly rights: Rights;
  readonly page: Page<HeldPermission>;
}

export interface Authorization
  extends RoleChanges,
    AssignmentChanges,
    GrantChanges,
    TypeChanges,
    GroupChanges,
    DelegationChanges,
    ClearanceChanges,
    Forgetting,
    Lists,
    Resources,
    WhoCan {
  /** A subject's rights now. Somebody unknown has none. At once when cached; UNAVAILABLE when they cannot be read. */
  rights(tenantId: TenantId, subject: Subject): MaybePromise<Rights>;
  /** Those of many, all at one moment of the feed. */
  rightsOf(wanted: readonly Wanted[], now: Instant): MaybePromise<readonly Rights[]>;
  /** The tenant's roles and resource types. */
  snapshot(tenantId: TenantId): MaybePromise<Snapshot>;
  /** With what any replica changed before the call: for changes that name types and roles which somebody has just made. */
  settled(tenantId: TenantId): Promise<Snapshot>;
  /** Pure, on rights already here. `situation`: null where `rights.plain`, no rule looks at it then. */
  decide(rights: Rights, limits: Limits, question: Question, situation: Situation | null): Ruling;
  /** Every rule that was looked at, in the order of their authority. */
  explain(rights: Rights, limits: Limits, question: Question, situation: Situation | null): readonly Step[];
  /** The rows that checks of each one would allow, and the masks of their fields. */
  access: Access;
  /** Keeps decisions for later, as many as there is room for. */
  readonly recorder: Pick<DecisionRecorder, 'wants' | 'add'>;
  /** A page of all that a subject may do, each with where it comes from, sorted. `resourceType`: '' = all. NOT_FOUND / SUBJECT_UNKNOWN. */
  permissionsOf(
    tenantId: TenantId,
    subject: Subject,
    resourceType: string,
    page: { readonly after: string; readonly size: number },
    now: Instant,
  ): Promise<HeldPermissions>;
  clearanceName(rights: Rights): string;
  /** Rights behind an API key's list or a workload's entry; the same object as long as nothing changed. */
  limited(rights: Rights, limits: Limits): LimitedRights;
  /** What a check without a resource would say of a permission in that situation, on rights as they come from here; null: `holds` says it all. */
  permits(held: object, permission: string, situation: () => Situation): Ruling | null;
  /** May this caller do it now? Anonymous may nothing. */
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
  /** All that a caller may do now, for several questions at one moment. */
  holding(caller: Caller): MaybePromise<Holding>;
  /** All that a subject may do in some situation: by itself, by what others lend, by policies that name it, its groups or its roles. */
  mightOf(tenantId: TenantId, subject: Subject): MaybePromise<readonly string[]>;
  /** Does the caller hold all that this subject holds, and `more`? Whoever runs the installation does. */
  outranks(caller: Caller, tenantId: TenantId, subject: Subject, more?: readonly string[]): MaybePromise<boolean>;
  /** NOT_FOUND / ROLE_NOT_FOUND for a role that is none; PERMISSION_DENIED / ESCALATION for one that gives more than the caller holds. */
  mayGive(caller: Caller, tenantId: TenantId, roles: readonly string[]): MaybePromise<void>;
  /** Was anything given to a subject whose id begins so, by rows or by policies? */
  someoneUnder(tenantId: TenantId, prefix: string): Promise<boolean>;
  /** From the database. */
  statistics: StatisticsStore['count'];
  /** Roles given directly and in force, from the database; users without any are left out. */
  rolesOf(tenantId: TenantId, userIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
}

export const createAuthorization = (deps: AuthorizationDeps): Omit<Authorization, 'recorder'> => {
  const resolve = createResolve({ ...deps, acts: (tenantId, subject) => deps.subjectsKnown.acts(tenantId, subject) });
  const one = (tenantId: TenantId, subject: Subject, now: Instant): MaybePromise<Rights> =>
    andThen(resolve([{ tenantId, subject }], now), (all) => all[0] as Rights);

  // The same object as long as caller and rights are: what is found out through it can be kept beside it.
  const holdings = new WeakMap<Caller, { readonly rights: Rights; readonly held: Holding }>();
  const holdingOf = (caller: Caller, rights: Rights): Holding => {
    const known = holdings.get(caller);
    if (known?.rights === rights) return known.held;
    const held = holdingFrom(caller, rights);
    holdings.set(caller, { rights, held });
    return held;
  };

  const holding = (caller: Caller): MaybePromise<Holding> => {
    const subject = rightsHolder(caller);
    if (caller.kind === 'anonymous' || subject === null) return NOTHING;
    return andThen(one(caller.tenantId, subject, deps.clock.now()), (rights) => holdingOf(caller, rights));
  };

  const policyGifts: ChangeDeps['policyGifts'] = (tenantId) =>
    andThen(
      deps.snapshots.get(tenantId, ''),
      ({ policies }) =>
        (names, besides) =>
          policies?.given(names, besides) ?? [],
    );
  const mightOf = (tenantId: TenantId, subject: Subject): MaybePromise<readonly string[]> =>
    andThen(one(tenantId, subject, deps.clock.now()), (rights) =>
      andThen(policyGifts(tenantId), (gifts) => [...rights.permissions, ...gifts(keysOf(rights))]),
    );

  const settled = async (tenantId: TenantId): Promise<Snapshot> => {
    await deps.settle(tenantId);
    return deps.snapshots.get(tenantId, '');
  };

  const changing = { ...deps, write: takingTurns(deps), holding, policyGifts };
  return {
    rights: (tenantId, subject) => one(tenantId, subject, deps.clock.now()),
    rightsOf: resolve,
    snapshot: (tenantId) => deps.snapshots.get(tenantId, ''),
    settled,
    decide: (rights, limits, question, situation) => decide(rights, limits, question, situation ?? NOWHERE),
    explain: (rights, limits, question, situation) => [
      ...explain(rights, question, situation ?? NOWHERE),
      ...explainLimits(limits, question),
    ],
    access: createAccess(deps.maskKey),
    limited: createLimitedRights(),
    permits,
    holds: (caller, permission) => andThen(holding(caller), (held) => held.holds(permission)),
    holding,
    outranks: (caller, tenantId, subject, more = []) =>
      andThen(holding(caller), (held) => andThen(mightOf(tenantId, subject), (might) => outranks(held, [...might, ...more]))),
    mightOf,
    mayGive: (caller, tenantId, roles) =>
      andThen(holding(caller), (held) =>
        andThen(settled(tenantId), ({ role, policies }) => {
          for (const name of roles) {
            if (role(name) === undefined) throw roleNotFound(name);
            requireRolesHeld(held, [name], role);
            requireHeld(held, policies?.given([`role:${name}`], null) ?? []);
          }
        }),
      ),
    someoneUnder: async (tenantId, prefix) => {
      const { policies } = await deps.snapshots.get(tenantId, '');
      const named = ['user', 'service'].some((type) => policies?.givesUnder(`${type}:${prefix}`) === true);
      return named || deps.candidates.someoneUnder(tenantId, prefix);
    },
    rolesOf: (tenantId, userIds) => deps.rules.rolesOf(tenantId, userIds, deps.clock.now()),
    ...createRoleChanges(changing),
    ...createAssignmentChanges(changing),
    ...createGrantChanges(changing),
    ...createTypeChanges(changing),
    ...createGroupChanges(changing),
    ...createDelegationChanges(changing),
    ...createClearanceChanges(changing),
    ...createForgetting(changing),
    ...createLists(deps),
    statistics: (tenantId, now) => deps.counts.count(tenantId, now),
    ...createResources({ ...deps, store: deps.resources, snapshot: settled }),
    ...createWhoCan({ ...deps, resolve, snapshot: (tenantId) => deps.snapshots.get(tenantId, '') }),
    permissionsOf: async (tenantId, subject, resourceType, page, now) => {
      await requireKnown(deps.subjectsKnown, tenantId, subject);
      const rights = await one(tenantId, subject, now);
      const { also } = await deps.subjectsKnown.limits(tenantId, subject);
      return { rights, page: await inSlices(permissionPage(rights, also, resourceType, page, now)) };
    },
    clearanceName: ({ index }) => levelName(index.clearance),
  };
};
