// What the changing use cases share: who did it, what the feed hears, and the owner that a tenant always keeps.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, subjectOf, type TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Instant } from '../base/time.ts';
import type { Change, ChangeKind, Tx, Write } from '../storage/storage.ts';
import { BUILT_IN_ROLES } from './builtin.ts';
import type { Delegations } from './delegate.ts';
import type { Roles } from './exclusive.ts';
import type { PolicyGifts } from './gifts.ts';
import type { Groups } from './group.ts';
import type { Holding } from './holding.ts';
import type { ResourceType } from './resource-type.ts';
import { subjectKey } from './resolve.ts';
import type { Subject } from './rights.ts';
import { constraintsOf, type Role, type RoleLookup } from './role.ts';
import { isBuiltInRole, roleLookup } from './snapshot.ts';
import type { Rules, Subjects } from './stores.ts';

export interface ChangeDeps {
  readonly rules: Rules;
  readonly groups: Groups;
  readonly delegations: Delegations;
  readonly subjectsKnown: Subjects;
  readonly write: Write;
  readonly random: Random;
  readonly holding: (caller: Caller) => MaybePromise<Holding>;
  /** What policies allow whoever is of those: `role:<name>`, `group:<name>`. Asked before a transaction. */
  readonly policyGifts: (tenantId: TenantId) => MaybePromise<PolicyGifts>;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
}

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

const EVERYBODY = '*';

export const rolesOf = (stored: readonly Role[], types: readonly ResourceType[]): Roles => {
  const own = stored.filter(({ name }) => !isBuiltInRole(name));
  return { all: [...BUILT_IN_ROLES, ...own], lookup: roleLookup(stored, types) };
};

/** The roles as this transaction sees them. */
export const rolesIn = async (rules: Rules, tx: Tx, tenantId: TenantId): Promise<Roles> =>
  rolesOf(await rules.roles(tx, tenantId), await rules.types(tx, tenantId));

type Guard = Pick<ChangeDeps, 'rules' | 'subjectsKnown'>;

/** Owners without end who can act. Under the tenant's lock, which whoever suspends one takes as well. */
export const ableOwners = async ({ rules, subjectsKnown }: Guard, tx: Tx, tenantId: TenantId): Promise<readonly string[]> => {
  const owners = await rules.owners(tx, tenantId);
  return owners.length === 0 || subjectsKnown.active === undefined ? owners : subjectsKnown.active(tenantId, owners);
};

export const lastOwner = (): Fault => new Fault('FAILED_PRECONDITION', 'LAST_OWNER', 'a tenant keeps at least one owner');

/**
 * Under the tenant's lock: whatever `work` does, a tenant that had an owner has one afterwards. FAILED_PRECONDITION / LAST_OWNER.
 * Two callers who remove each other take turns, and the second is refused.
 */
export const keepingAnOwner = async <T>(guard: Guard, tx: Tx, tenantId: TenantId, work: () => Promise<T>): Promise<T> => {
  const before = await guard.rules.owners(tx, tenantId);
  const result = await work();
  if (before.length === 0) return result;
  const after = await guard.rules.owners(tx, tenantId);
  // Who can act is asked only when an owner went.
  if (after.length < before.length && (await ableOwners(guard, tx, tenantId)).length === 0) throw lastOwner();
  return result;
};

/** NOT_FOUND / SUBJECT_UNKNOWN for somebody who is not there. */
export const requireKnown = async (subjects: Subjects, tenantId: TenantId, subject: Subject): Promise<void> => {
  if (!(await subjects.known(tenantId, subject)))
    throw new Fault('NOT_FOUND', 'SUBJECT_UNKNOWN', `no ${subject.type} of that id in the tenant`, { meta: { subject: subject.id } });
};

/** The same for whoever may be a group, in the transaction that holds the tenant's lock. */
export const requireThere = async (
  { groups, subjectsKnown }: Pick<ChangeDeps, 'groups' | 'subjectsKnown'>,
  tx: Tx,
  tenantId: TenantId,
  subject: Subject,
): Promise<void> => {
  if (subject.type !== 'group') return requireKnown(subjectsKnown, tenantId, subject);
  if ((await groups.find(tx, tenantId, subject.id)) === null)
    throw new Fault('NOT_FOUND', 'SUBJECT_UNKNOWN', 'no group of that name in the tenant', { meta: { subject: subject.id } });
};

export const roleNotFound = (role: string): Fault => new Fault('NOT_FOUND', 'ROLE_NOT_FOUND', 'no such role', { meta: { role } });
