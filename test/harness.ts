// What tests stand on: a database of their own from a migrated template, a settable clock, and a whole platform on real stores.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { AuditEntry } from '../src/base/event.ts';
import { Fault } from '../src/base/fault.ts';
import { createPager } from '../src/base/page.ts';
import type { Sealer } from '../src/base/sealer.ts';
import { systemRandom } from '../src/base/random.ts';
import { type Clock, type Instant, type Millis, systemClock } from '../src/base/time.ts';
import { createSealer } from '../src/encryption/sealer.ts';
import type { Log, Metrics, Platform, Recorder } from '../src/server/platform.ts';
import { createDatabase } from '../src/storage/database.postgres.ts';
import { sha256 } from '../src/base/bytes.ts';
import { migrate, readMigrations } from '../src/storage/migrate.postgres.ts';
import { createPool } from '../src/storage/pool.postgres.ts';
import type { EventSink } from '../src/storage/relay.ts';
import type { Database } from '../src/storage/storage.ts';
import { createStorage, type Storage, type StorageConfig } from '../src/storage/storage.wire.ts';

export interface FreshDatabase {
  /** As superuser: the service takes its role in every transaction, so the walls stand all the same. */
  readonly uri: string;
  readonly db: Database;
  /** Statements as the superuser, past all walls: for looking and for breaking things. */
  sql<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

const environment = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '')
    throw new Error(`${name} is not set: run this through jest, whose global set-up starts the stores`);
  return value;
};

export const postgresUri = (): string => environment('TEST_POSTGRES_URI');
export const redisUrl = (): string => environment('TEST_REDIS_URL');

const named = (uri: string, database: string): string => {
  const url = new URL(uri);
  url.pathname = `/${database}`;
  return url.href;
};

const asAdmin = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: postgresUri() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

let template: Promise<string> | undefined;

/** One template a set of migrations; whoever comes first makes it, under a lock of the maintenance database. */
const migratedTemplate = (): Promise<string> => {
  const files = readMigrations();
  const name = `template_${sha256(files.map((file) => `${file.name} ${file.checksum}`).join('\n'))
    .toString('hex')
    .slice(0, 16)}`;
  return asAdmin(async (client) => {
    await client.query('SELECT pg_advisory_lock(871234)');
    const there = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (there.rowCount !== 0) return name;
    const draft = `draft_${randomBytes(6).toString('hex')}`;
    await client.query(`CREATE DATABASE ${draft}`);
    await migrate({ uri: named(postgresUri(), draft), files });
    await client.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    return name;
  });
};

/** An empty, migrated database; nobody else uses it. */
export const freshDatabase = async (): Promise<FreshDatabase> => {
  template ??= migratedTemplate();
  const from = await template;
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asAdmin((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${from}`));
  const uri = named(postgresUri(), name);
  const pool = createPool({ uri, size: 10 });
  const direct = new pg.Pool({ connectionString: uri, max: 2 });
  direct.on('error', () => {});
  return {
    uri,
    db: createDatabase({ pool }),
    sql: async <R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await direct.query<R>(text, [...values])).rows,
    async close() {
      await Promise.all([pool.end(), direct.end()]);
      await asAdmin((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
};

export interface TestClock extends Clock {
  set(now: Instant): void;
  /** Moves both clocks. */
  advance(by: Millis): void;
}

/** Stands still until it is told; starts at `now`. */
export const testClock = (now: Instant = Date.now()): TestClock => {
  let wall = now;
  let monotonic = 1000;
  return {
    now: () => wall,
    monotonic: () => monotonic,
    set: (to) => {
      wall = to;
    },
    advance: (by) => {
      wall += by;
      monotonic += by;
    },
  };
};

/** Resolves when `condition` holds; fails after `ms` with what it was waiting for. */
export const waitFor = async (condition: () => boolean | Promise<boolean>, ms: Millis, what = 'the condition'): Promise<void> => {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} did not hold within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** `CODE/REASON` of the fault it ends in; `OK` where it ends in none. */
export const outcome = async (work: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'OK';
  } catch (thrown) {
    if (thrown instanceof Fault) return `${thrown.code}/${thrown.reason}`;
    throw thrown;
  }
};

/** Milliseconds of processor that this process has used: what it costs to do something, however busy the machine is with other things. */
export const cpuTime = (): Millis => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };
const noMetrics: Metrics = { counter: () => ({ inc: () => {} }), gauge: () => {}, histogram: () => ({ observe: () => {} }) };

export interface CollectingRecorder extends Recorder {
  /** Everything stated so far, also by transactions that were rolled back afterwards. */
  readonly entries: AuditEntry[];
}

const collectingRecorder = (): CollectingRecorder => {
  const entries: AuditEntry[] = [];
  return {
    entries,
    insert: async (_tx, added) => void entries.push(...added),
    required: async (entry) => void entries.push(entry),
    refused: (entry) => void entries.push(entry),
    sampled: (_kind, entry) => void entries.push(entry()),
    flush: async () => {},
  };
};

export const storageConfigFor = (database: Pick<FreshDatabase, 'uri'>, redis: boolean): StorageConfig => ({
  postgresUri: database.uri,
  migrationPostgresUri: '',
  redisUrl: redis ? redisUrl() : '',
  redisPrefix: `${new URL(database.uri).pathname.slice(1)}:`,
  postgresPoolSize: 10,
  feedCeiling: 300_000,
});

export interface TestPlatform extends Platform {
  readonly audit: CollectingRecorder;
  readonly storage: Storage;
  /** Loads the change feed: call it when every listener stands (after wiring). */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestPlatformOptions {
  readonly database: FreshDatabase;
  readonly clock?: Clock;
  /** Real Redis under a prefix of this database; default: the twin in memory. */
  readonly redis?: boolean;
  /** Another way to the same Redis. */
  readonly redisAddress?: string;
  readonly sink?: EventSink;
  readonly insertEvents?: Recorder['insert'];
  readonly metrics?: Metrics;
  /** That of another replica of the same installation; default: one with a key of its own. */
  readonly sealer?: Sealer;
}

/** Real Postgres, real feed, real sealer with a random master key; audit entries are collected. Several on one database are replicas. */
export const createTestPlatform = async (options: TestPlatformOptions): Promise<TestPlatform> => {
  const clock = options.clock ?? systemClock;
  const audit = collectingRecorder();
  const storage = await createStorage({
    config: {
      ...storageConfigFor(options.database, options.redis ?? false),
      ...(options.redisAddress === undefined ? {} : { redisUrl: options.redisAddress }),
    },
    dataDir: '',
    production: false,
    clock,
    log: silentLog,
    insertEvents: options.insertEvents ?? ((tx, entries) => audit.insert(tx, entries)),
    migrateAtStart: false,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    ...(options.sink === undefined ? {} : { sink: options.sink }),
  });
  const sealer = options.sealer ?? createSealer(randomBytes(32), systemRandom);
  return {
    clock,
    random: systemRandom,
    log: silentLog,
    metrics: noMetrics,
    production: false,
    sealer,
    pager: createPager(sealer.derive('page')),
    pay: () => {},
    audit,
    storage,
    db: storage.db,
    write: storage.write,
    writeInstallation: storage.writeInstallation,
    readHead: storage.readHead,
    feed: storage.feed,
    cache: storage.cache,
    lease: storage.lease,
    tracked: storage.tracked,
    groupCommit: storage.groupCommit,
    every: storage.every,
    start: () => storage.start(),
    stop: () => storage.stop(),
  };
};
