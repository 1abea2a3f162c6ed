// The composition root: stores, capabilities and transport become one hub that starts and stops.
import { wireAudit } from './audit/audit.wire.ts';
import { createPager } from './base/page.ts';
import { type Random, systemRandom } from './base/random.ts';
import { type Clock, systemClock } from './base/time.ts';
import { wireCapabilities } from './capabilities.wire.ts';
import { openMasterKey } from './encryption/master-key.wire.ts';
import type { Config } from './server/config/schema.ts';
import { portTls } from './server/grpc/files.ts';
import { createLog, type ProcessLog } from './server/observability/log.ts';
import { createMetrics } from './server/observability/metrics.ts';
import type { Platform, Recorder } from './server/platform.ts';
import { createLifecycle, type Part } from './server/process/lifecycle.ts';
import { createBudgets } from './server/rpc/budgets.ts';
import { createTransport } from './server/transport.ts';
import { createStorage, type Storage } from './storage/storage.wire.ts';

export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: ProcessLog;
}

export type App = Awaited<ReturnType<typeof createApp>>;

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
  const production = config.server.environment === 'production';
  const ground = { ...storage, clock, random, log, metrics, production, sealer, pager: createPager(sealer.derive('page-token')) };
  const audit = wireAudit(ground, config.audit);
  late.recorder = audit.recorder;
  const { keyMiss, ...rates } = config.budgets;
  const budgets = createBudgets(clock, { ...rates, key_miss: keyMiss });
  metrics.gauge('securityhub_budgets', 'Callers whose budgets are not full.', {}, () => budgets.size);
  const platform: Platform = { ...ground, audit: audit.recorder, pay: budgets.pay };
  const capabilities = wireCapabilities(platform, config, () => transport.methods);
  const { tokens, certificates } = capabilities;

  const held = new Set<string>();
  const missing = (): readonly string[] => {
    const state = storage.feed.state();
    const news = state.kind === 'not_ready' ? [state.reason] : state.kind === 'stale' ? ['news of revocations is too old'] : [];
    return [...held, ...news, ...capabilities.notReady()];
  };
  const transport = createTransport({
    config,
    clock,
    random,
    log,
    metrics,
    recorder: audit.recorder,
    services: [...capabilities.services, ...audit.services],
    authenticate: capabilities.authenticate,
    holds: capabilities.holds,
    pay: budgets.pay,
    tls: portTls(config, certificates.serverIdentity(), log),
    missing,
    keys: {
      jwks: () => ({ json: JSON.stringify(tokens.door.jwks()), maxAge: Math.floor(tokens.jwksMaxAge / 1000) }),
      issuer: config.tokens.issuer,
      proofAlgorithms: tokens.proofAlgorithms,
      algorithms: () => [...new Set(tokens.door.jwks().keys.map((key) => key.alg))],
    },
  });

  const stores: Part = {
    name: 'storage',
    start: () =>
      storage.start().catch(async (error: unknown) => {
        await storage.stop();
        throw error;
      }),
    stop: storage.stop,
  };
  const writers: Part = {
    name: 'writers',
    async stop() {
      await capabilities.close();
      await audit.recorder.flush();
      await storage.flushOutbox();
    },
  };
  const patience = config.grpc.drain + PATIENCE;
  const inner = createLifecycle({ log, parts: [stores, { name: 'keys', start: capabilities.start }, writers], patience });
  const whole = createLifecycle({ log, parts: [{ name: 'hub', ...inner }, ...transport.parts], patience: 2 * patience });
  return {
    config,
    log,
    platform,
    about: storage.about,
    recover: storage.recover,
    invoker: transport.invoker,
    ports: transport.ports,
    identity: capabilities.identity,
    tokens: tokens.door,
    apiKeys: capabilities.apiKeys,
    trustBundle: () => certificates.door.bundle(clock.now()).pem,
    /** Stores and keys without a socket: for commands that work on the data. */
    open: inner,
    /** Not ready for this reason until the answer is called. */
    hold(reason: string): () => void {
      held.add(reason);
      return () => void held.delete(reason);
    },
    /** For a command that opened nothing. */
    close: storage.stop,
    /** Everything. */
    ...whole,
  };
};
