// Long work in slices: nobody waits longer than a slice for his turn.
import { nextTurn } from '../../base/turn.ts';

/** Milliseconds: with the step that ends it a slice holds the event loop for 2 ms at most. */
const SLICE = 1;

const monotonic = (): number => performance.now();

/** Rests at a yield of the work once a slice is used up. Its steps are short: the test of each such work measures them. */
export const inSlices = async <T>(work: Generator<unknown, T>, now: () => number = monotonic): Promise<T> => {
  let began = now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (now() - began < SLICE) continue;
    await nextTurn();
    began = now();
  }
};

/** All of it now: for a command, which nobody shares. */
export const atOnce = <T>(work: Generator<unknown, T>): T => {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
};
