// Suspends a user, or lifts a suspension or a lock. What the user had open ends with the suspension and stays ended.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Change, ReadHead, Tx, Write } from '../storage/storage.ts';
import type { Attempts, UserStore } from './stores.ts';
import { type User, userChanges, userNotFound } from './user.ts';

/** Ends every session and family of a user at its row, and answers the watermark for the writer's changes. */
export type EndSessions = (tx: Tx, tenantId: TenantId, userId: string, detail: string) => Promise<readonly Change[]>;

/** Does the caller hold everything that this user holds? Else it could take over somebody stronger. */
export type Outranks = (call: Call, tenantId: TenantId, userId: string) => MaybePromise<boolean>;

interface Ports {
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly users: Pick<UserStore, 'lock' | 'lockActive' | 'setStatus' | 'find'>;
  readonly attempts: Pick<Attempts, 'unlock'>;
  readonly endSessions: EndSessions;
  readonly outranks: Outranks;
  /** FAILED_PRECONDITION / LAST_OWNER when no other owner would be left; the tenant's owners stay as they are until the transaction ends. */
  readonly requireOtherOwner: (tx: Tx, tenantId: TenantId, userId: string) => Promise<void>;
}

interface Asked {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly status: 'active' | 'suspended';
  readonly reason: string;
}

export const outranked = (): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', 'this user holds permissions that the caller does not hold');

/** The account behind a caller, null where there is none in this tenant. */
const accountOf = ({ caller }: Call, tenantId: TenantId): string | null => {
  if (caller.kind === 'anonymous' || caller.tenantId !== tenantId) return null;
  return caller.kind === 'user' ? caller.userId : caller.kind === 'api_key' ? caller.ownerId : null;
};

/**
 * Whoever suspends an owner is as strong as an owner and stays: it is not itself, and still active when it takes effect.
 * (Two owners who suspend each other take turns at the owners' lock; the second is no longer active.)
 */
const keepAnOwner = async ({ users, requireOtherOwner }: Ports, tx: Tx, { tenantId, userId }: Asked, call: Call): Promise<void> => {
  await requireOtherOwner(tx, tenantId, userId);
  const self = accountOf(call, tenantId);
  if (self === userId) throw new Fault('FAILED_PRECONDITION', 'OWN_ACCOUNT', 'nobody suspends the own account');
  if (self?.startsWith('usr_') && (await users.lockActive(tx, tenantId, [self])).length === 0)
    throw new Fault('PERMISSION_DENIED', 'SUBJECT_SUSPENDED', 'the caller has been suspended meanwhile');
};

export const changeUserStatus =
  (ports: Ports) =>
  async (asked: Asked, call: Call): Promise<{ readonly user: User; readonly revision: number }> => {
    const { tenantId, userId, status, reason } = asked;
    const suspending = status === 'suspended';
    if (!(await ports.outranks(call, tenantId, userId))) throw outranked();
    const { result, revision } = await ports.write(tenantId, async (tx) => {
      if (suspending) await keepAnOwner(ports, tx, asked, call);
      const before = await ports.users.lock(tx, tenantId, userId);
      if (before === null || before.status === 'deleted') throw userNotFound();
      if (before.status === status && before.lockedUntil === null) return { result: before };
      const watermark = suspending ? (await ports.readHead(tx)) + 1 : before.watermark;
      await ports.users.setStatus(tx, tenantId, userId, status, watermark);
      if (!suspending) await ports.attempts.unlock(tx, tenantId, userId);
      const ended = suspending ? await ports.endSessions(tx, tenantId, userId, 'suspended') : [];
      const user = await ports.users.find(tx, tenantId, userId);
      return {
        result: user ?? before,
        changes: [...ended, ...userChanges(tenantId, userId)],
        events: [
          eventOf(call, tenantId, suspending ? 'user.suspended' : 'user.reactivated', `user:${userId}`, {
            level: 'warning',
            details: { reason },
          }),
        ],
      };
    });
    return { user: result, revision };
  };
