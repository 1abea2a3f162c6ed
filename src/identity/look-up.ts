// Who is this? Answered from memory when it can be: rows are kept until the change feed says that they changed.
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import { minutes } from '../base/time.ts';
import type { CreateTracked, Database } from '../storage/storage.ts';
import type { TenantLists, TenantStore, UserStore, WorkloadStore } from './stores.ts';
import { nameKey } from './names.ts';
import { namespaceKey, SOLE_TENANT, type Tenant, tenantNotFound } from './tenant.ts';
import { type User, userNotFound } from './user.ts';
import { type Workload, workloadKey, workloadNotFound } from './workload.ts';

interface Ports {
  readonly db: Database;
  readonly tracked: CreateTracked;
  readonly tenants: Pick<TenantStore, 'find'>;
  readonly tenantLists: Pick<TenantLists, 'ownerOf' | 'sole'>;
  readonly users: Pick<UserStore, 'find' | 'findAll' | 'byName'>;
  readonly workloads: Pick<WorkloadStore, 'find'>;
}

// Longer than any change takes to arrive: the feed keeps these right, the end only bounds what memory holds.
const KEPT = minutes(5);

const split = (key: string): readonly [string, string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};

export const createLookUps = ({ db, tracked, tenants, tenantLists, users, workloads }: Ports) => {
  const tenantCache = tracked<Tenant | null>({
    kinds: ['tenant_state'],
    load: (tenantId) => db.tenant(tenantId, (tx) => tenants.find(tx, tenantId)),
    capacity: 10_000,
    ttl: KEPT,
  });
  // Look-ups that find a tenant stand outside every tenant; their changes carry none.
  const installation = tracked<TenantId | null>({
    kinds: ['tenant_state'],
    touches: (change) => (change.tenantId === '' ? change.key || 'tenant' : null),
    load: (_, key) => (key === SOLE_TENANT ? tenantLists.sole() : tenantLists.ownerOf(key.slice(namespaceKey('').length))),
    capacity: 10_000,
    ttl: KEPT,
  });
  const userCache = tracked<User | null>({
    kinds: ['user_state'],
    loadAll: (tenantId, userIds) => db.tenant(tenantId, (tx) => users.findAll(tx, tenantId, userIds)),
    capacity: 10_000,
    ttl: KEPT,
  });
  const workloadCache = tracked<Workload | null>({
    kinds: ['workload'],
    load: (tenantId, key) => db.tenant(tenantId, (tx) => workloads.find(tx, tenantId, ...split(key))),
    capacity: 10_000,
    ttl: KEPT,
  });

  // Only a way to the user's row, which says whether the name is still its own.
  const idsByName = boundedMap<string, string>(10_000);
  const goesBy = (user: User | null, key: string): boolean =>
    user !== null && user.status !== 'deleted' && (nameKey(user.username) === key || nameKey(user.email) === key);

  const namespaceOwner = (namespace: string): MaybePromise<TenantId | null> => installation.get('', namespaceKey(namespace));
  const entryOf = (owner: TenantId | null, namespace: string, name: string): MaybePromise<Workload | null> =>
    owner === null ? null : workloadCache.get(owner, workloadKey(namespace, name));

  return {
    tenant: (tenantId: TenantId): MaybePromise<Tenant | null> => tenantCache.get(tenantId, tenantId),
    soleTenant: (): MaybePromise<TenantId | null> => installation.get('', SOLE_TENANT),
    namespaceOwner,
    user: (tenantId: TenantId, userId: string): MaybePromise<User | null> => userCache.get(tenantId, userId),
    /** The id of the user with this login name or e-mail address, null where nobody has it. */
    userNamed(tenantId: TenantId, name: string): MaybePromise<string | null> {
      const key = nameKey(name);
      const place = `${tenantId}/${key}`;
      const search = async (): Promise<string | null> => {
        const found = await db.tenant(tenantId, (tx) => users.byName(tx, tenantId, key));
        if (found === null) return null;
        idsByName.set(place, found.userId, Number.POSITIVE_INFINITY);
        return found.userId;
      };
      const kept = idsByName.get(place, 0);
      if (kept === undefined) return search();
      return andThen(userCache.get(tenantId, kept), (user) => (goesBy(user, key) ? kept : search()));
    },
    workload(namespace: string, name: string): MaybePromise<Workload | null> {
      return andThen(namespaceOwner(namespace), (owner) => entryOf(owner, namespace, name));
    },
    /** Those of the users that are active, from the table itself. */
    activeUsers: (tenantId: TenantId, userIds: readonly string[]): Promise<readonly string[]> =>
      db.tenant(tenantId, async (tx) =>
        (await users.findAll(tx, tenantId, userIds)).flatMap((user) => (user?.status === 'active' ? [user.userId] : [])),
      ),
    /** From the table itself, for people who look: NOT_FOUND where there is none. */
    async getTenant(tenantId: TenantId): Promise<Tenant> {
      const found = await db.tenant(tenantId, (tx) => tenants.find(tx, tenantId));
      if (found === null) throw tenantNotFound();
      return found;
    },
    async getUser(tenantId: TenantId, userId: string): Promise<User> {
      const found = await db.tenant(tenantId, (tx) => users.find(tx, tenantId, userId));
      if (found === null) throw userNotFound();
      return found;
    },
    /** By name, for the machine's own operator: NOT_FOUND where there is none. */
    async userIdOf(tenantId: TenantId, username: string): Promise<string> {
      const found = await db.tenant(tenantId, (tx) => users.byName(tx, tenantId, nameKey(username)));
      if (found === null) throw userNotFound();
      return found.userId;
    },
    async getWorkload(tenantId: TenantId, namespace: string, name: string): Promise<Workload> {
      const found = await db.tenant(tenantId, (tx) => workloads.find(tx, tenantId, namespace, name));
      if (found === null) throw workloadNotFound();
      return found;
    },
  };
};
