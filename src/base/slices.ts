// Long work in slices: nobody waits longer than a slice for his turn.
import { nextTurn } from './turn.ts';

/** Milliseconds: with the step that ends it, and with what else comes in the same turn, the event loop is held for 2 ms at most. */
const SLICE = 0.75;

const monotonic = (): number => performance.now();

/**
 * Begins in a turn of its own, since something may have come before, and rests at a yield of the work once a slice is used up. Its steps
 * are short: the test of each such work measures them.
 */
export const inSlices = async <T>(work: Generator<unknown, T>, now: () => number = monotonic): Promise<T> => {
  for (;;) {
    await nextTurn();
    const began = now();
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (now() - began < SLICE);
  }
};

/** All of it now: for a command, which nobody shares. */
export const atOnce = <T>(work: Generator<unknown, T>): T => {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
};
