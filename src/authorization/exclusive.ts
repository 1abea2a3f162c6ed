// Roles that nobody holds together: found in the roles themselves, and kept among those who hold them.
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Subject } from './subject.ts';
import { type Role, type RoleLookup, rolesBelow } from './role.ts';

export interface Holders {
  /** Subjects that hold the role, directly or through a group, now or from some day on. Groups are not counted. */
  countHolders(tx: Tx, tenantId: TenantId, role: string, now: Instant): Promise<number>;
  /** Somebody who holds a role of each list, now or from some day on; null where nobody does. `among`: whom alone to look at; null = all. */
  holderOfBoth(
    tx: Tx,
    tenantId: TenantId,
    these: readonly string[],
    those: readonly string[],
    among: Subject | null,
    now: Instant,
  ): Promise<Subject | null>;
}

/** Two roles that exclude each other; either may say so. */
export type Pair = readonly [string, string];

const exclusivePairs = (roles: readonly Role[]): readonly Pair[] =>
  roles.flatMap(({ name, exclusiveWith }) => exclusiveWith.map((other): Pair => [name, other]));

/** Every role that gives `name`: itself and whatever inherits it. */
const rolesAbove = (name: string, { all, lookup }: Roles): readonly string[] =>
  all.filter((role) => rolesBelow(role.name, lookup).has(name)).map((role) => role.name);

const together = ([a, b]: Pair, how: string, meta: Readonly<Record<string, string>>): Fault =>
  new Fault('FAILED_PRECONDITION', 'ROLE_EXCLUSIVE', `the roles ${a} and ${b} exclude each other, and ${how}`, {
    meta: { role: a, excluded: b, ...meta },
  });

/** The tenant's roles, built-in ones included. */
export interface Roles {
  readonly all: readonly Role[];
  readonly lookup: RoleLookup;
}

/** FAILED_PRECONDITION / ROLE_EXCLUSIVE where a role gives both of a pair, or somebody holds both. */
export const requireExclusive = async (holders: Holders, tx: Tx, tenantId: TenantId, roles: Roles, now: Instant): Promise<void> => {
  for (const pair of exclusivePairs(roles.all)) {
    const [these, those] = pair.map((name) => rolesAbove(name, roles)) as [readonly string[], readonly string[]];
    const both = these.find((name) => those.includes(name));
    if (both !== undefined) throw together(pair, `the role ${both} would give both`, { role_with_both: both });
    const holder = await holders.holderOfBoth(tx, tenantId, these, those, null, now);
    if (holder !== null) throw together(pair, 'somebody holds both', { subject: `${holder.type}:${holder.id}` });
  }
};

/** FAILED_PRECONDITION / ROLE_FULL where more hold the role than may. */
export const requireRoom = async (holders: Holders, tx: Tx, tenantId: TenantId, role: Role, now: Instant): Promise<void> => {
  if (role.maxHolders === 0) return;
  const count = await holders.countHolders(tx, tenantId, role.name, now);
  if (count > role.maxHolders)
    throw new Fault('FAILED_PRECONDITION', 'ROLE_FULL', `at most ${role.maxHolders} may hold the role ${role.name}`, {
      meta: { role: role.name, max_holders: String(role.maxHolders) },
    });
};

/**
 * After whatever changed who holds what, under the tenant's lock: both of the above, for the roles that somebody got.
 * `among`: the subject that got them; null where it is a group, or several did.
 */
export const requireFitting = async (
  holders: Holders,
  tx: Tx,
  tenantId: TenantId,
  roles: Roles,
  given: readonly string[],
  among: Subject | null,
  now: Instant,
): Promise<void> => {
  const { all, lookup } = roles;
  for (const name of given) {
    const role = lookup(name);
    if (role !== undefined) await requireRoom(holders, tx, tenantId, role, now);
  }
  const pairs = exclusivePairs(all);
  if (pairs.length === 0) return;
  const below = new Set(given.flatMap((name) => [...rolesBelow(name, lookup)]));
  for (const pair of pairs.filter(([a, b]) => below.has(a) || below.has(b))) {
    const [these, those] = pair.map((name) => rolesAbove(name, roles)) as [readonly string[], readonly string[]];
    const holder = await holders.holderOfBoth(tx, tenantId, these, those, among, now);
    if (holder !== null) throw together(pair, 'one subject would hold both', { subject: `${holder.type}:${holder.id}` });
  }
};
