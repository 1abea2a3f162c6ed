// Sets a password and ends the user's sessions. One's own takes the current one, whose guesses count like logins.
import { equalText } from '../base/bytes.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import { isUser, subjectOf, type TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { ReadHead, Write } from '../storage/storage.ts';
import { checkPassword } from './create-user.ts';
import { credentialsInvalid } from './login.ts';
import { guessFrom, type GuessPorts, judgeGuess } from './guess.ts';
import type { PasswordPolicy, Passwords } from './password.ts';
import type { Attempts, UserStore } from './stores.ts';
import { type EndSessions, outranked, type Outranks } from './suspend-user.ts';
import { userChanges, userNotFound } from './user.ts';

interface Ports extends GuessPorts {
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly policy: PasswordPolicy;
  readonly passwords: Pick<Passwords, 'hash' | 'verify'>;
  readonly users: Pick<UserStore, 'find' | 'lock' | 'passwordOf' | 'setPassword'>;
  readonly attempts: Pick<Attempts, 'judge' | 'clear' | 'unlock'>;
  readonly endSessions: EndSessions;
  readonly mayBecome: Outranks;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
}

interface Asked {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly currentPassword: string;
  readonly newPassword: string;
}

/** UNAUTHENTICATED / CREDENTIALS_INVALID unless the current password is right; answers its record. */
const proveCurrent = async (ports: Ports, { tenantId, userId, currentPassword }: Asked, call: Call): Promise<string> => {
  const { db, attempts, users } = ports;
  const { guess, record } = await db.tenant(tenantId, async (tx) => ({
    guess: await guessFrom(ports, tx, tenantId, userId, call.peer.address),
    record: await users.passwordOf(tx, tenantId, userId),
  }));
  const { right } = await judgeGuess(ports, guess, record, currentPassword, call);
  if (!right || record === null) throw credentialsInvalid();
  await db.tenant(tenantId, (tx) => attempts.clear(tx, guess));
  return record;
};

export const setPassword =
  (ports: Ports) =>
  async (asked: Asked, call: Call): Promise<{ readonly revision: number }> => {
    const { db, write, readHead, policy, passwords, users, attempts } = ports;
    const { tenantId, userId } = asked;
    const own = isUser(call.caller, tenantId, userId);
    if (!own && !(await ports.holds(call, 'users:write')))
      throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', "setting somebody else's password needs users:write", {
        meta: { permission: 'users:write' },
      });
    if (!own && !(await ports.mayBecome(call, tenantId, userId))) throw outranked();
    const user = await db.tenant(tenantId, (tx) => users.find(tx, tenantId, userId));
    if (user === null || user.status === 'deleted') throw userNotFound();
    checkPassword(policy, 'new_password', asked.newPassword, [user.username, user.email]);
    const proven = own ? await proveCurrent(ports, asked, call) : null;
    const hash = await passwords.hash(asked.newPassword, call.deadline);
    const { revision } = await write(tenantId, async (tx) => {
      const before = await users.lock(tx, tenantId, userId);
      if (before === null || before.status === 'deleted') throw userNotFound();
      // Somebody changed it while we were hashing: the proof is of yesterday.
      if (proven !== null && !equalText((await users.passwordOf(tx, tenantId, userId)) ?? '', proven)) throw credentialsInvalid();
      await users.setPassword(tx, tenantId, userId, hash, (await readHead(tx)) + 1);
      if (!own) await attempts.unlock(tx, tenantId, userId);
      const ended = await ports.endSessions(tx, tenantId, userId, 'password_changed');
      return {
        result: null,
        changes: [...ended, ...userChanges(tenantId, userId)],
        events: [eventOf(call, tenantId, 'user.password_set', `user:${userId}`, { details: { by: subjectOf(call.caller).id } })],
      };
    });
    return { revision };
  };
