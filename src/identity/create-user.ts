// Creates a user with its login names, first password and first roles, all or nothing.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Metadata, newMetadata } from '../base/metadata.ts';
import type { Random } from '../base/random.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Change, Tx, Write } from '../storage/storage.ts';
import { emailAddress, username } from './names.ts';
import { type PasswordPolicy, passwordProblem, type Passwords } from './password.ts';
import type { NewUser, TenantStore, UserStore } from './stores.ts';
import { tenantNotFound } from './tenant.ts';
import { readable, type User, userChanges, userNotFound } from './user.ts';

export interface AskedUser {
  readonly tenantId: TenantId;
  readonly username: string;
  readonly email: string;
  /** '' = none yet. */
  readonly password: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly roles: readonly string[];
  readonly metadata: Metadata;
  readonly idempotencyKey: string;
}

export interface RoleSubject {
  readonly type: 'user';
  readonly id: string;
}

/** Gives first roles inside the transaction. ROLE_NOT_FOUND, ESCALATION where a role holds more than the caller; `call` null: the installation itself. */
export type AssignRoles = (tx: Tx, tenantId: TenantId, subject: RoleSubject, roles: readonly string[], call: Call | null) => Promise<Felt>;

/** What a change in the same transaction adds to the writer's own. */
export interface Felt {
  readonly changes: readonly Change[];
  readonly events: readonly AuditEntry[];
}

interface Ports {
  readonly write: Write;
  readonly random: Random;
  readonly policy: PasswordPolicy;
  readonly passwords: Pick<Passwords, 'hash'>;
  readonly tenants: Pick<TenantStore, 'find'>;
  readonly users: Pick<UserStore, 'insert' | 'find'>;
  readonly claim: ClaimIdempotency;
  readonly assignRoles: AssignRoles;
  readonly holds: (call: Call, permission: string) => MaybePromise<boolean>;
}

/** INVALID_ARGUMENT / PASSWORD_TOO_WEAK that says what is wrong. */
export const checkPassword = (policy: PasswordPolicy, field: string, password: string, names: readonly string[]): void => {
  const problem = passwordProblem(policy, password, names);
  if (problem !== null) throw badField(field, problem, 'PASSWORD_TOO_WEAK');
};

export const taken = (field: 'username' | 'email'): Fault =>
  new Fault('ALREADY_EXISTS', 'USER_EXISTS', `this ${field} belongs to an account already`, {
    violations: [{ field, description: 'is taken' }],
  });

/** ALREADY_EXISTS / USER_EXISTS that names the field. */
export const insertUser = async (users: Pick<UserStore, 'insert'>, tx: Tx, user: NewUser): Promise<void> => {
  const field = await users.insert(tx, user);
  if (field !== null) throw taken(field);
};

export const createUser =
  (ports: Ports) =>
  async (asked: AskedUser, call: Call): Promise<{ readonly user: User; readonly revision: number }> => {
    const { write, random, policy, passwords, tenants, users, claim, assignRoles, holds } = ports;
    const { tenantId } = asked;
    const email = emailAddress(asked.email);
    const person = {
      username: username(asked.username, email),
      email,
      firstName: readable('first_name', asked.firstName),
      lastName: readable('last_name', asked.lastName),
      metadata: newMetadata(asked.metadata),
    };
    const roles = [...new Set(asked.roles)];
    if (asked.password !== '') checkPassword(policy, 'password', asked.password, [person.username, email]);
    if (roles.length > 0 && !(await holds(call, 'users:roles')))
      throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', 'giving roles needs users:roles', { meta: { permission: 'users:roles' } });
    const passwordHash = asked.password === '' ? null : await passwords.hash(asked.password, call.deadline);
    const userId = random.id('usr');
    const { result, revision } = await write(tenantId, async (tx) => {
      if ((await tenants.find(tx, tenantId)) === null) throw tenantNotFound();
      const earlier = await claim(tx, { tenantId, call, key: asked.idempotencyKey, request: [person, roles], objectId: userId });
      if (earlier === null) await insertUser(users, tx, { ...person, tenantId, userId, passwordHash });
      const user = await users.find(tx, tenantId, earlier ?? userId);
      if (user === null) throw userNotFound();
      if (earlier !== null) return { result: user };
      const assigned = await assignRoles(tx, tenantId, { type: 'user', id: userId }, roles, call);
      return {
        result: user,
        changes: [...assigned.changes, ...userChanges(tenantId, userId)],
        events: [
          eventOf(call, tenantId, 'user.created', `user:${userId}`, { details: { username: person.username, roles } }),
          ...assigned.events,
        ],
      };
    });
    return { user: result, revision };
  };
