import { describe, expect, it } from '@jest/globals';
import { goOn, inLine, nextTurn } from './turn.ts';

/** Says its name at the beginning of each of its turns. */
const work = async (name: string, turns: number, said: string[]): Promise<void> => {
  await inLine();
  said.push(name);
  for (let turn = 1; turn < turns; turn++) {
    await goOn();
    said.push(name);
  }
};

describe('long calls in line', () => {
  it('go one after the other, each to its end', async () => {
    const said: string[] = [];
    await Promise.all([work('a', 3, said), work('b', 2, said), work('c', 1, said)]);
    expect(said.join('')).toBe('aaabbc');
  });

  it('have a turn of the event loop each time, with everybody else in between', async () => {
    const said: string[] = [];
    const others = async (): Promise<void> => {
      for (let turn = 0; turn < 6; turn++) {
        await nextTurn();
        said.push('-');
      }
    };
    await Promise.all([work('a', 3, said), work('b', 3, said), others()]);
    expect(said.join('')).toMatch(/^(?:a-|-a){3}(?:b-|-b){3}$/);
  });

  it('let others go first when they take long', async () => {
    const said: string[] = [];
    await Promise.all([work('a', 40, said), work('b', 2, said)]);
    const before = said.indexOf('b');
    expect(before).toBeGreaterThan(8);
    expect(before).toBeLessThan(20);
    expect(said.join('').replace(/a+/g, 'a')).toBe('abba');
    expect(said).toHaveLength(42);
  });

  it('come again after a time in which there were none', async () => {
    const said: string[] = [];
    await work('a', 2, said);
    await nextTurn();
    await work('b', 2, said);
    expect(said.join('')).toBe('aabb');
  });

  it('do not wait for one that waits for something else', async () => {
    const said: string[] = [];
    let arrive: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const first = (async () => {
      await inLine();
      said.push('a');
      await arrived;
      await goOn();
      said.push('a');
    })();
    await work('b', 2, said);
    arrive();
    await first;
    expect(said.join('')).toBe('abba');
  });
});
