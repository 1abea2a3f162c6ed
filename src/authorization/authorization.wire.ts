// Joins the authorization capability with its tables, its caches and the change feed.
import { days, hours, type Instant, seconds } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { accessRows, type EnforceDataAccess } from './access/access.rpc.ts';
import type { Tx } from '../storage/storage.ts';
import { type Authorization, createAuthorization, type Subject, type Subjects } from './authorization.ts';
import type { authorizationConfig } from './authorization.config.ts';
import { authorizationServices } from './authorization.rpc.ts';
import { postgresPolicies } from './policy/policies.postgres.ts';
import { conditionSchema } from './condition/condition.ts';
import { postgresDecisions } from './decision/decisions.postgres.ts';
import { createDecisions } from './decision/decision.ts';
import { decisionRows } from './decision/decision.rpc.ts';
import { INSTALLATION } from './policy/document.ts';
import { createSetLoader, NO_TYPES } from './policy/load.ts';
import { createPolicySet } from './policy/policy-set.ts';
import { createPolicies } from './policy/policy.ts';
import { policyRows } from './policy/policy.rpc.ts';
import { postgresCandidates } from './candidates.postgres.ts';
import { postgresStatistics } from './statistics.postgres.ts';
import { listingRows } from './listing.rpc.ts';
import { postgresDelegations } from './delegations.postgres.ts';
import { postgresGroups } from './groups.postgres.ts';
import { groupRows } from './groups.rpc.ts';
import { type ListResources, resourceRows } from './resource/resource.rpc.ts';
import { postgresResources } from './resource/resources.postgres.ts';
import { postgresRules } from './rules.postgres.ts';
import { buildSnapshot, withPolicies } from './snapshot.ts';

export type AuthorizationPlatform = Pick<
  Platform,
  'clock' | 'random' | 'metrics' | 'sealer' | 'pager' | 'db' | 'write' | 'writeInstallation' | 'readHead' | 'feed' | 'tracked' | 'every'
>;

/** What the installation's conditions may speak of: it knows no tenant's types. */
const ANY_SCHEMA = conditionSchema();
const ANY_TYPE = { schema: () => ANY_SCHEMA };

/** From the key of its rights. */
const subjectOf = (key: string): Subject => {
  const at = key.indexOf(':');
  return { type: key.slice(0, at), id: key.slice(at + 1) };
};

/** The newest so many are kept. */
const DECISIONS_PER_TENANT = 100_000;

export interface AuthorizationPorts {
  readonly subjects: Subjects;
  /** Until when a token that is issued now may live. */
  readonly watermarkUntil: () => Instant;
  /** Principals are known to the hub: it answers. */
  readonly enforceDataAccess: EnforceDataAccess;
  readonly listResources: ListResources;
}

export const wireAuthorization = (
  platform: AuthorizationPlatform,
  config: Values<typeof authorizationConfig>,
  ports: AuthorizationPorts,
): { readonly door: Authorization; readonly services: readonly Service[]; readonly close: () => Promise<void> } => {
  const { db, feed } = platform;
  const rules = postgresRules(db);

  /** What a read may have seen ahead of the feed is waited for, so that everything cached is true at the cursor. */
  const seen = async <T>({ value, head }: { readonly value: T; readonly head: number }): Promise<T> => {
    if (head > feed.cursor()) await feed.catchUp(head);
    return value;
  };
  const withHead =
    <T>(read: (tx: Tx) => Promise<T>) =>
    async (tx: Tx) => ({ value: await read(tx), head: await platform.readHead(tx) });
  const settled = async <T>(tenantId: string, read: (tx: Tx) => Promise<T>): Promise<T> => seen(await db.tenant(tenantId, withHead(read)));

  const policyStore = postgresPolicies(db);
  const policySets = createSetLoader(policyStore, config.roleCacheEntries);

  /** Roles and types: they change less often than policies. */
  const bare = platform.tracked({
    kinds: ['role', 'resource_type'],
    touches: () => 'tenant',
    capacity: config.roleCacheEntries,
    ttl: config.roleCacheTtl,
    load: async (tenantId) => {
      const source = await settled(tenantId, async (tx) => ({
        roles: await rules.roles(tx, tenantId),
        types: await rules.types(tx, tenantId),
      }));
      const declared = new Map(source.types.map(({ name, attributes }) => [name, JSON.stringify(attributes)]));
      return { snapshot: buildSnapshot({ tenantId, ...source }), declared };
    },
  });

  /** The policies of the installation: one entry. */
  const above = platform.tracked({
    kinds: ['policy'],
    touches: ({ tenantId }) => (tenantId === INSTALLATION ? '' : null),
    capacity: 1,
    ttl: config.roleCacheTtl,
    load: async () => {
      const { value, head } = await db.jobs(withHead((tx) => policySets.read(tx, INSTALLATION, NO_TYPES)));
      return seen({ value: await value(ANY_TYPE), head });
    },
  });

  const snapshots = platform.tracked({
    kinds: ['role', 'resource_type', 'policy'],
    touches: ({ tenantId }) => (tenantId === INSTALLATION ? 'tenant' : ''),
    whileUnseen: ({ kind }) => kind === 'policy',
    capacity: config.roleCacheEntries,
    ttl: config.roleCacheTtl,
    load: async (tenantId) => {
      const [{ snapshot, declared }, outer] = [await bare.get(tenantId, ''), await above.get(INSTALLATION, '')];
      const { value, head } = await db.tenant(
        tenantId,
        withHead((tx) => policySets.read(tx, tenantId, declared)),
      );
      // Compiled beyond the transaction and in slices, and only what changed since the last time; the cursor moves when all is ready.
      const policies = createPolicySet([outer, await value(snapshot)]);
      return seen({ value: withPolicies(snapshot, policies), head });
    },
  });

  const subjects = platform.tracked({
    kinds: ['assignment', 'grant'],
    capacity: config.rightsCacheEntries,
    ttl: config.rightsCacheTtl,
    loadAll: (tenantId, keys) => settled(tenantId, (tx) => rules.subjects(tx, tenantId, keys.map(subjectOf))),
  });

  platform.metrics.gauge('securityhub_rights_cached', 'Subjects whose rights are in memory.', {}, () => subjects.size);
  platform.every('authorization.sweep', hours(1), () => rules.sweep(platform.clock.now() - hours(24)), true);

  const authorization = createAuthorization({
    rules,
    groups: postgresGroups(db),
    delegations: postgresDelegations(db),
    candidates: postgresCandidates(db),
    counts: postgresStatistics(db),
    resources: postgresResources(db),
    snapshots,
    subjects,
    settle: async (tenantId) => void (await settled(tenantId, async () => null)),
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
    snapshot: authorization.settled,
    latest: (tenantId) => snapshots.latest(tenantId, ''),
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
    ...resourceRows(authorization, ports.listResources),
  };
  return {
    door: { ...authorization, recorder: decisions.recorder },
    services: authorizationServices(authorization, platform.pager, rows),
    close: () => decisions.recorder.flush(),
  };
};
