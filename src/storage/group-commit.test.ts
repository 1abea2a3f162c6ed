import { describe, expect, it, jest } from '@jest/globals';
import { createGroupCommit } from './group-commit.ts';

describe('group commit', () => {
  it('writes what came together at once and settles each', async () => {
    const batches: (readonly number[])[] = [];
    const group = createGroupCommit<number>({ flush: async (items) => void batches.push(items) });
    await Promise.all([group.add(1), group.add(2), group.add(3)]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('makes the first of a batch wait 5 ms at most', async () => {
    jest.useFakeTimers();
    const group = createGroupCommit({ flush: async () => {} });
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
    const group = createGroupCommit<number>({
      flush: async () => {
        if (fail) throw new Error('away');
      },
    });
    const both = await Promise.allSettled([group.add(1), group.add(2)]);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    fail = false;
    await group.add(3);
  });

  it('refuses what goes beyond its queue', async () => {
    const group = createGroupCommit<number>({ flush: async () => {}, capacity: 1 });
    const first = group.add(1);
    await expect(group.add(2)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'WRITE_QUEUE_FULL' });
    await first;
  });

  it('drains what waits and what is under way', async () => {
    const done: number[] = [];
    const group = createGroupCommit<number>({ batch: 1, flush: async (items) => void done.push(...items) });
    void group.add(1);
    void group.add(2);
    await group.drain();
    expect(done).toEqual([1, 2]);
  });
});
