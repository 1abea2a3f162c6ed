// One suite for the cache on Redis and its twin in memory.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/base/time.ts';
import { createMemoryCache } from '../../src/storage/cache.memory.ts';
import { createRedisCache } from '../../src/storage/cache.redis.ts';
import { connectRedis } from '../../src/storage/connection.redis.ts';
import { redisUrl, waitFor } from '../harness.ts';

const client = connectRedis({ url: redisUrl() });
beforeAll(() => waitFor(() => client.status === 'ready', 20_000, 'the connection to Redis'));
afterAll(() => client.disconnect());

const caches = [
  { name: 'on Redis', cache: createRedisCache(client, `${randomBytes(6).toString('hex')}:`) },
  { name: 'in memory', cache: createMemoryCache(systemClock) },
];

describe.each(caches)('the cache $name', ({ cache }) => {
  it('gives back what was set, and nothing for what was not', async () => {
    await cache.set('a', 'one', 10_000);
    expect([await cache.get('a'), await cache.get('b')]).toEqual(['one', null]);
  });

  it('forgets at the end of the lifetime', async () => {
    await cache.set('short', 'one', 1000);
    expect(await cache.get('short')).toBe('one');
    await waitFor(async () => (await cache.get('short')) === null, 5000);
  });

  it('deletes, also what is not there', async () => {
    await cache.set('gone', 'one', 10_000);
    await cache.delete('gone');
    await cache.delete('gone');
    expect(await cache.get('gone')).toBeNull();
  });

  it('accepts a lifetime of part of a millisecond', async () => {
    await cache.set('tiny', 'one', 0.4);
    await waitFor(async () => (await cache.get('tiny')) === null, 1000);
  });

  it('remembers once, for a while, what it was there for', async () => {
    const long = Date.now() + 60_000;
    // The first to ask a server which run of it this is may ask before the answer.
    await waitFor(
      () =>
        cache.remember('warm', 10, long).then(
          (found) => found === 'first',
          () => false,
        ),
      1000,
    );
    const answers = await Promise.all(Array.from({ length: 10 }, () => cache.remember('seen', 10_000, long)));
    expect(answers.filter((answer) => answer === 'first')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'again')).toHaveLength(9);
    await cache.remember('brief', 20, long);
    await waitFor(async () => (await cache.remember('brief', 10_000, long)) === 'first', 1000);
  });

  it('says so where it was not there, and keeps nothing then', async () => {
    expect(await cache.remember('old', 10_000, 1)).toBe('forgotten');
    expect(await cache.remember('old', 10_000, Date.now() + 60_000)).toBe('first');
  });

  it('says whether it is there', () => {
    expect(cache.healthy()).toBe(true);
  });
});

describe('the cache on a Redis that is not there', () => {
  it('answers UNAVAILABLE quickly', async () => {
    const nowhere = connectRedis({ url: 'redis://127.0.0.1:1' });
    const cache = createRedisCache(nowhere, '');
    const began = performance.now();
    await expect(cache.remember('a', 1000, Date.now())).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'CACHE_UNAVAILABLE' });
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'CACHE_UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(500);
    expect(cache.healthy()).toBe(false);
    nowhere.disconnect();
  });
});
