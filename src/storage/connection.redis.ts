// Connections to Redis that fail fast: a cache that hangs is worse than none.
import { Cluster, Redis } from 'ioredis';
import { Fault, unavailable } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import { parseRedisUrl, REDIS_URL_FORMS } from './redis-url.ts';

export type RedisClient = Redis | Cluster;

export interface RedisSettings {
  readonly url: string;
  /** For commands that answer at once; a blocking reader has none and is watched by its socket instead. */
  readonly commandTimeout?: Millis;
  readonly blocking?: boolean;
  readonly onError?: (error: unknown) => void;
}

const pause = (times: number): Millis => Math.min(50 * 2 ** Math.min(times, 6), 1000);

const options = (settings: RedisSettings) => ({
  // RESP2: what proxies and Valkey speak alike. Commands of Redis ≤ 7.2 only.
  protocol: 2 as const,
  connectTimeout: 1000,
  keepAlive: 10_000,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  connectionName: 'security-hub',
  retryStrategy: pause,
  ...(settings.blocking === true ? { socketTimeout: 5000, blockingTimeout: 3000 } : { commandTimeout: settings.commandTimeout ?? 250 }),
});

/** Connects in the background and keeps trying. INVALID_ARGUMENT for an address it cannot read. */
export const connectRedis = (settings: RedisSettings): RedisClient => {
  const target = parseRedisUrl(settings.url);
  if (target === null) throw new Fault('INVALID_ARGUMENT', 'CONFIG_INVALID', `REDIS_URL must be one of ${REDIS_URL_FORMS}`);
  const base = options(settings);
  const client = ((): RedisClient => {
    if (target.kind === 'single') return new Redis(target.url, base);
    const access = {
      ...(target.username === '' ? {} : { username: target.username }),
      ...(target.password === '' ? {} : { password: target.password }),
      ...(target.tls ? { tls: {} } : {}),
    };
    if (target.kind === 'sentinel')
      return new Redis({
        ...base,
        ...access,
        sentinels: [...target.nodes],
        name: target.name,
        db: target.database,
        failoverDetector: true,
        enableTLSForSentinelMode: target.tls,
      });
    return new Cluster([...target.nodes], {
      enableOfflineQueue: false,
      scaleReads: 'master',
      redisOptions: { ...base, ...access },
      clusterRetryStrategy: pause,
    });
  })();
  // Without a listener an error event would end the process; it repeats at every attempt, so whoever logs it must count.
  client.on('error', settings.onError ?? ((): void => {}));
  return client;
};

export const cacheUnavailable = (cause: unknown): Fault => unavailable('CACHE_UNAVAILABLE', 'the cache does not answer', cause);

/** Every failure of a command is UNAVAILABLE / CACHE_UNAVAILABLE. */
export const asked = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer;
  } catch (error) {
    throw cacheUnavailable(error);
  }
};

/** Resolves when ready, or after `patience`: we work without Redis too. */
export const untilReady = async (client: RedisClient, patience: Millis): Promise<void> => {
  if (client.status === 'ready') return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patience);
    client.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
};

/** Connects once, asks, and leaves: what answers there, or UNAVAILABLE / CACHE_UNAVAILABLE. */
export const probeRedis = async (url: string): Promise<string> => {
  const client = connectRedis({ url, commandTimeout: 2000 });
  try {
    await untilReady(client, 3000);
    const version = /(?:valkey|redis)_version:(\S+)/.exec(await client.info('server'))?.[1];
    return `answers, version ${version ?? 'unknown'}`;
  } catch (cause) {
    throw unavailable('CACHE_UNAVAILABLE', 'Redis does not answer', cause);
  } finally {
    client.disconnect();
  }
};
