import { describe, expect, it, jest } from '@jest/globals';
import { createGroupCommit } from './group-commit.ts';

describe('group commit', () => {
  it('writes what came together at once and settles each', async () => {
    const batches: (readonly number[])[] = [];
    const group = createGroupCommit<number>(async (items) => void batches.push(items));
    await Promise.all([group.add(1), group.add(2), group.add(3)]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('makes the first of a batch wait 5 ms at most', async () => {
    jest.useFakeTimers();
    const group = createGroupCommit(async () => {});
    let written = 0;
    for (let count = 1; count <= 20; count += 1) {
      void group.add(count).then(() => (written = count));
      await jest.advanceTimersByTimeAsync(5);
      expect(written).toBe(count);
    }
    jest.useRealTimers();
  });

  it('fails every item of a failed batch and writes the next', async () => {
    let fail = true;
    const group = createGroupCommit<number>(async () => {
      if (fail) throw new Error('away');
    });
    const both = await Promise.allSettled([group.add(1), group.add(2)]);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    fail = false;
    await group.add(3);
  });

  it('refuses what goes beyond its queue', async () => {
    const group = createGroupCommit<number>(async () => {}, { capacity: 1 });
    const first = group.add(1);
    await expect(group.add(2)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'WRITE_QUEUE_FULL' });
    await first;
  });

  it('drains what waits and what is under way', async () => {
    const done: number[] = [];
    const group = createGroupCommit<number>(async (items) => void done.push(...items), { batch: 1 });
    void group.add(1);
    void group.add(2);
    await group.drain();
    expect(done).toEqual([1, 2]);
  });

  it('answers each with its own result', async () => {
    const group = createGroupCommit<number, string>(async (items) => items.map((item) => `${item} of ${items.length}`), { delay: 0 });
    const asked = Array.from({ length: 20 }, (_, at) => group.add(at));
    expect(await Promise.all(asked)).toEqual(asked.map((_, at) => `${at} of 20`));
  });

  it('lets no lane wait for another, and never writes two together', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const batches: string[] = [];
    const group = createGroupCommit<string>(
      async (items) => {
        batches.push(items.join());
        if (items.includes('slow')) await gate;
      },
      { delay: 0, lane: (item) => (item.startsWith('s') ? 'one' : 'other') },
    );
    const slow = group.add('slow');
    await Promise.all([group.add('a'), group.add('b')]);
    await group.add('c');
    open();
    await slow;
    expect(batches).toEqual(['slow', 'a,b', 'c']);
  });

  it('lets a batch that does not come back hold up the next for so long only, and drains it too', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const group = createGroupCommit<string>(async (items) => (items.includes('stuck') ? gate : undefined), { delay: 0, patience: 20 });
    let stuck = true;
    const first = group.add('stuck').finally(() => (stuck = false));
    await new Promise((resolve) => setImmediate(resolve));
    await group.add('next');
    expect(stuck).toBe(true);
    const drained = group.drain();
    open();
    await drained;
    await first;
    expect(stuck).toBe(false);
  });
});
