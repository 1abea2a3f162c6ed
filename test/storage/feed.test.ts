// The change feed between replicas on one real database.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMetrics } from '../../src/server/observability/metrics.ts';
import type { AppliedChange, Change } from '../../src/storage/storage.ts';
import {
  createTestPlatform,
  type FreshDatabase,
  freshDatabase,
  redisUrl,
  type TestPlatform,
  type TestPlatformOptions,
  testClock,
  waitFor,
} from '../harness.ts';
import { through, tcpProxy } from './tcp-proxy.ts';

let database: FreshDatabase;
const platforms: TestPlatform[] = [];
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  for (const platform of platforms.splice(0)) await platform.stop();
  await database.close();
});

interface Replica extends TestPlatform {
  readonly seen: AppliedChange[];
  readonly resets: () => number;
}

const replica = async (over: Partial<TestPlatformOptions> = {}): Promise<Replica> => {
  const platform = await createTestPlatform({ database, ...over });
  platforms.push(platform);
  const seen: AppliedChange[] = [];
  let resets = 0;
  platform.feed.on(
    ['token', 'role'],
    (change) => void seen.push(change),
    () => void (resets += 1),
  );
  await platform.start();
  return { ...platform, seen, resets: () => resets };
};

const revoked = (key: string, over: Partial<Change> = {}): Change => ({
  kind: 'token',
  tenantId: 'acme',
  key,
  until: Date.now() + 60_000,
  ...over,
});
const revoke = (platform: TestPlatform, ...keys: string[]) =>
  platform.write('acme', async () => ({ result: null, changes: keys.map((key) => revoked(key)) }));
const insert = (seq: number, kind: string, over = '') =>
  database.sql(
    `WITH head AS (UPDATE change_head SET seq = ${seq}) INSERT INTO change (seq, kind, tenant_id, key, until ${over === '' ? '' : ', at'}) VALUES (${seq}, '${kind}', 'acme', 'k${seq}', now() + interval '1 hour' ${over})`,
  );

describe('two replicas', () => {
  it.each([
    ['stream', true],
    ['poll', false],
  ] as const)('measure how long a change of another took, by the way it came: %s', async (way, redis) => {
    const metrics = createMetrics('test');
    const one = await replica({ redis });
    const two = await replica({ redis, metrics });
    await revoke(one, 'a');
    await revoke(two, 'own');
    await waitFor(() => two.feed.cursor() === 2, 5000);
    const text = await metrics.text();
    metrics.close();
    const value = (sample: string) =>
      Number(new RegExp(`^securityhub_feed_propagation_seconds_${sample}{[^}]*way="${way}"[^}]*} (\\S+)$`, 'm').exec(text)?.[1]);
    // Its own changes are nothing new to it.
    expect(value('count')).toBe(1);
    expect(value('sum')).toBeLessThan(3);
  });

  it('see a change of one another within a second over Redis', async () => {
    const [a, b] = [await replica({ redis: true }), await replica({ redis: true })];
    const saw = (revision: number): boolean => b.seen.some(({ seq }) => seq === revision);
    // Whether the stream carries already shows where something arrives before the poll has come so far.
    const streams = async (): Promise<boolean> => {
      const { revision } = await revoke(a, 'first');
      await waitFor(() => saw(revision), 2000);
      return b.feed.cursor() < revision;
    };
    await waitFor(streams, 20_000, 'the stream');
    const began = performance.now();
    const { revision } = await revoke(a, 't1');
    await waitFor(() => saw(revision), 1000);
    expect(performance.now() - began).toBeLessThan(250);
  });

  it('see it within two seconds without Redis', async () => {
    const [a, b] = [await replica(), await replica()];
    const { revision } = await revoke(a, 't1');
    await waitFor(() => b.seen.some((change) => change.seq === revision), 2000);
    expect(b.seen.filter((change) => change.seq === revision)).toHaveLength(1);
  });

  it('apply a change that came by Redis once, also when the poll brings it again', async () => {
    const [a, b] = [await replica({ redis: true }), await replica({ redis: true })];
    const { revision } = await revoke(a, 't1');
    await waitFor(() => b.feed.cursor() >= revision, 2500);
    expect(b.seen.map((change) => change.seq)).toEqual([revision]);
  });

  it('count one another as acknowledged once both have come so far', async () => {
    const [a] = [await replica(), await replica(), await replica()];
    await waitFor(async () => (await a.feed.acknowledged(0, 0)).live === 3, 2500);
    const { revision } = await revoke(a, 't1');
    expect(await a.feed.acknowledged(revision, 3000)).toEqual({ acknowledged: 3, live: 3 });
  });
});

describe('a replica', () => {
  it('starts with every live revocation and at the head', async () => {
    await insert(1, 'token');
    await database.sql(
      `WITH head AS (UPDATE change_head SET seq = 2) INSERT INTO change (seq, kind, tenant_id, key, until) VALUES (2, 'token', 'acme', 'old', now() - interval '1 second')`,
    );
    const a = await replica();
    expect(a.seen.map((change) => change.key)).toEqual(['k1']);
    expect(a.feed.cursor()).toBe(2);
    expect(a.feed.state().kind).toBe('fresh');
  });

  it('catches up with a number on request, and knows numbers that do not exist', async () => {
    const [a, b] = [await replica(), await replica()];
    const { revision } = await revoke(a, 't1', 't2');
    await b.feed.catchUp(revision);
    expect(b.feed.cursor()).toBe(revision);
    await expect(b.feed.catchUp(revision + 1)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'REVISION_UNKNOWN' });
  });

  it('is not ready at a change of unknown kind', async () => {
    const a = await replica();
    await insert(1, 'hologram');
    await waitFor(() => a.feed.state().kind === 'not_ready', 2500);
    expect(() => a.feed.assertFresh()).toThrow(/unknown kind "hologram"/);
  });

  it('starts with as many as several pages hold, in order, each once, whatever their keys are', async () => {
    const many = 9001;
    const end = Date.UTC(2100, 0, 1, 0, 0, 0, 123);
    // One in three only tells caches to forget: it has no end and is not live.
    await database.sql(
      `WITH head AS (UPDATE change_head SET seq = ${many} * 3)
       INSERT INTO change (seq, kind, tenant_id, key, until, detail)
       SELECT n, 'token', 'tenant ' || n % 5, '"\\é' || chr(10) || '🔑' || n, CASE n % 3 WHEN 0 THEN NULL ELSE to_timestamp(${end} / 1000.0) END, 'said ' || n % 2
       FROM generate_series(1, ${many} * 3) n`,
    );
    const { seen, feed } = await replica();
    const live = Array.from({ length: many * 3 }, (_, at) => at + 1).filter((n) => n % 3 !== 0);
    expect(seen.map(({ seq }) => seq)).toEqual(live);
    for (const { seq, kind, tenantId, key, until, detail } of seen)
      if (kind !== 'token' || tenantId !== `tenant ${seq % 5}` || key !== `"\\é\n🔑${seq}` || until !== end || detail !== `said ${seq % 2}`)
        expect({ seq, kind, tenantId, key, until, detail }).toBe('as it was written');
    expect(feed.cursor()).toBe(many * 3);
  });

  it('is not ready when it starts above a live change of unknown kind', async () => {
    await insert(1, 'hologram');
    const a = await replica();
    expect(a.feed.state()).toMatchObject({ kind: 'not_ready' });
  });

  it('is not ready when the head goes backwards, until a new generation begins', async () => {
    const a = await replica();
    await revoke(a, 't1', 't2', 't3');
    await a.feed.catchUp(3);
    await database.sql('DELETE FROM change WHERE seq > 1');
    await database.sql('UPDATE change_head SET seq = 1');
    await waitFor(() => a.feed.state().kind === 'not_ready', 2500);
    const head = await a.storage.recover(Date.now() + 60_000);
    expect(head).toBeGreaterThan(1_000_000_000);
    await waitFor(() => a.feed.state().kind === 'fresh', 2500);
    expect(a.feed.cursor()).toBe(head);
    expect(a.resets()).toBe(2);
  });

  it('notices another history under the same numbers', async () => {
    const a = await replica();
    await revoke(a, 't1', 't2');
    await a.feed.catchUp(2);
    await database.sql(`UPDATE change SET at = at + interval '1 second' WHERE seq = 2`);
    await insert(3, 'token');
    await waitFor(() => a.feed.state().kind === 'not_ready', 2500);
  });

  it('loads everything again when rows it has not seen were swept', async () => {
    const a = await replica();
    await insert(7, 'token');
    // Resetting comes first, then everything is read again.
    await waitFor(() => a.resets() === 2 && a.feed.state().kind === 'fresh', 2500);
    expect(a.seen.map((change) => change.seq)).toEqual([7]);
    expect(a.feed.cursor()).toBe(7);
    expect(a.feed.state().kind).toBe('fresh');
  });

  it('keeps a change whose listener fails from being forgotten: it is not ready', async () => {
    const a = await replica();
    a.feed.on(['role'], () => {
      throw new Error('full');
    });
    await a.write('acme', async () => ({ result: null, changes: [{ kind: 'role', tenantId: 'acme', key: 'r', until: null }] }));
    expect(a.feed.state().kind).toBe('not_ready');
  });
});

describe('a clock that is wrong', () => {
  it('of a replica that is behind makes no revocation end early, whichever way it comes', async () => {
    const behind = await replica({ redis: true, clock: testClock(Date.now() - 3_600_000) });
    const [streamed, polled] = [await replica({ redis: true }), await replica()];
    const { revision } = await behind.write('acme', async () => ({
      result: null,
      changes: [revoked('t1', { until: behind.clock.now() + 60_000 })],
    }));
    for (const one of [streamed, polled]) {
      await waitFor(() => one.seen.some(({ seq }) => seq === revision), 2500);
      expect(one.seen.at(-1)?.until).toBeGreaterThan(Date.now() + 50_000);
    }
  });

  it('of a replica that is ahead lets it forget nothing that the database knows to live', async () => {
    const { revision } = await revoke(await replica(), 't1');
    const ahead = await replica({ clock: testClock(Date.now() + 3_600_000) });
    expect(ahead.seen.map(({ seq }) => seq)).toEqual([revision]);
    expect(ahead.feed.past()).toBeLessThan(Date.now() + 1000);
  });
});

describe('with the database away', () => {
  it.each([
    ['freeze', 'thaw'],
    ['cut', 'mend'],
  ] as const)(
    '(%s) age grows, the state follows it, and it heals',
    async (away, back) => {
      const url = new URL(database.uri);
      const proxy = await tcpProxy(url.hostname, Number(url.port));
      const clock = testClock();
      const a = await replica({ clock, database: { ...database, uri: through(proxy, database.uri) } });
      expect(a.feed.state()).toMatchObject({ kind: 'fresh', age: 0 });
      proxy[away]();
      clock.advance(10_000);
      expect(a.feed.state()).toEqual({ kind: 'degraded', age: 10_000 });
      expect(() => a.feed.assertFresh()).not.toThrow();
      expect(() => a.feed.assertFresh(5000)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE', reason: 'FEED_STALE' }));
      const began = performance.now();
      await expect(a.db.tenant('acme', a.readHead)).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' });
      await expect(revoke(a, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(performance.now() - began).toBeLessThan(8000);
      clock.advance(290_000);
      expect(a.feed.state().kind).toBe('stale');
      expect(() => a.feed.assertFresh()).toThrow(expect.objectContaining({ reason: 'FEED_STALE' }));
      proxy[back]();
      await waitFor(() => a.feed.state().kind === 'fresh', 8000);
      await a.stop();
      platforms.length = 0;
      await proxy.close();
    },
    40_000,
  );

  it('a wall clock that jumps counts, also while the monotonic one stands', async () => {
    const clock = testClock();
    const a = await replica({ clock });
    clock.set(clock.now() + 20_000);
    expect(a.feed.age()).toBe(20_000);
  });
});

describe('with Redis away', () => {
  it('news still comes by the poll and writes do not wait', async () => {
    const url = new URL(redisUrl());
    const proxy = await tcpProxy(url.hostname, Number(url.port));
    const behind = { redis: true, redisAddress: through(proxy, redisUrl()) };
    const [a, b] = [await replica(behind), await replica(behind)];
    await revoke(a, 't1');
    proxy.freeze();
    const began = performance.now();
    const { revision } = await revoke(a, 't2');
    expect(performance.now() - began).toBeLessThan(500);
    await waitFor(() => b.seen.some((change) => change.seq === revision), 2000);
    await expect(a.cache.get('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'CACHE_UNAVAILABLE' });
    proxy.thaw();
    await waitFor(
      () =>
        a.cache.get('x').then(
          () => true,
          () => false,
        ),
      5000,
    );
    for (const platform of platforms.splice(0)) await platform.stop();
    await proxy.close();
  }, 40_000);
});
