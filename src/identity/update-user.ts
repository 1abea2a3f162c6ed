// Changes a user's account: how it is called, what is kept about it, what limits it. What is not asked for stays.
import type { Call, MaybePromise } from '../base/call.ts';
import { lacks, type TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { eventOf } from '../base/event.ts';
import { badField } from '../base/fault.ts';
import { type Metadata, newMetadata } from '../base/metadata.ts';
import type { Write } from '../storage/storage.ts';
import { taken } from './create-user.ts';
import { emailAddress, nameKey } from './names.ts';
import type { UserStore } from './stores.ts';
import type { Instant } from '../base/time.ts';
import { outranked, type Outranks } from './suspend-user.ts';
import { limitsChange, readable, type User, userChanges, userNotFound } from './user.ts';

export interface UserUpdate {
  readonly tenantId: TenantId;
  readonly userId: string;
  /** undefined = stays, here and below; '' = none. */
  readonly email: string | undefined;
  readonly firstName: string | undefined;
  readonly lastName: string | undefined;
  readonly metadata: Metadata | undefined;
  /** null = no limits. */
  readonly constraints: Constraints | null | undefined;
}

interface Ports {
  readonly write: Write;
  readonly users: Pick<UserStore, 'lock' | 'update' | 'find'>;
  readonly outranks: Outranks;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
}

const SECURITY = 'admin:security';

export const updateUser =
  (ports: Ports) =>
  async (asked: UserUpdate, call: Call): Promise<{ readonly user: User; readonly revision: number }> => {
    const { tenantId, userId } = asked;
    // Whoever may edit accounts must not thereby shake off the limits of its own.
    if (asked.constraints !== undefined && !(await ports.holds(call, SECURITY))) throw lacks(call.caller, SECURITY);
    // A new address is a new way into the account.
    if (!(await ports.outranks(call, tenantId, userId))) throw outranked();
    const email = asked.email === undefined ? undefined : emailAddress(asked.email);
    const over = {
      ...(email === undefined ? {} : { email }),
      ...(asked.firstName === undefined ? {} : { firstName: readable('first_name', asked.firstName) }),
      ...(asked.lastName === undefined ? {} : { lastName: readable('last_name', asked.lastName) }),
      ...(asked.metadata === undefined ? {} : { metadata: newMetadata(asked.metadata) }),
      ...(asked.constraints === undefined ? {} : { constraints: asked.constraints }),
    };
    const { result, revision } = await ports.write(tenantId, async (tx) => {
      const before = await ports.users.lock(tx, tenantId, userId);
      if (before === null || before.status === 'deleted') throw userNotFound();
      // A name with '@' is the address: whoever had the old one could otherwise log in as this user.
      if (email !== undefined && before.username.includes('@') && nameKey(email) !== nameKey(before.username))
        throw badField('email', 'is the name this account logs in with');
      if (!(await ports.users.update(tx, { ...before, ...over }, before.email))) throw taken('email');
      return {
        result: (await ports.users.find(tx, tenantId, userId)) ?? before,
        changes: [
          ...userChanges(tenantId, userId),
          ...(asked.constraints === undefined ? [] : [limitsChange(tenantId, userId, ports.watermarkUntil())]),
        ],
        events: [
          eventOf(call, tenantId, 'user.updated', `user:${userId}`, {
            level: asked.constraints === undefined ? 'info' : 'warning',
            details: { fields: Object.keys(over), ...(asked.constraints === undefined ? {} : { constraints: asked.constraints }) },
          }),
        ],
      };
    });
    return { user: result, revision };
  };
