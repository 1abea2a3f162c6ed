// Changing something: numbers without gaps, in order of commits, whoever writes and whoever gives up.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventOf } from '../../src/base/event.ts';
import type { Change } from '../../src/storage/storage.ts';
import { callAs, userCaller } from '../callers.ts';
import { createTestPlatform, type FreshDatabase, freshDatabase, type TestPlatform } from '../harness.ts';

let database: FreshDatabase;
let platform: TestPlatform;
beforeAll(async () => {
  database = await freshDatabase();
  platform = await createTestPlatform({ database });
  await platform.start();
});
afterAll(async () => {
  await platform.stop();
  await database.close();
});

const revoked = (key: string, over: Partial<Change> = {}): Change => ({
  kind: 'token',
  tenantId: 'acme',
  key,
  until: Date.now() + 60_000,
  ...over,
});

describe('write', () => {
  it('gives gapless numbers in the order of commits to twenty writers of which some give up', async () => {
    const before = platform.feed.cursor();
    const seen: number[] = [];
    let watching = true;
    // Whoever reads above its cursor at any time must never later find a smaller number.
    const watch = (async () => {
      let highest = before;
      while (watching) {
        const rows = await database.sql<{ seq: string }>('SELECT seq FROM change WHERE seq > $1 ORDER BY seq', [highest]);
        for (const row of rows) seen.push(Number(row.seq));
        highest = seen.at(-1) ?? highest;
      }
      for (const row of await database.sql<{ seq: string }>('SELECT seq FROM change WHERE seq > $1 ORDER BY seq', [highest]))
        seen.push(Number(row.seq));
    })();
    const writers = Array.from({ length: 20 }, async (_, writer) => {
      let done = 0;
      for (let turn = 0; turn < 10; turn += 1) {
        const gaveUp = Math.random() < 0.3;
        const write = platform.write('acme', async () => {
          if (gaveUp && turn % 2 === 0) throw new Error('changed its mind');
          const key = `${writer}-${turn}`;
          return { result: null, changes: gaveUp ? [revoked(key, { key: 'x'.repeat(300) })] : [revoked(key), revoked(`${key}-b`)] };
        });
        done += await write.then(
          () => 2,
          () => 0,
        );
      }
      return done;
    });
    const total = (await Promise.all(writers)).reduce((sum, done) => sum + done, 0);
    watching = false;
    await watch;
    expect(seen).toEqual(Array.from({ length: total }, (_, index) => before + 1 + index));
  });

  it('answers the number of its last change and applies it here before it returns', async () => {
    const { revision } = await platform.write('acme', async () => ({ result: 1, changes: [revoked('a'), revoked('b')] }));
    const [row] = await database.sql<{ key: string }>('SELECT key FROM change WHERE seq = $1', [revision]);
    expect(row?.key).toBe('b');
  });

  it('keeps audit entries, messages and changes out when the work fails', async () => {
    const messages = [{ tenantId: 'acme', topic: 't', key: 'k', body: {} }];
    const write = platform.write('acme', async () => ({ result: 1, messages, changes: [revoked('x'.repeat(300))] }));
    await expect(write).rejects.toMatchObject({ code: '23514' });
    expect(await database.sql('SELECT FROM outbox')).toHaveLength(0);
  });

  it('states audit entries in the same transaction', async () => {
    const call = callAs(userCaller('acme'));
    await platform.write('acme', async () => ({ result: 1, events: [eventOf(call, 'acme', 'thing.made', 'thing:1')] }));
    expect(platform.audit.entries.at(-1)?.type).toBe('thing.made');
  });

  it('cannot state a change of another tenant', async () => {
    const write = platform.write('acme', async () => ({ result: 1, changes: [revoked('a', { tenantId: 'other' })] }));
    await expect(write).rejects.toMatchObject({ code: '42501' });
  });

  it('reads the head inside the transaction', async () => {
    const { revision } = await platform.write('acme', async () => ({ result: 1, changes: [revoked('c')] }));
    expect(await platform.db.tenant('acme', platform.readHead)).toBe(revision);
  });
});
