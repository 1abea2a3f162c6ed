// Joins the authorization capability with its tables, its caches and the change feed.
import { hours } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import type { Tx } from '../storage/storage.ts';
import { type Authorization, createAuthorization, type Subjects } from './authorization.ts';
import type { authorizationConfig } from './authorization.config.ts';
import { authorizationServices } from './authorization.rpc.ts';
import { postgresPolicies } from './policy/policies.postgres.ts';
import { createPolicies } from './policy/policy.ts';
import { policyRows } from './policy/policy.rpc.ts';
import { postgresRules } from './rules.postgres.ts';
import { buildSnapshot } from './snapshot.ts';

export type AuthorizationPlatform = Pick<
  Platform,
  'clock' | 'random' | 'metrics' | 'pager' | 'db' | 'write' | 'writeInstallation' | 'readHead' | 'feed' | 'tracked' | 'every'
>;

export interface AuthorizationPorts {
  readonly subjects: Subjects;
}

export const wireAuthorization = (
  platform: AuthorizationPlatform,
  config: Values<typeof authorizationConfig>,
  ports: AuthorizationPorts,
): { readonly authorization: Authorization; readonly services: readonly Service[] } => {
  const { db, feed } = platform;
  const rules = postgresRules(db);

  /** What a read may have seen ahead of the feed is waited for, so that everything cached is true at the cursor. */
  const settled = async <T>(tenantId: string, read: (tx: Tx) => Promise<T>): Promise<T> => {
    const { value, head } = await db.tenant(tenantId, async (tx) => ({ value: await read(tx), head: await platform.readHead(tx) }));
    if (head > feed.cursor()) await feed.catchUp(head);
    return value;
  };

  const snapshots = platform.tracked({
    kinds: ['role', 'resource_type'],
    touches: () => 'tenant',
    capacity: config.roleCacheEntries,
    ttl: config.roleCacheTtl,
    load: (tenantId) =>
      settled(tenantId, async (tx) =>
        buildSnapshot({ tenantId, roles: await rules.roles(tx, tenantId), types: await rules.types(tx, tenantId) }),
      ),
  });

  const subjects = platform.tracked({
    kinds: ['assignment', 'grant'],
    capacity: config.rightsCacheEntries,
    ttl: config.rightsCacheTtl,
    load: (tenantId, key) => {
      const at = key.indexOf(':');
      return settled(tenantId, (tx) => rules.subject(tx, tenantId, { type: key.slice(0, at), id: key.slice(at + 1) }));
    },
  });

  platform.metrics.gauge('securityhub_rights_cached', 'Subjects whose rights are in memory.', {}, () => subjects.size);
  platform.every('authorization.sweep', hours(1), () => rules.sweep(platform.clock.now() - hours(24)), true);

  const authorization = createAuthorization({
    rules,
    snapshots,
    subjects,
    cursor: () => feed.cursor(),
    applied: () => feed.applied(),
    subjectsKnown: ports.subjects,
    write: platform.write,
    clock: platform.clock,
    random: platform.random,
  });
  const policies = createPolicies({
    store: postgresPolicies(db),
    write: platform.write,
    writeInstallation: platform.writeInstallation,
    snapshot: authorization.snapshot,
    holding: authorization.holding,
  });
  const rows = policyRows({ policies, pager: platform.pager, holds: authorization.holds });
  return { authorization, services: authorizationServices(authorization, platform.pager, rows) };
};
