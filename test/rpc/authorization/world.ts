// What the authorization tests stand on: a tenant with its people on real stores, and the decisions joined as in the hub.
import type { authorizationConfig } from '../../../src/authorization/authorization.config.ts';
import type { Authorization } from '../../../src/authorization/authorization.ts';
import { wireAuthorization } from '../../../src/authorization/authorization.wire.ts';
import type { Call } from '../../../src/base/call.ts';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import type { Sealer } from '../../../src/base/sealer.ts';
import type { Clock } from '../../../src/base/time.ts';
import type { BatchCheckRequest, BatchCheckResponse, CheckPermissionRequest } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { Subject } from '../../../src/gen/securityhub/v1/authorization.ts';
import * as authorizationMessages from '../../../src/gen/securityhub/v1/authorization.ts';
import * as policyMessages from '../../../src/gen/securityhub/v1/policy.ts';
import * as hub from '../../../src/gen/securityhub/v1/security_hub.ts';
import type { DecisionWiring } from '../../../src/hub/check-permission/check-permission.wire.ts';
import { wireDecisions } from '../../../src/hub/check-permission/check-permission.wire.ts';
import { createStanding } from '../../../src/hub/principal/standing.ts';
import type { Presented } from '../../../src/hub/principal/principal.ts';
import type { Values } from '../../../src/server/config/field.ts';
import type { Service } from '../../../src/server/rpc/define.ts';
import { callAs, userCaller, workloadEntry } from '../../callers.ts';
import { createTestPlatform, type FreshDatabase, type TestPlatform } from '../../harness.ts';

const settings: Values<typeof authorizationConfig> = {
  rightsCacheEntries: 10_000,
  rightsCacheTtl: 300_000,
  roleCacheEntries: 1000,
  roleCacheTtl: 3_600_000,
  decisionsPerSecond: 100,
  decisionDays: 7,
  decisionTtl: 30_000,
};

/** `tenant/user`. Anything else does not exist. */
export const USERS: ReadonlyMap<string, string> = new Map([
  ['acme/usr_owner', 'active'],
  ['acme/usr_second', 'active'],
  ['acme/usr_admin', 'active'],
  ['acme/usr_roles', 'active'],
  ['acme/usr_checker', 'active'],
  ['acme/usr_viewer', 'active'],
  ['acme/usr_plain', 'active'],
  ['acme/usr_suspended', 'suspended'],
  ['acme/usr_deleted', 'deleted'],
  ['other/usr_foreign', 'active'],
  ['partner/usr_partner', 'active'],
  ['closed/usr_closed', 'active'],
]);

export const entryOf = (over: Partial<WorkloadEntry> = {}): WorkloadEntry =>
  workloadEntry({
    namespace: 'default',
    name: 'billing',
    audiences: ['billing'],
    tenants: ['partner', 'closed'],
    resourceTypes: ['invoices'],
    calls: ['CheckPermission', 'BatchCheck'],
    permissions: ['encryption_key:encrypt'],
    ...over,
  });

export const workload = (entry: WorkloadEntry | null = entryOf()): Caller => ({
  kind: 'workload',
  tenantId: 'acme',
  spiffeId: 'spiffe://test/ns/default/sa/billing',
  namespace: 'default',
  name: 'billing',
  entry,
});

export const apiKey = (ownerId: string, permissions: readonly string[], scopes: readonly string[] = []): Caller => ({
  kind: 'api_key',
  tenantId: 'acme',
  keyId: 'key_1',
  ownerId,
  permissions,
  scopes,
});

export const user = (userId: string, scopes: readonly string[] = []): Caller => userCaller('acme', userId, { scopes });

/** What a request leaves out is empty, as ts-proto decodes it. */
const filled = (method: string, request: object): object =>
  (({ ...authorizationMessages, ...policyMessages }) as unknown as Readonly<Record<string, { fromPartial?(part: object): object }>>)[
    `${method}Request`
  ]?.fromPartial?.(request) ?? request;

const KEYS = new Map([
  ['key_1', { ownerId: 'usr_viewer', permissions: ['conversations:read', 'users:read'] as readonly string[], scopes: [] }],
]);

/** `good:<tenant>:<user>:<scopes>` is an access token in good order; `bad:<reason>` is refused with that reason. */
const verify: DecisionWiring['verify'] = (token): Presented => {
  const [kind, a = '', name = '', scopes = ''] = token.split(':');
  const b = name.replace('+mfa', '');
  if (kind !== 'good') return { ok: false, reason: a === '' ? 'TOKEN_MALFORMED' : a, message: 'the token is not good' };
  const limits = { also: [], cap: null, scopes: [scopes === '' ? [] : scopes.split(',').map((s) => s.replace('.', ':'))] };
  const subject = { type: 'user', id: b };
  return {
    ok: true,
    tenantId: a,
    subject,
    standing: { active: true, holder: subject, limits, account: null },
    expiresAt: Date.now() + 20_000,
    home: null,
    proven: { mfaVerified: name.endsWith('+mfa'), sessionId: '', authMethod: 'password', riskLevel: 'low', riskScore: 0 },
  };
};

export interface World {
  readonly platform: TestPlatform;
  readonly authorization: Authorization;
  readonly decisions: ReturnType<typeof wireDecisions>;
  readonly services: readonly Service[];
  check(caller: Caller, request: Partial<CheckPermissionRequest>, over?: Partial<Call>): Promise<hub.CheckPermissionResponse>;
  batch(caller: Caller, request: Partial<BatchCheckRequest>, over?: Partial<Call>): Promise<BatchCheckResponse>;
  /** A row's handler, as behind the onion. */
  call<T>(method: string, request: object, caller: Caller): Promise<T>;
}

export const createWorld = async (
  database: FreshDatabase,
  options: {
    readonly clock?: Clock;
    readonly redis?: boolean;
    readonly users?: ReadonlyMap<string, string>;
    readonly sealer?: Sealer;
    readonly settings?: Partial<typeof settings>;
    /** Told of every transaction that authorization opens. */
    readonly opened?: () => void;
  } = {},
): Promise<World> => {
  const { users = USERS, settings: over = {}, opened = () => {}, ...rest } = options;
  const platform = await createTestPlatform({ database, ...rest });
  const tenant: TestPlatform['db']['tenant'] = (tenantId, work) => {
    opened();
    return platform.db.tenant(tenantId, work);
  };
  const { door: authorization, services } = wireAuthorization(
    { ...platform, db: { ...platform.db, tenant } },
    { ...settings, ...over },
    {
      watermarkUntil: () => platform.clock.now() + 3_600_000,
      subjects: {
        known: (tenantId, { type, id }) => (type === 'user' ? users.has(`${tenantId}/${id}`) : id === 'default/billing'),
        acts: (tenantId, { type, id }) => (type === 'user' ? users.get(`${tenantId}/${id}`) === 'active' : id === 'default/billing'),
        limits: (_, { type }) => ({ also: type === 'service' ? entryOf().permissions : [], cap: null, scopes: [] }),
        page: async (tenantId, kind, after, limit) =>
          (kind === 'service'
            ? ['default/billing']
            : [...USERS]
                .filter(([, status]) => status === 'active')
                .flatMap(([key]) => (key.startsWith(`${tenantId}/`) ? [key.slice(tenantId.length + 1)] : []))
          )
            .filter((id) => id > after)
            .sort()
            .slice(0, limit),
        barred: (...asked) => decisions.barred(...asked),
        nameOf: (_, { type, id }) => (type === 'user' ? id.slice('usr_'.length) : ''),
        active: async (tenantId, ids) => ids.filter((id) => users.get(`${tenantId}/${id}`) === 'active'),
      },
      enforceDataAccess: (request, call) => decisions.enforceDataAccess(request, call),
      listResources: (request, call) => decisions.listResources(request, call),
    },
  );
  const decisions = wireDecisions(platform, {
    authorization,
    verify,
    decisionTtl: settings.decisionTtl,
    tenant: (tenantId) => ({ status: tenantId === 'closed' ? 'suspended' : 'active' }),
    userNamed: (tenantId, name) => (users.has(`${tenantId}/usr_${name}`) ? `usr_${name}` : null),
    standing: createStanding({
      user: (tenantId, id) => {
        const status = users.get(`${tenantId}/${id}`);
        return status === undefined ? null : { status };
      },
      workload: (namespace, name) => (namespace === 'default' && name === 'billing' ? entryOf() : null),
      foreign: () => false,
      apiKey: (tenantId, keyId) => (tenantId === 'acme' ? (KEYS.get(keyId) ?? null) : null),
    }),
  });
  await platform.start();
  const now = (): number => platform.clock.now();
  return {
    platform,
    authorization,
    decisions,
    services,
    check: async (caller, request, over) => {
      const answer = await decisions.checkPermission(
        hub.CheckPermissionRequest.fromPartial(request),
        callAs(caller, { now: now(), ...over }),
      );
      return Buffer.isBuffer(answer) ? hub.CheckPermissionResponse.decode(answer) : answer;
    },
    batch: async (caller, request, over) =>
      hub.BatchCheckResponse.decode(
        await decisions.batchCheck(hub.BatchCheckRequest.fromPartial(request), callAs(caller, { now: now(), ...over })),
      ),
    call: async (method, request, caller) => {
      const found = services.flatMap((each) => each.methods).find((each) => each.method.path.endsWith(`/${method}`));
      if (found === undefined || !('handle' in found.row)) throw new Error(`no row ${method}`);
      return found.row.handle(filled(method, request), callAs(caller, { now: now(), method }));
    },
  };
};

/** Roles given by the installation itself, past all guards. */
export const seed = async (world: World, tenantId: string, roles: Readonly<Record<string, readonly string[]>>): Promise<void> => {
  for (const [userId, names] of Object.entries(roles))
    await world.platform.write(tenantId, async (tx) => {
      const { changes } = await world.authorization.assignRoles(tx, tenantId, { type: 'user', id: userId }, names, null);
      return { result: null, changes };
    });
};

/** Everything from a request's fields that is not said is empty, as ts-proto decodes it. */
export const resource = (type: string, over: Partial<NonNullable<CheckPermissionRequest['resource']>> = {}) => ({
  type,
  id: '',
  tenantId: '',
  ownerId: '',
  classification: '',
  attributes: undefined,
  parents: [],
  ...over,
});

export const subject = (id: string, over: Partial<Subject> = {}): { $case: 'subject'; value: Subject } => ({
  $case: 'subject',
  value: Subject.fromPartial({ type: 'user', id, ...over }),
});

export const token = (value: string): { $case: 'token'; value: string } => ({ $case: 'token', value });

/** The fault's code and reason, or what came instead of one. */
export const faultOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    return `no fault: ${JSON.stringify(await work)}`;
  } catch (thrown) {
    const { code, reason } = thrown as { code: string; reason?: string };
    return `${code}/${reason ?? String(thrown)}`;
  }
};
