// Long work in slices: nobody waits longer than a slice for his turn.

/** Milliseconds. */
const SLICE = 2;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rests at a yield of the work once a slice is used up. */
export const inSlices = async <T>(work: Generator<unknown, T>): Promise<T> => {
  let began = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - began < SLICE) continue;
    await nextTurn();
    began = performance.now();
  }
};

/** All of it now: for a command, which nobody shares. */
export const atOnce = <T>(work: Generator<unknown, T>): T => {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
};
