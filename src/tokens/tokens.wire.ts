// Joins the tokens capability to the platform: mirror, verdict cache, families, deny list. Keys and watchers have wires of their own.
import { hours, minutes, type Millis } from '../base/time.ts';
import { nextTurn } from '../base/turn.ts';
import type { Values } from '../server/config/field.ts';
import { CACHE_REQUESTS, CACHE_REQUESTS_HELP, type Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { ACTIVITY_STEP, createActivity } from './activity.ts';
import { createCheckProof } from './proof/check-proof.ts';
import { timing } from './claims.ts';
import { readConfirmation } from './confirmation.ts';
import { COUNT_TURN, countSessions } from './count-sessions.ts';
import { sessionCounts } from './counts.postgres.ts';
import { createDenyList } from './deny-list.cache.ts';
import { createFamilies } from './families.postgres.ts';
import { inPieces } from './in-pieces.ts';
import { ALGORITHMS, parseSegments } from './jws.ts';
import { createKeyring } from './keys/keyring.ts';
import { createMirror, isWatermark, WATERMARK_KINDS } from './mirror.ts';
import { createProofNonces } from './proof/proof-nonce.ts';
import type { RefreshKeys } from './refresh-token.ts';
import { sessionStore } from './sessions.postgres.ts';
import { spentStore } from './spent.postgres.ts';
import { signatureHolds } from './signature.ts';
import type { SigningDevice } from './keys/signing-device.ts';
import { wireKeys } from './keys/keys.wire.ts';
import { strictJsonObject } from './strict-json.ts';
import { endIdleSessions, sweepSpent } from './sweep.ts';
import type { tokensConfig } from './tokens.config.ts';
import { tokenService } from './tokens.rpc.ts';
import { createTokens, type TokenPorts, type TokensDoor } from './tokens.ts';
import { createVerifier, MAX_GRACE } from './verify.ts';
import { createWatch } from './watch/watch.wire.ts';
import { watermarkUntil } from './watermark.ts';

export interface TokensWire {
  readonly door: TokensDoor;
  readonly services: readonly Service[];
  /** The longest that an access token is accepted anywhere after its issue, grace included. */
  readonly longest: Millis;
  /** The same without grace. */
  readonly longestLife: Millis;
  /** How long a copy of our keys may be kept: well below the time that a key is shown ahead of its use. */
  readonly jwksMaxAge: Millis;
  /** How we read and check a JWS, for whoever verifies those of others. */
  readonly jws: typeof jws;
  /** Makes or loads the signing keys. Before the first call; the mirror fills when the feed starts. */
  start(): Promise<void>;
  /** By which DPoP proofs may be signed. */
  readonly proofAlgorithms: readonly string[];
}

/** The longest life a verifier accepts: the most that can be configured, so that replicas configured apart agree; development tokens live 12 h. */
const longestLife = (production: boolean): Millis => (production ? hours(1) : hours(12));

// About a millisecond.
const SWEEP_SLICE = 2_000;
/** Rows of ends written in one transaction. */
const END_ROWS = { least: 50, most: 1000 };

/** A key revoked in an emergency is believed by those who only ask now and then for this long at most. */
const KEYS_KEPT = minutes(5);

/** Sessions whose last activity waits to be written; about 200 bytes each. */
const ACTIVE_SESSIONS = 200_000;
const TOUCH_ROWS = 1000;

const jws = {
  segments: parseSegments,
  object: strictJsonObject,
  holds: signatureHolds,
  confirmation: readConfirmation,
  timing,
};

/**
 * Wire it before the feed starts: live revocations are replayed to the mirror first.
 * @param device signs in place of the stored key, which stands in for it.
 */
export const wireTokens = (
  platform: Platform,
  config: Values<typeof tokensConfig>,
  ports: TokenPorts,
  device: SigningDevice | null = null,
): TokensWire => {
  const { clock, feed, sealer, db, metrics } = platform;
  const longest = longestLife(platform.production);
  const keyring = createKeyring();
  const mirror = createMirror(config.mirrorSize);
  const activity = createActivity(ACTIVE_SESSIONS);
  const asked = (result: string) => metrics.counter(CACHE_REQUESTS, CACHE_REQUESTS_HELP, { cache: 'verified_token', result });
  const verifier = createVerifier({
    keyring,
    issuer: config.issuer,
    longest,
    capacity: config.verdictCacheSize,
    onSeen: ({ tenantId, sessionId }, at) => activity.note({ tenantId, sessionId, at }),
    pay: (payer) => platform.pay('cold', payer),
    count: { hit: asked('hit'), refused: asked('refused'), miss: asked('miss') },
  });
  const refreshKeys: RefreshKeys = {
    tag: sealer.derive('refresh-token:tag'),
    hash: sealer.derive('refresh-token:hash'),
    successor: sealer.derive('refresh-token:successor'),
  };
  const watermarks = { clock, longest };
  const families = createFamilies();
  feed.on(
    WATERMARK_KINDS,
    (change) => {
      if (isWatermark(change)) mirror.apply(change);
    },
    // Numbers of another history mean nothing; the feed gives no verdict until all live ones have been applied again.
    () => mirror.clear(),
  );
  const keys = wireKeys(platform, config, { keyring, longest, device });
  const watch = createWatch(platform, {
    mirror,
    keyring,
    issuer: config.issuer,
    longestLife: longest,
    backlog: config.watchBacklog,
    holds: (caller, permission) => ports.holds(caller, permission),
  });
  const door = createTokens({
    clock,
    random: platform.random,
    write: platform.write,
    readHead: platform.readHead,
    groupCommit: platform.groupCommit,
    feed,
    keyring,
    mirror,
    verifier,
    families,
    refreshKeys,
    watermarks,
    denyList: createDenyList({ cache: platform.cache, familyLife: config.sessionLife, tokenLife: longest }),
    issuer: config.issuer,
    audience: config.audience.split(',').filter((name) => name !== ''),
    checkProof: createCheckProof({
      cache: platform.cache,
      pay: (payer) => platform.pay('proof', payer),
      nonces: config.proofNonces === 'required' ? createProofNonces(sealer.derive('dpop-nonce')) : null,
    }),
    knownHost: (authority) => ports.knownHost(authority),
    rotation: config.rotation,
    maxActors: config.exchangeDepth,
    accessLife: config.accessLife,
    sessionIdle: config.sessionIdle,
    sessionLife: config.sessionLife,
    longest,
    db,
    pager: platform.pager,
    sessions: sessionStore,
    counts: sessionCounts,
    head: (tenantId) => db.tenant(tenantId, platform.readHead),
    watermarkUntil: () => watermarkUntil(watermarks),
    // Called through, not copied: the composition root may still be joining them.
    foreign: ports.foreign,
    user: (tenantId, userId) => ports.user(tenantId, userId),
    tenant: (tenantId) => ports.tenant(tenantId),
    rights: (tenantId, subject) => ports.rights(tenantId, subject),
    terms: (tenantId, userId) => ports.terms(tenantId, userId),
    holds: (caller, permission) => ports.holds(caller, permission),
    isWorkload: (tenantId, key) => ports.isWorkload(tenantId, key),
    watch,
    rotateKey: keys.rotateKey,
    revokeKey: keys.revokeKey,
    listKeys: keys.listKeys,
  });

  platform.every('tokens.mirror', minutes(1), async () => {
    while (mirror.sweep(feed.past(), SWEEP_SLICE)) await nextTurn();
  });
  const sweeping = { db, clock, spent: spentStore, longest };
  platform.every('tokens.sweep', minutes(1), sweepSpent(sweeping), true);
  platform.every('tokens.idle', hours(1), endIdleSessions(sweeping), true);
  platform.every(
    'tokens.ends',
    minutes(10),
    async () => {
      await inPieces({ clock }, END_ROWS, (limit) => db.jobs((tx) => families.followEnds(tx, limit)));
    },
    true,
  );
  platform.every('tokens.activity', ACTIVITY_STEP, async () => {
    for (const seen of activity.take(TOUCH_ROWS)) await db.jobs((tx) => sessionStore.touch(tx, seen));
  });
  observeSessions(platform);
  metrics.gauge('securityhub_revocations_live', 'Live revocations in the mirror.', {}, () => mirror.size);
  metrics.gauge('securityhub_verified_tokens', 'Verified tokens in memory.', {}, () => verifier.size);

  return {
    door,
    services: [tokenService(door)],
    longest: longest + MAX_GRACE,
    longestLife: longest,
    jwksMaxAge: Math.min(KEYS_KEPT, config.keyAhead / 4),
    jws,
    proofAlgorithms: ALGORITHMS,
    start: keys.start,
  };
};

/** Tenants with a series of their own; those beyond are counted together. */
const SHOWN_TENANTS = 200;

const observeSessions = ({ every, db, clock, metrics }: Pick<Platform, 'every' | 'db' | 'clock' | 'metrics'>): void => {
  every('tokens.count', COUNT_TURN, countSessions({ db, clock, counts: sessionCounts }), true);
  const shown = new Map<string, number>();
  every('tokens.sessions', minutes(1), async () => {
    const living = await db.jobs((tx) => sessionCounts.active(tx));
    for (const tenant of shown.keys()) shown.set(tenant, 0);
    for (const [tenantId, sessions] of living) {
      const tenant = shown.has(tenantId) || shown.size < SHOWN_TENANTS ? tenantId : 'others';
      if (!shown.has(tenant))
        metrics.gauge(
          'securityhub_active_sessions',
          'Living sessions, as they were last counted.',
          { tenant },
          () => shown.get(tenant) ?? 0,
        );
      shown.set(tenant, (shown.get(tenant) ?? 0) + sessions);
    }
  });
};
