import { describe, expect, it } from '@jest/globals';
import { parseRedisUrl } from './redis-url.ts';

describe('REDIS_URL', () => {
  it('may be one server', () => {
    expect(parseRedisUrl('rediss://me:secret@cache:6380/2')).toEqual({ kind: 'single', url: 'rediss://me:secret@cache:6380/2' });
  });

  it('may be Sentinels and the name of their master', () => {
    expect(parseRedisUrl('redis-sentinel://:p%40ss@a,b:26380/main/3')).toEqual({
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 26380 },
      ],
      name: 'main',
      database: 3,
      username: '',
      password: 'p@ss',
      tls: false,
    });
  });

  it('may be a Cluster', () => {
    expect(parseRedisUrl('rediss-cluster://me:secret@a:7000,[::1]:7001')).toMatchObject({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 7000 },
        { host: '::1', port: 7001 },
      ],
      username: 'me',
      password: 'secret',
      tls: true,
    });
  });

  it.each(['http://cache', 'redis', 'redis-sentinel://a,b', 'redis-cluster://', 'redis-cluster://a:port'])('is not %s', (text) => {
    expect(parseRedisUrl(text)).toBeNull();
  });
});
