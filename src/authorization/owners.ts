// The owner that a tenant always keeps: one without end, who can act.
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Tx } from '../storage/storage.ts';
import type { Rules, Subjects } from './stores.ts';

interface Guard {
  readonly rules: Pick<Rules, 'owners'>;
  readonly subjectsKnown: Pick<Subjects, 'active'>;
}

/** Owners without end who can act. Under the tenant's lock, which whoever suspends one takes as well. */
const ableOwners = async ({ rules, subjectsKnown }: Guard, tx: Tx, tenantId: TenantId): Promise<readonly string[]> => {
  const owners = await rules.owners(tx, tenantId);
  return owners.length === 0 || subjectsKnown.active === undefined ? owners : subjectsKnown.active(tenantId, owners);
};

const lastOwner = (): Fault => new Fault('FAILED_PRECONDITION', 'LAST_OWNER', 'a tenant keeps at least one owner');

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

/** Under the tenant's lock: FAILED_PRECONDITION / LAST_OWNER where nobody but this user is an owner who can act. */
export const requireOtherOwner = async (guard: Guard, tx: Tx, tenantId: TenantId, userId: string): Promise<void> => {
  if (!(await guard.rules.owners(tx, tenantId)).includes(userId)) return;
  if ((await ableOwners(guard, tx, tenantId)).every((owner) => owner === userId)) throw lastOwner();
};
