// The first tenant with its administrator: at a development's first start, or by redeeming a set-up token. Once; the database decides.
import { sha256 } from '../base/bytes.ts';
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import { base62, type Random } from '../base/random.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Change, Database, Tx, Write } from '../storage/storage.ts';
import { checkPassword, insertUser, type AssignRoles } from './create-user.ts';
import { insertTenant } from './create-tenant.ts';
import { username } from './names.ts';
import type { PasswordPolicy, Passwords } from './password.ts';
import type { SetupTokens, TenantStore, UserStore } from './stores.ts';
import { newTenantId, tenantChanges } from './tenant.ts';
import { userChanges } from './user.ts';

export interface FirstTenant {
  readonly tenantId: TenantId;
  readonly namespaces: readonly string[];
  readonly username: string;
  /** '' = one is made up. */
  readonly password: string;
  readonly roles: readonly string[];
}

/** A first API key, made in the same transaction; its secret is known only now. */
export type FirstApiKey = (
  tx: Tx,
  owner: { readonly tenantId: TenantId; readonly userId: string },
  call: Call,
) => Promise<{ readonly secret: string; readonly changes: readonly Change[]; readonly events: readonly AuditEntry[] }>;

export interface FirstCreated {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly username: string;
  readonly password: string;
  /** '' where no key was asked for. */
  readonly apiKey: string;
}

/** Called before anything is committed: secrets known only to a process that dies a moment later would be known to nobody. */
export type KeepSecrets = (created: FirstCreated) => void;

interface Ports {
  readonly db: Database;
  readonly write: Write;
  readonly random: Random;
  readonly policy: PasswordPolicy;
  readonly passwords: Pick<Passwords, 'hash'>;
  readonly tenants: Pick<TenantStore, 'insert' | 'claimNamespaces' | 'find'>;
  readonly users: Pick<UserStore, 'insert'>;
  readonly setupTokens: SetupTokens;
  readonly setupTokenLife: Millis;
  readonly assignRoles: AssignRoles;
}

const GROUP = 6;

/** At least 24 base62 characters in groups: 142 random bits, satisfies every policy we can be configured to. */
export const madeUp = (random: Random, { minLength }: PasswordPolicy): string => {
  const groups = Math.max(4, Math.ceil((minLength + 1) / (GROUP + 1)));
  return Array.from({ length: groups }, () => base62(GROUP, (size) => random.bytes(size))).join('-');
};

export const bootstrap =
  (ports: Ports) =>
  /** null where the tenant is there already: nothing is changed then. */
  async (first: FirstTenant, call: Call, firstApiKey?: FirstApiKey, keep?: KeepSecrets): Promise<FirstCreated | null> => {
    const { db, write, tenants, users, passwords, random } = ports;
    const tenantId = newTenantId(first.tenantId, 'tenant_id');
    const name = username(first.username, '');
    if ((await db.tenant(tenantId, (tx) => tenants.find(tx, tenantId))) !== null) return null;
    const password = first.password === '' ? madeUp(random, ports.policy) : first.password;
    checkPassword(ports.policy, 'password', password, [name]);
    const passwordHash = await passwords.hash(password, call.deadline);
    const userId = random.id('usr');
    const { result } = await write(tenantId, async (tx) => {
      const namespaces = first.namespaces.toSorted();
      // Two starts at once: the second waits here for the first, and finds that there is nothing left to do.
      if (!(await insertTenant(tenants, tx, { tenantId, displayName: tenantId, defaultKeyName: 'default', namespaces })))
        return { result: null };
      await insertUser(users, tx, { tenantId, userId, username: name, email: '', firstName: '', lastName: '', metadata: {}, passwordHash });
      // Nobody is there yet whose rights could be the measure.
      const assigned = await ports.assignRoles(tx, tenantId, { type: 'user', id: userId }, first.roles, null);
      const key = await firstApiKey?.(tx, { tenantId, userId }, call);
      const created: FirstCreated = { tenantId, userId, username: name, password, apiKey: key?.secret ?? '' };
      keep?.(created);
      return {
        result: created,
        changes: [...tenantChanges(tenantId, namespaces), ...userChanges(tenantId, userId), ...assigned.changes, ...(key?.changes ?? [])],
        events: [
          eventOf(call, tenantId, 'tenant.created', `tenant:${tenantId}`, { details: { namespaces, first: true } }),
          eventOf(call, tenantId, 'user.created', `user:${userId}`, {
            level: 'warning',
            details: { username: name, roles: first.roles, first: true },
          }),
          ...(key?.events ?? []),
        ],
      };
    });
    return result;
  };

const SETUP = 'shs_';

/** A token that opens `redeemSetupToken` once; only its hash is kept. Whoever may call this has the database in its hands. */
export const createSetupToken =
  ({ db, random, setupTokens, setupTokenLife }: Ports) =>
  async (now: Instant): Promise<{ readonly token: string; readonly expiresAt: Instant }> => {
    const token = `${SETUP}${base62(43, (size) => random.bytes(size))}`;
    const expiresAt = now + setupTokenLife;
    await db.jobs((tx) => setupTokens.insert(tx, sha256(token), expiresAt));
    return { token, expiresAt };
  };

/**
 * Makes the first tenant and its owner for the holder of a set-up token. The token is spent before anything is made:
 * a failure after that needs a new one, never the other way round.
 */
export const redeemSetupToken = (ports: Ports) => {
  const make = bootstrap(ports);
  return async (token: string, first: FirstTenant, call: Call): Promise<FirstCreated> => {
    const refused = (): Fault => new Fault('UNAUTHENTICATED', 'SETUP_TOKEN_INVALID', 'the set-up token is unknown, spent or too old');
    if (!token.startsWith(SETUP) || token.length > 64) throw refused();
    newTenantId(first.tenantId, 'tenant_id');
    if (first.password !== '') checkPassword(ports.policy, 'password', first.password, [first.username]);
    if (!(await ports.db.jobs((tx) => ports.setupTokens.redeem(tx, sha256(token))))) throw refused();
    const created = await make(first, call);
    if (created === null) throw new Fault('ALREADY_EXISTS', 'TENANT_EXISTS', 'there is a tenant of this id');
    return created;
  };
};
