// Joins the authorization capability with its tables, its caches and the change feed.
import { days, hours, type Instant, seconds } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { accessRows, type EnforceDataAccess } from './access/access.rpc.ts';
import type { Tx } from '../storage/storage.ts';
import { type Authorization, createAuthorization, type Subjects } from './authorization.ts';
import type { authorizationConfig } from './authorization.config.ts';
import { authorizationServices } from './authorization.rpc.ts';
import { postgresPolicies } from './policy/policies.postgres.ts';
import { conditionSchema } from './condition/condition.ts';
import { postgresDecisions } from './decision/decisions.postgres.ts';
import { createDecisions } from './decision/decision.ts';
import { decisionRows } from './decision/decision.rpc.ts';
import { INSTALLATION } from './policy/document.ts';
import { createSetLoader } from './policy/load.ts';
import { createPolicySet } from './policy/policy-set.ts';
import { createPolicies } from './policy/policy.ts';
import { policyRows } from './policy/policy.rpc.ts';
import { postgresCandidates } from './candidates.postgres.ts';
import { listingRows } from './listing.rpc.ts';
import { postgresDelegations } from './delegations.postgres.ts';
import { postgresGroups } from './groups.postgres.ts';
import { groupRows } from './groups.rpc.ts';
import { postgresRules } from './rules.postgres.ts';
import { buildSnapshot, withPolicies } from './snapshot.ts';

export type AuthorizationPlatform = Pick<
  Platform,
  'clock' | 'random' | 'metrics' | 'sealer' | 'pager' | 'db' | 'write' | 'writeInstallation' | 'readHead' | 'feed' | 'tracked' | 'every'
>;

/** What the installation's conditions may speak of: it knows no tenant's types. */
const ANY_SCHEMA = conditionSchema();
const ANY_TYPE = { schema: () => ANY_SCHEMA };

/** The newest so many are kept. */
const DECISIONS_PER_TENANT = 100_000;

export interface AuthorizationPorts {
  readonly subjects: Subjects;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
  /** Principals are known to the hub: it answers. */
  readonly enforceDataAccess: EnforceDataAccess;
}

export const wireAuthorization = (
  platform: AuthorizationPlatform,
  config: Values<typeof authorizationConfig>,
  ports: AuthorizationPorts,
): { readonly door: Authorization; readonly services: readonly Service[]; readonly close: () => Promise<void> } => {
  const { db, feed } = platform;
  const rules = postgresRules(db);

  /** What a read may have seen ahead of the feed is waited for, so that everything cached is true at the cursor. */
  const settled = async <T>(tenantId: string, read: (tx: Tx) => Promise<T>): Promise<T> => {
    const { value, head } = await db.tenant(tenantId, async (tx) => ({ value: await read(tx), head: await platform.readHead(tx) }));
    if (head > feed.cursor()) await feed.catchUp(head);
    return value;
  };

  const policyStore = postgresPolicies(db);
  const policySets = createSetLoader(policyStore, config.roleCacheEntries);

  const snapshots = platform.tracked({
    kinds: ['role', 'resource_type', 'policy'],
    touches: () => 'tenant',
    capacity: config.roleCacheEntries,
    ttl: config.roleCacheTtl,
    load: async (tenantId) => {
      const { roles, types, own } = await settled(tenantId, async (tx) => {
        const [roles, types] = [await rules.roles(tx, tenantId), await rules.types(tx, tenantId)];
        return {
          roles,
          types,
          own: await policySets.read(tx, tenantId, JSON.stringify(types.map(({ name, attributes }) => [name, attributes]))),
        };
      });
      const above = await db.jobs((tx) => policySets.read(tx, INSTALLATION, ''));
      const bare = buildSnapshot({ tenantId, roles, types });
      // Compiled here, beyond the transaction and in slices: only what changed since the last time.
      return withPolicies(bare, createPolicySet([await above(ANY_TYPE), await own(bare)]));
    },
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
    groups: postgresGroups(db),
    delegations: postgresDelegations(db),
    candidates: postgresCandidates(db),
    snapshots,
    subjects,
    cursor: () => feed.cursor(),
    applied: () => feed.applied(),
    subjectsKnown: ports.subjects,
    write: platform.write,
    watermarkUntil: ports.watermarkUntil,
    clock: platform.clock,
    random: platform.random,
    maskKey: (tenantId, type, field) => platform.sealer.derive(['field-mask', tenantId, type, field].join('\n')),
  });
  const policies = createPolicies({
    store: policyStore,
    write: platform.write,
    writeInstallation: platform.writeInstallation,
    snapshot: authorization.snapshot,
    holding: authorization.holding,
  });
  const unrecorded = platform.metrics.counter(
    'securityhub_decisions_lost_total',
    'Decisions to be recorded that the database did not take.',
  );
  const decisionStore = postgresDecisions(db, platform.sealer);
  const decisions = createDecisions({
    store: decisionStore,
    clock: platform.clock,
    perSecond: config.decisionsPerSecond,
    keep: days(config.decisionDays),
    explain: authorization.explain,
    lost: (count) => unrecorded.inc(count),
    rightsOf: authorization.rightsOf,
    decide: authorization.decide,
    candidate: async (tenantId, wanted) => {
      const change = await policies.preview(tenantId, wanted);
      const compile = await settled(tenantId, (tx) => policySets.preview(tx, tenantId, change));
      return createPolicySet(await compile(await authorization.snapshot(tenantId)));
    },
  });
  platform.every('decisions.flush', seconds(1), () => decisions.recorder.flush());
  platform.every(
    'decisions.sweep',
    hours(1),
    () => decisionStore.sweep(platform.clock.now() - days(config.decisionDays), DECISIONS_PER_TENANT),
    true,
  );

  const window = { policies, pager: platform.pager, holds: authorization.holds };
  const rows = {
    ...policyRows(window),
    ...decisionRows({ decisions, clock: platform.clock, holds: authorization.holds }),
    ...groupRows(authorization, platform.pager),
    ...listingRows(authorization, platform.pager, () => feed.cursor()),
    ...accessRows(ports.enforceDataAccess),
  };
  return {
    door: { ...authorization, recorder: decisions.recorder },
    services: authorizationServices(authorization, platform.pager, rows),
    close: () => decisions.recorder.flush(),
  };
};
