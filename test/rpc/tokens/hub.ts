// Tokens on a real platform, with people as plain values: what the tests of this folder stand on.
import { Buffer } from 'node:buffer';
import type { Tx } from '../../../src/storage/storage.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { systemRandom } from '../../../src/base/random.ts';
import type { Clock, Millis } from '../../../src/base/time.ts';
import { createSealer } from '../../../src/encryption/sealer.ts';
import type { Limited } from '../../../src/hub/guards.ts';
import { createNotice } from '../../../src/hub/notice.ts';
import { createValidateToken, type ValidateTokenPorts } from '../../../src/hub/validate-token/validate-token.ts';
import type { Values } from '../../../src/server/config/field.ts';
import type { Metrics } from '../../../src/server/platform.ts';
import type { SigningDevice } from '../../../src/tokens/keys/signing-device.ts';
import { tokensConfig } from '../../../src/tokens/tokens.config.ts';
import type { Opening, SessionTerms, Standing, TokenPorts, Tokens } from '../../../src/tokens/tokens.ts';
import { wireTokens } from '../../../src/tokens/tokens.wire.ts';
import { createTestPlatform, type FreshDatabase, type TestPlatform } from '../../harness.ts';

export const TENANT = 'acme';
export const OTHER_TENANT = 'other';
export const ANNA = 'usr_anna';
export const ANONYMOUS: Caller = { kind: 'anonymous' };

/** As the configuration's defaults parse. */
export const tokensDefaults = (): Values<typeof tokensConfig> => {
  const entries = Object.entries(tokensConfig).map(([name, field]) => {
    const parsed = field.parse(field.default);
    if ('problem' in parsed) throw new Error(`${field.name} ${parsed.problem}`);
    return [name, parsed.value];
  });
  return Object.fromEntries(entries) as Values<typeof tokensConfig>;
};

export interface People {
  readonly users: Map<string, Standing>;
  readonly tenants: Map<string, Standing & Limited>;
  readonly permissions: Map<string, readonly string[]>;
  readonly terms: Map<string, SessionTerms>;
  /** Subjects that hold everything asked. */
  readonly powerful: Set<string>;
}

export const people = (): People => ({
  users: new Map([
    [`${TENANT}/${ANNA}`, { status: 'active', watermark: 0 }],
    [`${OTHER_TENANT}/usr_olaf`, { status: 'active', watermark: 0 }],
  ]),
  tenants: new Map([
    [TENANT, { status: 'active', watermark: 0 }],
    [OTHER_TENANT, { status: 'active', watermark: 0 }],
  ]),
  permissions: new Map([[`${TENANT}/${ANNA}`, ['conversations:read', 'conversations:write']]]),
  terms: new Map(),
  powerful: new Set(),
});

export const portsOf = (who: People): TokenPorts => ({
  user: (tenantId, userId) => who.users.get(`${tenantId}/${userId}`) ?? null,
  tenant: (tenantId) => who.tenants.get(tenantId) ?? null,
  rights: (tenantId, subject) => ({ permissions: who.permissions.get(`${tenantId}/${subject.id}`) ?? [] }),
  terms: (tenantId, userId) => who.terms.get(`${tenantId}/${userId}`) ?? { restrictions: null, asOf: 0, idle: 0, life: 0, accessLife: 0 },
  holds: (caller) => caller.kind === 'user' && who.powerful.has(caller.userId),
  isWorkload: (_, key) => key === 'default/shop',
  knownHost: (authority) => authority === 'hub.test',
  foreign: { read: () => null, knows: () => false },
});

/** Anna, by her password, from nowhere in particular. */
const OPENING = {
  tenantId: TENANT,
  userId: ANNA,
  role: 'user',
  scopes: [],
  authMethod: 'password',
  mfaVerified: false,
  device: null,
  ipAddress: '192.0.2.1',
} as const;

const MASTER_KEY = Buffer.alloc(32, 7);

export interface TokensHub {
  readonly platform: TestPlatform;
  readonly door: ReturnType<typeof wireTokens>['door'];
  readonly who: People;
  login(over?: Partial<Opening>): Promise<Tokens>;
  /** Within a transaction. */
  openIn(tx: Tx, over?: Partial<Opening>): Promise<Tokens>;
  /** An access token of that life without a session. */
  mint(life: Millis, over?: Partial<Opening>): Promise<Tokens>;
  /** Does a background job's turn now. */
  turn(job: string): Promise<void>;
  stop(): Promise<void>;
}

export interface HubOptions {
  readonly clock?: Clock;
  readonly redis?: boolean;
  /** Another way to the same Redis. */
  readonly redisAddress?: string;
  readonly who?: People;
  readonly config?: Partial<Values<typeof tokensConfig>>;
  readonly device?: SigningDevice;
  readonly metrics?: Metrics;
  readonly masterKey?: Buffer;
  /** Background jobs wait for `turn`. */
  readonly jobsWait?: boolean;
}

/** One replica. Several on one database share keys and feed. */
export const tokensHub = async (database: FreshDatabase, options: HubOptions = {}): Promise<TokensHub> => {
  const base = await createTestPlatform({
    database,
    redis: options.redis ?? false,
    ...(options.redisAddress === undefined ? {} : { redisAddress: options.redisAddress }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const jobs = new Map<string, () => Promise<void>>();
  const every: TestPlatform['every'] = (name, length, work, leased) => {
    jobs.set(name, work);
    if (options.jobsWait !== true) base.every(name, length, work, leased);
  };
  const metrics = options.metrics ?? base.metrics;
  const platform: TestPlatform = { ...base, every, metrics, sealer: createSealer(options.masterKey ?? MASTER_KEY, systemRandom) };
  const who = options.who ?? people();
  const wired = wireTokens(platform, { ...tokensDefaults(), ...options.config }, portsOf(who), options.device ?? null);
  await wired.start();
  await platform.start();
  const openIn: TokensHub['openIn'] = (tx, over = {}) => wired.door.open({ ...OPENING, ...over, tx });
  return {
    platform,
    door: wired.door,
    who,
    openIn,
    login: async (over = {}) => (await platform.write(over.tenantId ?? TENANT, async (tx) => ({ result: await openIn(tx, over) }))).result,
    mint: (life, over = {}) => wired.door.mint({ ...OPENING, ...over, life }),
    async turn(job) {
      const work = jobs.get(job);
      if (work === undefined) throw new Error(`no job ${job}`);
      await work();
    },
    stop: () => platform.stop(),
  };
};

/** ValidateToken on the tokens of this hub for the people in `who`: no API keys, no foreign issuers, no certificates, no rights. */
export const validating = (hub: TokensHub, over: Partial<ValidateTokenPorts> = {}): ReturnType<typeof createValidateToken> =>
  createValidateToken({
    tokens: hub.door,
    notice: createNotice({ audit: hub.platform.audit, metrics: hub.platform.metrics }),
    feed: hub.platform.feed,
    rights: () => ({ roles: [], permissions: [], holds: () => false, validUntil: null, revision: 1 }),
    user: (tenantId, userId) => hub.who.users.get(`${tenantId}/${userId}`) ?? null,
    tenant: (tenantId) => hub.who.tenants.get(tenantId) ?? null,
    permits: () => null,
    holds: () => false,
    apiKeys: { verify: () => ({ ok: false, reason: 'TOKEN_REVOKED' }) },
    issuers: { verify: () => null },
    certificates: { validate: () => ({ ok: false, reason: 'CERTIFICATE_INVALID' }) },
    ...over,
  });
