// Lets an owner in again who has lost the password, or whom somebody has locked out. Whoever calls this has the database and the master key.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import type { Random } from '../base/random.ts';
import type { Database, ReadHead, Write } from '../storage/storage.ts';
import { madeUp } from './bootstrap.ts';
import { type AssignRoles, checkPassword } from './create-user.ts';
import { nameKey } from './names.ts';
import type { PasswordPolicy, Passwords } from './password.ts';
import type { Attempts, TenantStore, UserStore } from './stores.ts';
import type { EndSessions } from './suspend-user.ts';
import { tenantNotFound } from './tenant.ts';
import { userChanges, userNotFound } from './user.ts';

interface Ports {
  readonly db: Database;
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly random: Random;
  readonly policy: PasswordPolicy;
  readonly passwords: Pick<Passwords, 'hash'>;
  readonly tenants: Pick<TenantStore, 'find'>;
  readonly users: Pick<UserStore, 'byName' | 'lock' | 'setPassword' | 'setStatus'>;
  readonly attempts: Pick<Attempts, 'unlock'>;
  readonly assignRoles: AssignRoles;
  readonly endSessions: EndSessions;
}

interface Asked {
  readonly tenantId: TenantId;
  /** Login name or e-mail address. */
  readonly username: string;
  /** '' = one is made up. */
  readonly password: string;
}

/**
 * The account has a new password, is active, unlocked and an owner of its tenant; what it had open has ended.
 * NOT_FOUND / TENANT_NOT_FOUND, USER_NOT_FOUND; INVALID_ARGUMENT / PASSWORD_TOO_WEAK.
 */
export const recoverOwner =
  (ports: Ports) =>
  async ({ tenantId, username, password: given }: Asked, call: Call): Promise<{ readonly userId: string; readonly password: string }> => {
    const { db, write, readHead, policy, passwords, tenants, users, attempts } = ports;
    const [tenant, account] = await db.tenant(tenantId, async (tx) => [
      await tenants.find(tx, tenantId),
      await users.byName(tx, tenantId, nameKey(username)),
    ]);
    if (tenant === null) throw tenantNotFound();
    if (account === null) throw userNotFound();
    const { userId } = account;
    const password = given === '' ? madeUp(ports.random, policy) : given;
    checkPassword(policy, 'password', password, [username]);
    const hash = await passwords.hash(password, call.deadline);
    await write(tenantId, async (tx) => {
      // Roles first, as everybody does who takes both locks.
      const assigned = await ports.assignRoles(tx, tenantId, { type: 'user', id: userId }, ['owner'], null);
      const before = await users.lock(tx, tenantId, userId);
      if (before === null || before.status === 'deleted') throw userNotFound();
      const watermark = (await readHead(tx)) + 1;
      await users.setPassword(tx, tenantId, userId, hash, watermark);
      await users.setStatus(tx, tenantId, userId, 'active', watermark);
      await attempts.unlock(tx, tenantId, userId);
      const ended = await ports.endSessions(tx, tenantId, userId, 'recovered');
      return {
        result: null,
        changes: [...ended, ...userChanges(tenantId, userId), ...assigned.changes],
        events: [eventOf(call, tenantId, 'user.recovered', `user:${userId}`, { level: 'alert', details: { was: before.status } })],
      };
    });
    return { userId, password };
  };
