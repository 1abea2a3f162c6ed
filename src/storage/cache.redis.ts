// The cache on Redis.
import { asked, type RedisClient } from './connection.redis.ts';
import type { Cache } from './storage.ts';

const lifetime = (ttl: number): number => Math.max(1, Math.ceil(ttl));

export const createRedisCache = (client: RedisClient, prefix: string): Cache => ({
  get: (key) => asked(client.get(prefix + key)),
  set: async (key, value, ttl) => {
    await asked(client.set(prefix + key, value, 'PX', lifetime(ttl)));
  },
  setIfAbsent: async (key, value, ttl) => (await asked(client.set(prefix + key, value, 'PX', lifetime(ttl), 'NX'))) === 'OK',
  delete: async (key) => {
    await asked(client.del(prefix + key));
  },
  healthy: () => client.status === 'ready',
});
