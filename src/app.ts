// The composition root: joins the doors of all capabilities, the stores and the transport into one hub.
import { wireApiKeys } from './api-keys/api-keys.wire.ts';
import { wireAudit } from './audit/audit.wire.ts';
import { wireAuthorization } from './authorization/authorization.wire.ts';
import { tenantsOf } from './base/caller.ts';
import { andThen } from './base/maybe.ts';
import { createPager } from './base/page.ts';
import { type Random, systemRandom } from './base/random.ts';
import { type Clock, systemClock } from './base/time.ts';
import { wireCertificates } from './certificates/certificates.wire.ts';
import { decryptHandler, encryptHandler } from './encryption/encryption.rpc.ts';
import { wireEncryption } from './encryption/encryption.wire.ts';
import { openMasterKey } from './encryption/master-key.wire.ts';
import { createHub } from './hub/hub.ts';
import { createStanding } from './hub/principal-standing.ts';
import { createTerms } from './hub/subject-terms.ts';
import { mightOf } from './identity/identity.ts';
import { wireIdentity } from './identity/identity.wire.ts';
import { tlsWanted } from './server/config/refusals.ts';
import { wireIssuers } from './issuers/issuers.wire.ts';
import type { Config } from './server/config/schema.ts';
import { tlsFromFiles } from './server/grpc/files.ts';
import { knownHost } from './server/http/hosts.ts';
import { createLog, type ProcessLog } from './server/observability/log.ts';
import { createMetrics } from './server/observability/metrics.ts';
import type { Platform, Recorder } from './server/platform.ts';
import { createLifecycle } from './server/process/lifecycle.ts';
import { createBudgets } from './server/rpc/budgets.ts';
import { createTransport } from './server/transport.ts';
import { createStorage, type Storage } from './storage/storage.wire.ts';
import { createTokensWired } from './tokens/tokens.wire.ts';

export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: ProcessLog;
}

export type App = Awaited<ReturnType<typeof createApp>>;

/** Of somebody who is not there. */
const NO_LIMITS = { also: [], cap: null, scopes: [] };

/** Beyond the time that calls under way may take, what one part may take to stop. */
const PATIENCE = 5000;

/** The stores are open and migrated and everything is joined when this resolves; nothing listens before `start`. */
export const createApp = async (config: Config, overrides: Overrides = {}) => {
  const { server } = config;
  const clock = overrides.clock ?? systemClock;
  const random = overrides.random ?? systemRandom;
  const production = server.environment === 'production';
  const log = overrides.log ?? createLog({ service: server.serviceName, level: server.logLevel });
  const metrics = createMetrics(server.serviceName);
  const sealer = openMasterKey(config, random);

  // Changes carry their audit events; the recorder that writes them needs the storage first.
  const late: { recorder?: Recorder } = {};
  const storage = await createStorage({
    config: config.storage,
    dataDir: server.dataDir,
    production,
    clock,
    log,
    metrics,
    insertEvents: async (tx, events) => late.recorder?.insert(tx, events),
  });
  try {
    await sealer.check(storage.db);
    return join({ config, clock, random, log, metrics, sealer, storage, late });
  } catch (error) {
    // Open connections, and a database of our own, would keep the process alive.
    await storage.stop();
    throw error;
  }
};

interface Foundation extends Required<Overrides> {
  readonly config: Config;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly sealer: ReturnType<typeof openMasterKey>;
  readonly storage: Storage;
  readonly late: { recorder?: Recorder };
}

const join = ({ config, clock, random, log, metrics, sealer, storage, late }: Foundation) => {
  const { server } = config;
  const production = server.environment === 'production';
  const ground = { ...storage, clock, random, log, metrics, production, sealer, pager: createPager(sealer.derive('page-token')) };
  const audit = wireAudit(ground, config.audit);
  const { keyMiss, ...rates } = config.budgets;
  const budgets = createBudgets(clock, { ...rates, key_miss: keyMiss });
  metrics.gauge('securityhub_budgets', 'Callers whose budgets are not full.', {}, () => budgets.size);
  late.recorder = audit.recorder;
  const platform: Platform = { ...ground, audit: audit.recorder, pay: budgets.pay };

  // The doors know one another by ports; those that stand further down are called through, never copied.
  const {
    authorization,
    services: authorizationServices,
    close: closeAuthorization,
  } = wireAuthorization(platform, config.authorization, {
    subjects: {
      known: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found !== null),
      active: (tenantId, userIds) => identity.door.activeUsers(tenantId, userIds),
      acts: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found?.active === true),
      limits: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found?.limits ?? NO_LIMITS),
      page: (tenantId, kind, after, limit) => identity.door.subjectIds(tenantId, kind, after, limit),
    },
    enforceDataAccess: (request, call) => hub.enforceDataAccess(request, call),
  });
  const tokens = createTokensWired(platform, config.tokens, {
    user: (tenantId, userId) => identity.door.user(tenantId, userId),
    tenant: (tenantId) => identity.door.tenant(tenantId),
    rights: authorization.rights,
    holds: authorization.holds,
    knownHost: (authority) => knownHost(authority, server.httpHosts),
    terms: (tenantId, userId) => terms(tenantId, userId),
    foreign: {
      read: (token, { caller, peer, now }) =>
        andThen(issuers.door.verify(token, now, 0, tenantsOf(caller), { caller, peer }), (found) => found?.claims ?? null),
      knows: (tenantId, id) => issuers.door.knows(tenantId, id),
    },
  });
  const identity = wireIdentity(
    platform,
    config.identity,
    { trustDomain: config.certificates.trustDomain, longestTokenLife: tokens.longest },
    {
      authorization,
      tokens: tokens.door,
      methodNames: () => transport.methods,
      endService: (...one) => certificates.door.endService(...one),
    },
  );
  const apiKeys = wireApiKeys(platform, config.apiKeys, { authorization, identity: identity.door });
  const terms = createTerms({ ...identity.door, rights: authorization.rights });
  const issuers = wireIssuers(
    platform,
    config.issuers,
    { ownIssuer: config.tokens.issuer, longest: tokens.longestLife },
    { ...authorization, jws: tokens.jws, namespaceOwner: (namespace) => identity.door.namespaceOwner(namespace) },
  );
  const standing = createStanding({
    user: identity.door.user,
    workload: identity.door.workload,
    apiKey: apiKeys.door.usable,
    foreign: issuers.door.knows,
  });
  const { encryption, services: encryptionServices } = wireEncryption(
    platform,
    {
      holds: authorization.holds,
      defaultKeyName: (tenantId) => andThen(identity.door.tenant(tenantId), (tenant) => tenant?.defaultKeyName ?? ''),
    },
    config.encryption,
  );
  const certificates = wireCertificates(
    platform,
    { ...config.certificates, serviceName: server.serviceName },
    {
      ...identity.door,
      holds: authorization.holds,
      outranks: (caller, tenantId, { namespace, service }) =>
        andThen(identity.door.workload(namespace, service), (entry) =>
          authorization.outranks(
            caller,
            tenantId,
            { type: 'service', id: `${namespace}/${service}` },
            entry === null ? [] : mightOf(entry),
          ),
        ),
    },
  );
  const hub = createHub(platform, {
    tokens: tokens.door,
    apiKeys: apiKeys.door,
    issuers: issuers.door,
    identity: identity.door,
    authorization,
    certificates: certificates.door,
    standing,
    audiences: config.tokens.audience.split(','),
    decisionTtl: config.authorization.decisionTtl,
    extAuthzMode: config.hub.extAuthzMode,
    encrypt: encryptHandler(encryption),
    decrypt: decryptHandler(encryption),
    issueServiceCert: certificates.issueServiceCert,
  });

  const own = certificates.serverIdentity();
  const files = { cert: server.tlsCertPath, key: server.tlsKeyPath, ca: config.grpc.tlsCaPath };
  const source = () => (files.cert === '' ? own : tlsFromFiles(files, own, log));
  const tlsOf = (host: string) => (tlsWanted({ production, tls: server.tls }, host) ? source() : null);
  const held = new Set<string>();
  const missing = (): readonly string[] => {
    const state = storage.feed.state();
    const news = state.kind === 'not_ready' ? state.reason : state.kind === 'stale' ? 'news of revocations is too old' : null;
    return [...held, ...[news, tokens.door.notReady(), certificates.notReady()].filter((reason) => reason !== null)];
  };
  const transport = createTransport({
    config,
    clock,
    random,
    log,
    metrics,
    recorder: audit.recorder,
    services: [
      ...hub.services,
      ...identity.services,
      ...tokens.services,
      ...apiKeys.services,
      ...issuers.services,
      ...authorizationServices,
      ...encryptionServices,
      ...certificates.services,
      ...audit.services,
    ],
    authenticate: hub.authenticate,
    holds: authorization.holds,
    pay: budgets.pay,
    tls: () => ({ grpc: tlsOf(server.grpcHost), http: tlsOf(server.httpHost) }),
    missing,
    keys: {
      jwks: () => ({ json: JSON.stringify(tokens.door.jwks()), maxAge: Math.floor(tokens.jwksMaxAge / 1000) }),
      issuer: config.tokens.issuer,
      proofAlgorithms: tokens.proofAlgorithms,
      algorithms: () => [...new Set(tokens.door.jwks().keys.map((key) => key.alg))],
    },
  });

  const stores = {
    name: 'storage',
    start: () =>
      storage.start().catch(async (error: unknown) => {
        await storage.stop();
        throw error;
      }),
    stop: () => storage.stop(),
  };
  const keys = {
    name: 'keys',
    start: async () => {
      await tokens.start();
      await certificates.start();
    },
  };
  const writers = {
    name: 'writers',
    stop: async () => {
      await Promise.all([closeAuthorization(), identity.close(), apiKeys.close(), certificates.close()]);
      await audit.recorder.flush();
      await storage.flushOutbox();
    },
  };
  const patience = config.grpc.drain + PATIENCE;
  const inner = createLifecycle({ log, parts: [stores, keys, writers], patience });
  const whole = createLifecycle({
    log,
    parts: [{ name: 'hub', start: inner.start, stop: inner.stop }, ...transport.parts],
    patience: 2 * patience,
  });
  return {
    config,
    log,
    platform,
    about: storage.about,
    recover: storage.recover,
    invoker: transport.invoker,
    ports: transport.ports,
    identity: identity.door,
    tokens: tokens.door,
    apiKeys: apiKeys.door,
    trustBundle: () => certificates.door.bundle(clock.now()).pem,
    /** Stores and keys without a socket: for commands that work on the data. */
    open: inner,
    /** Not ready for this reason until the answer is called. */
    hold(reason: string): () => void {
      held.add(reason);
      return () => void held.delete(reason);
    },
    /** For a command that opened nothing. */
    close: () => storage.stop(),
    /** Everything. */
    ...whole,
  };
};
