// What the changing use cases share: turns, who did it, and what the feed hears.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, subjectOf, type TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Instant } from '../base/time.ts';
import type { Change, ChangeKind, Tx, Write } from '../storage/storage.ts';
import { BUILT_IN_ROLES } from './builtin.ts';
import type { Roles } from './exclusive.ts';
import type { PolicyGifts } from './gifts.ts';
import type { Holding } from './holding.ts';
import type { Permission } from './permission.ts';
import { type ResourceType, typeNotFound } from './resource-type.ts';
import { subjectKey } from './resolve.ts';
import type { Subject } from './subject.ts';
import { constraintsOf, type Role, type RoleLookup } from './role.ts';
import { isBuiltInRole, roleLookup, typeLookup } from './snapshot.ts';
import type { Delegations, Groups, Rules, Subjects } from './stores.ts';

export interface ChangeDeps {
  readonly rules: Rules;
  readonly groups: Groups;
  readonly delegations: Delegations;
  readonly subjectsKnown: Subjects;
  /** Under the tenant's lock. */
  readonly write: Write;
  readonly random: Random;
  readonly holding: (caller: Caller) => MaybePromise<Holding>;
  /** What policies allow whoever is of those: `role:<name>`, `group:<name>`. Asked before a transaction. */
  readonly policyGifts: (tenantId: TenantId) => MaybePromise<PolicyGifts>;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
}

/** Changes of who may do what in a tenant come one after the other: each sees what the one before it did. */
export const takingTurns =
  ({ rules, write }: { readonly rules: Pick<Rules, 'lock'>; readonly write: Write }): Write =>
  (tenantId, work) =>
    write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      return work(tx);
    });

/** `revision`: pass it as `min_policy_revision` to be decided on this change. */
export interface Changed<T> {
  readonly result: T;
  readonly revision: number;
}

/** For somebody else's transaction: what it must hand to `write` with its own. */
export interface Felt {
  readonly changes: readonly Change[];
  readonly events: readonly AuditEntry[];
}

/** Whom a stored row names as its maker; null is the installation itself, at its first start. */
export const makerOf = (call: Call | null): string => {
  if (call === null) return 'installation';
  const { type, id } = subjectOf(call.caller);
  return `${type}:${id}`;
};

/** The feed's key ends at 256 characters; a longer one tells all of the tenant. */
const KEY_MAX = 256;

export const changeOf = (kind: ChangeKind, tenantId: TenantId, key: string): Change => ({
  kind,
  tenantId,
  key: key.length <= KEY_MAX ? key : '',
  until: null,
});

export const subjectChange = (kind: 'assignment' | 'grant', tenantId: TenantId, subject: Subject): Change =>
  changeOf(kind, tenantId, subjectKey(subject));

const EVERYBODY = '*';

/** Roles whose limits a subject has from now on: whoever judges its tokens by what they say hears of it. A service's tokens say nothing of limits. */
export const limitsOf = (
  { watermarkUntil }: Pick<ChangeDeps, 'watermarkUntil'>,
  tenantId: TenantId,
  { type, id }: Subject,
  roles: readonly string[],
  lookup: RoleLookup,
): readonly Change[] =>
  type === 'service' || constraintsOf(roles, lookup).length === 0
    ? []
    : [{ kind: 'limits', tenantId, key: type === 'user' ? id : EVERYBODY, until: watermarkUntil() }];

export const rolesOf = (stored: readonly Role[], types: readonly ResourceType[]): Roles => {
  const own = stored.filter(({ name }) => !isBuiltInRole(name));
  return { all: [...BUILT_IN_ROLES, ...own], lookup: roleLookup(stored, types) };
};

/** The roles as this transaction sees them. */
export const rolesIn = async (rules: Rules, tx: Tx, tenantId: TenantId): Promise<Roles> =>
  rolesOf(await rules.roles(tx, tenantId), await rules.types(tx, tenantId));

export const roleNotFound = (role: string): Fault => new Fault('NOT_FOUND', 'ROLE_NOT_FOUND', `no such role: ${role}`, { meta: { role } });

/** NOT_FOUND / RESOURCE_TYPE_UNKNOWN where one of them speaks of a type that the tenant does not have. */
export const requireTypes = (permissions: readonly Permission[], types: readonly ResourceType[]): void => {
  const type = typeLookup(types);
  const stranger = permissions.find((permission) => permission.type !== '*' && type(permission.type) === undefined);
  if (stranger !== undefined) throw typeNotFound(stranger.type);
};
