import { describe, expect, it } from '@jest/globals';
import { createTurns } from './turns.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('turns', () => {
  it('lets one after another work for the same key, also after one has failed', async () => {
    const turns = createTurns(10);
    const seen: string[] = [];
    const work =
      (name: string, fails = false) =>
      async () => {
        seen.push(`${name} begins`);
        await pause(5);
        seen.push(`${name} ends`);
        if (fails) throw new Error(name);
      };
    await Promise.allSettled([turns('a', work('one', true)), turns('a', work('two'))]);
    expect(seen).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('lets different keys work at the same time', async () => {
    const turns = createTurns(10);
    let most = 0;
    let now = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++now);
      await pause(5);
      now -= 1;
    };
    await Promise.all([turns('a', work), turns('b', work)]);
    expect(most).toBe(2);
  });

  it('sends away whoever comes when the line is full', async () => {
    const turns = createTurns(1);
    const first = turns('a', () => pause(5));
    await expect(turns('a', () => pause(5))).rejects.toMatchObject({ reason: 'LOGIN_BUSY' });
    await first;
    await expect(turns('a', () => pause(1))).resolves.toBeUndefined();
  });
});
