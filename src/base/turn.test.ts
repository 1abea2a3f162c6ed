import { describe, expect, it } from '@jest/globals';
import { ownTurn } from './turn.ts';

/** Counts turns of the event loop until it is told to stop. */
const countTurns = (): { readonly turn: () => number; stop(): void } => {
  let turn = 0;
  let over = false;
  const next = (): void => {
    turn += 1;
    if (!over) setImmediate(next);
  };
  setImmediate(next);
  return {
    turn: () => turn,
    stop: () => {
      over = true;
    },
  };
};

describe('long work in turns', () => {
  it('gets one piece of all of it done in a turn, in the order in which they asked', async () => {
    const { turn, stop } = countTurns();
    const pieces: { readonly who: number; readonly turn: number }[] = [];
    const work = async (who: number): Promise<void> => {
      for (let piece = 0; piece < 3; piece += 1) {
        await ownTurn();
        pieces.push({ who, turn: turn() });
      }
    };
    await Promise.all([0, 1, 2, 3].map(work));
    stop();
    expect(pieces.map(({ who }) => who)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    expect(new Set(pieces.map((piece) => piece.turn)).size).toBe(pieces.length);
  });
});
