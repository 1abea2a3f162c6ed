// The cache on Redis.
import { createHash } from 'node:crypto';
import { asked, cacheUnavailable, type RedisClient } from './connection.redis.ts';
import type { Cache } from './storage.ts';

const lifetime = (ttl: number): number => Math.max(1, Math.ceil(ttl));

/**
 * One command, so that nothing can happen between the look at the memory's age and the memory: KEYS are the mark of its birth and the key,
 * ARGV the lifetime and the moment from which it must have been whole, both in milliseconds.
 */
const REMEMBER = `
local born = redis.call('GET', KEYS[1])
if not born then
  local t = redis.call('TIME')
  born = t[1] * 1000 + math.floor(t[2] / 1000)
  redis.call('SET', KEYS[1], string.format('%.0f', born))
end
if tonumber(born) > tonumber(ARGV[2]) then return -1 end
if redis.call('SET', KEYS[2], '', 'PX', ARGV[1], 'NX') then return 1 end
return 0`;

/** Keys that one script touches must lie in one slot of a cluster: there sixteen groups spread them. */
const GROUPS = Array.from({ length: 16 }, (_, n) => n.toString(16));

/**
 * The run of the server we are connected to: after a restart or a failover it may have come back with an older memory, so every run has a
 * birth of its own, marked as soon as somebody connects. In a cluster each group has one, which a flush of its node takes away; the runs of
 * its nodes are not told apart. '' = not known yet.
 */
const runs = (client: RedisClient, mark: (run: string) => Promise<unknown>): (() => string) => {
  let run = '';
  const look = async (): Promise<void> => {
    const found = 'nodes' in client ? 'cluster' : (/^run_id:(\w+)/m.exec(await client.info('server'))?.[1] ?? 'unnamed');
    await mark(found);
    run = found;
  };
  // What fails here is asked again by the next proof.
  const begin = (): void => void look().catch(() => {});
  client.on('ready', begin);
  client.on('close', () => {
    run = '';
  });
  if (client.status === 'ready') begin();
  return () => {
    if (run === '' && client.status === 'ready') begin();
    return run;
  };
};

export const createRedisCache = (client: RedisClient, prefix: string): Cache => {
  const groupOf = (key: string): string =>
    `${prefix}{${'nodes' in client ? createHash('sha256').update(key).digest('hex').slice(0, 1) : '-'}}`;
  const remember = (group: string, run: string, key: string, ttl: number, since: number): Promise<unknown> =>
    client.eval(REMEMBER, 2, `${group}born:${run}`, `${group}${key}`, String(lifetime(ttl)), String(since));
  // Nothing is as old as this: the birth is marked, and nothing remembered.
  const runOf = runs(client, (run) =>
    Promise.all(('nodes' in client ? GROUPS : ['-']).map((group) => remember(`${prefix}{${group}}`, run, '', 1, 0))),
  );
  return {
    get: (key) => asked(client.get(prefix + key)),
    set: async (key, value, ttl) => {
      await asked(client.set(prefix + key, value, 'PX', lifetime(ttl)));
    },
    async remember(key, ttl, since) {
      const run = runOf();
      if (run === '') throw cacheUnavailable(new Error('the server has not said yet which run of it this is'));
      const found = await asked(remember(groupOf(key), run, key, ttl, since));
      return found === 1 ? 'first' : found === 0 ? 'again' : 'forgotten';
    },
    delete: async (key) => {
      await asked(client.del(prefix + key));
    },
    healthy: () => client.status === 'ready',
  };
};
