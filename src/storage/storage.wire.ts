// Joins the storage: which database, which Redis, the feed between replicas, the jobs of all.
import { randomBytes } from 'node:crypto';
import type { AuditEntry } from '../base/event.ts';
import { type Clock, type Instant, minutes } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import { CACHE_REQUESTS, CACHE_REQUESTS_HELP, type Log, type Metrics } from '../server/platform.ts';
import { createMemoryCache } from './cache.memory.ts';
import { createRedisCache } from './cache.redis.ts';
import { appendChanges, createFeedSource, insertMessages, readHead, startGeneration, sweepChanges } from './changes.postgres.ts';
import { connectRedis, type RedisClient, untilReady } from './connection.redis.ts';
import { createDatabase } from './database.postgres.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.postgres.ts';
import { createLogEventSink } from './events.log.ts';
import { createRedisEventSink } from './events.redis.ts';
import { createJobs } from './every.ts';
import { createFeed, type FeedOptions } from './feed.ts';
import { createGroupCommit } from './group-commit.ts';
import { createLease } from './lease.postgres.ts';
import type { RoleReport } from './migrate.postgres.ts';
import { createOutboxStore } from './outbox.postgres.ts';
import { createPool, type Pool } from './pool.postgres.ts';
import { prepareDatabase } from './prepare.postgres.ts';
import { createRelay, type EventSink } from './relay.ts';
import type { Feed, Stores, Tx } from './storage.ts';
import type { storageConfig } from './storage.config.ts';
import { createMemoryHub } from './stream.memory.ts';
import { createRedisStream } from './stream.redis.ts';
import { createTracked } from './tracked.ts';
import { createWrite } from './write.ts';

export type StorageConfig = Values<typeof storageConfig>;

export interface StorageDeps {
  readonly config: StorageConfig;
  readonly dataDir: string;
  readonly production: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics;
  /** The audit capability's, which is wired later: called only inside `write`. */
  readonly insertEvents: (tx: Tx, events: readonly AuditEntry[]) => Promise<void>;
  /** Where outbox messages go; default the Redis stream `<prefix>events`, without Redis the log. */
  readonly sink?: EventSink;
  /** Default: outside production. */
  readonly migrateAtStart?: boolean;
}

export interface Storage extends Stores {
  /** Where things are, for one line at start: no secrets. */
  readonly about: { readonly postgres: 'embedded' | 'external'; readonly redis: 'memory' | 'external' };
  readonly role: RoleReport;
  /** Waits until other systems have what stands in the outbox, if this replica is the one that carries it. */
  flushOutbox(): Promise<void>;
  /** After a restore: see `startGeneration`. */
  recover(refuseUntil: Instant): Promise<number>;
  /** Loads the feed (all listeners must stand), then lets jobs and the relay run. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Says it once when something begins to fail, not at every try. */
const once = (log: Log, message: string): ((error: unknown) => void) => {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (now - last > 30_000) log.warn({ error }, message);
    last = now;
  };
};

/** The database is up, migrated and checked when this resolves; nothing is loaded yet. */
export const createStorage = async (deps: StorageDeps): Promise<Storage> => {
  const { config, clock, log } = deps;
  const embedded: EmbeddedPostgres | null = config.postgresUri === '' ? await startEmbeddedPostgres({ dataDir: deps.dataDir }) : null;
  const uri = embedded?.uri ?? config.postgresUri;
  const role = await prepareDatabase({
    uri,
    migrationUri: config.migrationPostgresUri,
    migrate: deps.migrateAtStart ?? !deps.production,
    production: deps.production,
    log,
  }).catch(async (error: unknown) => {
    await embedded?.stop();
    throw error;
  });

  const replica = `rep_${randomBytes(12).toString('hex')}`;
  const onError = once(log, 'a database connection failed');
  const pool = createPool({ uri, size: config.postgresPoolSize, onError });
  // Its own, so that a crowd waiting for connections does not make this replica's knowledge old.
  const feedPool = createPool({ uri, size: 2, onError });
  const db = createDatabase({ pool });
  const lease = createLease(db, replica);
  const redis = redisOf(deps);
  const feed = createFeed({
    source: createFeedSource(feedPool, replica),
    stream:
      redis === null
        ? createMemoryHub()()
        : createRedisStream({ client: redis.client, reader: redis.reader, key: `${config.redisPrefix}changes` }),
    clock,
    ceiling: config.feedCeiling,
    onPropagation: propagation(deps.metrics),
    onState: (message, fields) => log.warn(fields, `change feed: ${message}`),
  });
  const relay = createRelay({
    store: createOutboxStore(db),
    sink: deps.sink ?? (redis === null ? createLogEventSink(log) : createRedisEventSink(redis.client, `${config.redisPrefix}events`)),
    lease,
    onError: once(log, 'events wait in the outbox: their receiver does not take them'),
  });
  const { write, writeInstallation } = createWrite({
    db,
    insertEvents: deps.insertEvents,
    insertMessages,
    appendChanges,
    feed,
    onMessages: () => relay.nudge(),
  });
  const jobs = createJobs({ lease, onError: (job, error) => log.warn({ job, error }, 'a background job failed') });
  observe(deps.metrics, feed, pool);

  return {
    db,
    write,
    writeInstallation,
    readHead,
    feed,
    cache: redis === null ? createMemoryCache(clock) : createRedisCache(redis.client, config.redisPrefix),
    lease,
    tracked: createTracked({ feed, clock, count: countOf(deps.metrics) }),
    groupCommit: createGroupCommit,
    every: (name, every, work, leased) => jobs.every(name, every, work, leased),
    about: { postgres: embedded === null ? 'external' : 'embedded', redis: redis === null ? 'memory' : 'external' },
    role,
    flushOutbox: () => relay.run(),
    recover: async (refuseUntil) => (await startGeneration(db, refuseUntil)).seq,
    async start() {
      if (redis !== null) await untilReady(redis.client, 500);
      await feed.start();
      relay.start();
      jobs.every(
        'changes.sweep',
        minutes(1),
        async () => {
          while ((await sweepChanges(db)) > 0);
        },
        true,
      );
    },
    async stop() {
      await jobs.stop();
      await relay.stop();
      await feed.stop();
      redis?.client.disconnect();
      await Promise.all([pool.end(), feedPool.end()]);
      await embedded?.stop();
    },
  };
};

const redisOf = ({ config, log }: StorageDeps): { readonly client: RedisClient; readonly reader: () => RedisClient } | null => {
  if (config.redisUrl === '') return null;
  const onError = once(log, 'Redis does not answer');
  return {
    client: connectRedis({ url: config.redisUrl, onError }),
    reader: () => connectRedis({ url: config.redisUrl, blocking: true, onError }),
  };
};

/** What other replicas committed: how long until it was applied here, by the way it came. */
const propagation = (metrics: Metrics | undefined): NonNullable<FeedOptions['onPropagation']> => {
  const of = (way: string) =>
    metrics?.histogram('securityhub_feed_propagation_seconds', 'From a commit elsewhere until it is applied here.', { way });
  const by = { stream: of('stream'), poll: of('poll') };
  return (way, length) => by[way]?.observe(length / 1000);
};

const uncounted = { inc: (): void => {} };
const countOf = (metrics: Metrics | undefined) => (cache: string, result: string) =>
  metrics?.counter(CACHE_REQUESTS, CACHE_REQUESTS_HELP, { cache, result }) ?? uncounted;

const observe = (metrics: Metrics | undefined, feed: Feed, pool: Pool): void => {
  metrics?.gauge('securityhub_feed_age_seconds', 'How old the knowledge of revocations is.', {}, () => Math.min(feed.age() / 1000, 1e9));
  metrics?.gauge('securityhub_feed_cursor', 'The last change every earlier one of which is applied here.', {}, () => feed.cursor());
  metrics?.gauge('securityhub_postgres_connections', 'Connections to Postgres.', {}, () => pool.total);
  metrics?.gauge('securityhub_postgres_waiting', 'Calls that wait for a connection.', {}, () => pool.waiting);
};
