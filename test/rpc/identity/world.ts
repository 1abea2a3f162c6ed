// Identity with the capabilities it stands beside, all real, over one database: what these tests play on.
import { apiKeysConfig } from '../../../src/api-keys/api-keys.config.ts';
import { wireApiKeys } from '../../../src/api-keys/api-keys.wire.ts';
import { authorizationConfig } from '../../../src/authorization/authorization.config.ts';
import { wireAuthorization } from '../../../src/authorization/authorization.wire.ts';
import type { Authorization } from '../../../src/authorization/authorization.ts';
import type { Call } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import type { AuditEntry } from '../../../src/base/event.ts';
import { createTerms } from '../../../src/hub/subject-terms.ts';
import { identityConfig } from '../../../src/identity/identity.config.ts';
import type { AskedUser, Identity } from '../../../src/identity/identity.ts';
import { wireIdentity } from '../../../src/identity/identity.wire.ts';
import type { Field, Slice, Values } from '../../../src/server/config/field.ts';
import { createMetrics } from '../../../src/server/observability/metrics.ts';
import type { Service } from '../../../src/server/rpc/define.ts';
import type { ApiKeys } from '../../../src/api-keys/api-keys.ts';
import { tokensConfig } from '../../../src/tokens/tokens.config.ts';
import type { TokensDoor } from '../../../src/tokens/tokens.ts';
import { wireTokens } from '../../../src/tokens/tokens.wire.ts';
import { callAs, userCaller } from '../../callers.ts';
import { createTestPlatform, type FreshDatabase, type TestPlatform } from '../../harness.ts';

const defaultsOf = <S extends Slice>(slice: S): Values<S> =>
  Object.fromEntries(
    Object.entries(slice).map(([name, field]: [string, Field<unknown>]) => {
      const parsed = field.parse(field.default);
      if ('problem' in parsed) throw new Error(`${field.name}: ${parsed.problem}`);
      return [name, parsed.value];
    }),
  ) as Values<S>;

/** Hashes that cost a millisecond or two; tests of time use the real ones. */
const CHEAP = { hashMemory: 7168, hashPasses: 1 } as const;
export const PASSWORD = 'correct horse battery';

export interface World {
  readonly platform: TestPlatform;
  /** What a scraper reads. */
  readonly metrics: () => Promise<string>;
  readonly identity: Identity;
  readonly apiKeys: ApiKeys;
  readonly authorization: Authorization;
  readonly tokens: TokensDoor;
  readonly services: readonly Service[];
  /** What was recorded: refusals and the events of changes. */
  readonly entries: AuditEntry[];
  close(): Promise<void>;
}

type Over = Partial<Values<typeof identityConfig>> & { readonly maxLife?: number };

/** `like`: a replica of that one, under the same master key. */
export const createWorld = async (database: FreshDatabase, over: Over = {}, like?: World): Promise<World> => {
  const metrics = createMetrics('test');
  const own: TestPlatform = { ...(await createTestPlatform({ database })), metrics };
  const platform: TestPlatform = like === undefined ? own : { ...own, sealer: like.platform.sealer, pager: like.platform.pager };
  const late: { identity?: Identity } = {};
  const identityDoor = (): Identity => late.identity as Identity;
  const { door: authorization } = wireAuthorization(platform, defaultsOf(authorizationConfig), {
    subjects: {
      known: () => true,
      acts: () => true,
      limits: () => ({ also: [], cap: null, scopes: [] }),
      barred: () => null,
      nameOf: () => '',
      page: async () => [],
    },
    watermarkUntil: () => tokens.door.watermarkUntil(),
    enforceDataAccess: () => {
      throw new Error('nobody asks for data here');
    },
    listResources: () => {
      throw new Error('nobody asks for resources here');
    },
  });
  const tokens = wireTokens(platform, defaultsOf(tokensConfig), {
    user: (tenantId, userId) => identityDoor().user(tenantId, userId),
    tenant: (tenantId) => identityDoor().tenant(tenantId),
    rights: (tenantId, subject) => authorization.rights(tenantId, subject),
    foreign: { read: () => null, knows: () => false },
    holds: (caller, permission) => authorization.holds(caller, permission),
    isWorkload: () => false,
    knownHost: () => true,
    terms: createTerms({
      user: (tenantId, userId) => identityDoor().user(tenantId, userId),
      tenant: (tenantId) => identityDoor().tenant(tenantId),
      rights: (tenantId, subject) => authorization.rights(tenantId, subject),
      cursor: () => platform.feed.cursor(),
      limitsSeq: (tenantId, userId) => tokens.door.limitsSeq(tenantId, userId),
    }),
  });
  const identity = wireIdentity(
    platform,
    { ...defaultsOf(identityConfig), ...CHEAP, ...over },
    { trustDomain: 'test.internal', longestTokenLife: tokens.longest },
    {
      tokens: tokens.door,
      authorization,
      endService: async () => [],
      methodNames: () => new Set(['ValidateToken', 'CheckPermission', 'PutWorkload']),
    },
  );
  late.identity = identity.door;
  const keys = wireApiKeys(
    platform,
    { ...defaultsOf(apiKeysConfig), ...(over.maxLife === undefined ? {} : { maxLife: over.maxLife }) },
    { identity: identity.door, authorization },
  );
  await platform.start();
  await tokens.start();
  return {
    platform,
    metrics: () => metrics.text(),
    identity: identity.door,
    apiKeys: keys.door,
    authorization,
    tokens: tokens.door,
    services: [...identity.services, ...keys.services],
    entries: platform.audit.entries as AuditEntry[],
    async close() {
      await identity.close();
      await platform.stop();
      metrics.close();
    },
  };
};

export interface Tenancy {
  readonly tenantId: string;
  /** The owner and operator of this tenant, as a caller. */
  readonly admin: Caller;
  readonly username: string;
  readonly password: string;
}

let tenants = 0;

/** A tenant with an owner who is also an operator, in a namespace of its own. */
export const newTenancy = async ({ identity }: World, prefix = 'tenant'): Promise<Tenancy> => {
  const tenantId = `${prefix}-${(tenants += 1)}`;
  const first = { tenantId, namespaces: [`${tenantId}-ns`], username: 'admin', password: '', roles: ['owner', 'operator'] };
  const created = await identity.bootstrap(first, callAs({ kind: 'anonymous' }));
  if (created === null) throw new Error('the tenant was there');
  return { tenantId, admin: userCaller(tenantId, created.userId), username: created.username, password: created.password };
};

let users = 0;

export const newUser = async ({ identity }: World, tenancy: Tenancy, over: Partial<AskedUser> = {}, call?: Call): Promise<string> => {
  const blank = { email: '', firstName: '', lastName: '', roles: [], metadata: {}, idempotencyKey: '', password: PASSWORD };
  const asked = { ...blank, tenantId: tenancy.tenantId, username: `user${(users += 1)}`, ...over };
  return (await identity.createUser(asked, call ?? callAs(tenancy.admin))).user.userId;
};

export const from = (address: string, over: Partial<Call> = {}): Call =>
  callAs({ kind: 'anonymous' }, { peer: { transport: 'tcp', address, loopback: false, certificate: null }, ...over });

export const logInAs = (tenantId: string, username: string, password: string) => ({
  tenantId,
  username,
  password,
  scopes: [],
  device: null,
  context: { ipAddress: '', userAgent: '' },
});
