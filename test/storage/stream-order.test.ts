// The stream may bring changes in any order, twice, or of another life of the database: the poll alone decides.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/base/time.ts';
import type { ChangeStream, Published } from '../../src/storage/change-stream.ts';
import { createFeedSource, sweepChanges } from '../../src/storage/changes.postgres.ts';
import { createFeed } from '../../src/storage/feed.ts';
import { createPool } from '../../src/storage/pool.postgres.ts';
import type { AppliedChange } from '../../src/storage/storage.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../harness.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const change = (seq: number): AppliedChange => ({
  seq,
  kind: 'token',
  tenantId: 'acme',
  key: `k${seq}`,
  until: Date.now() + 60_000,
  detail: '',
});

const follow = async () => {
  let hear: (published: Published) => void = () => {};
  const stream: ChangeStream = {
    publish: () => {},
    start: async (listener) => {
      hear = listener;
    },
    stop: async () => {},
  };
  const pool = createPool({ uri: database.uri, size: 2 });
  const feed = createFeed({
    source: createFeedSource(pool, `rep_${Math.random()}`),
    stream,
    clock: systemClock,
    ceiling: 300_000,
    interval: 60_000,
  });
  const seen: number[] = [];
  feed.on(['token'], (one) => void seen.push(one.seq));
  await feed.start();
  const end = async () => {
    await feed.stop();
    await pool.end();
  };
  return { feed, seen, hear: (generation: number, ...seqs: number[]) => hear({ generation, changes: seqs.map(change) }), end };
};

const store = async (count: number): Promise<number> => {
  const [row] = await database.sql<{ seq: string }>(
    `WITH head AS (UPDATE change_head SET seq = seq + $1::int RETURNING seq)
     INSERT INTO change (seq, kind, tenant_id, key, until) SELECT head.seq - $1::int + n, 'token', 'acme', 'k', now() + interval '1 hour' FROM head, generate_series(1, $1::int) n
     RETURNING (SELECT seq FROM head)`,
    [count],
  );
  return Number(row?.seq);
};

describe('a feed', () => {
  it('applies what the stream brings at once, in any order, once, without moving its cursor', async () => {
    const { feed, seen, hear, end } = await follow();
    const before = feed.cursor();
    const head = await store(3);
    hear(1, head, head - 2);
    hear(1, head - 2);
    expect(seen.slice(-2)).toEqual([head, head - 2]);
    expect(feed.cursor()).toBe(before);
    await feed.catchUp(head);
    expect(seen.slice(-3)).toEqual([head, head - 2, head - 1]);
    expect(feed.cursor()).toBe(head);
    hear(1, head);
    expect(seen.at(-1)).toBe(head - 1);
    await end();
  });

  it('does not let the stream make it younger', async () => {
    const { feed, hear, end } = await follow();
    const before = feed.age();
    await waitFor(() => feed.age() > before + 25, 5000, 'age');
    const older = feed.age();
    hear(1, feed.cursor() + 1);
    expect(feed.age()).toBeGreaterThanOrEqual(older);
    await end();
  });

  it('ignores another generation', async () => {
    const { feed, seen, hear, end } = await follow();
    const length = seen.length;
    hear(7, feed.cursor() + 1);
    expect(seen).toHaveLength(length);
    await end();
  });

  it('polls once for many who want to catch up', async () => {
    const { feed, end } = await follow();
    const head = await store(10);
    await Promise.all(Array.from({ length: 100 }, () => feed.catchUp(head)));
    expect(feed.cursor()).toBe(head);
    await end();
  });
});

describe('sweeping', () => {
  it('keeps what may still be needed: the last hour, and whatever has not ended', async () => {
    await database.sql('DELETE FROM change');
    await database.sql(`INSERT INTO change (seq, kind, tenant_id, key, until, at) VALUES
      (1, 'token', 'acme', 'ended', now() - interval '1 minute', now() - interval '2 hours'),
      (2, 'token', 'acme', 'live', now() + interval '1 minute', now() - interval '2 hours'),
      (3, 'role', 'acme', 'told', NULL, now() - interval '2 hours'),
      (4, 'role', 'acme', 'new', NULL, now()),
      (5, 'token', 'acme', 'just ended', now() - interval '1 minute', now())`);
    expect(await sweepChanges(database.db)).toBe(2);
    expect((await database.sql<{ key: string }>('SELECT key FROM change ORDER BY seq')).map((row) => row.key)).toEqual([
      'live',
      'new',
      'just ended',
    ]);
  });
});
