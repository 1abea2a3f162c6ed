// Lets everybody else have their turn before a long piece of work goes on.

/** For what cannot wait long: the rest of this turn of the event loop is others'. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const waiting: (() => void)[] = [];

const goOn = (): void => {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(goOn);
};

/**
 * For work in slices: one slice in each turn of the event loop, in the order in which they came. However many such works are under way,
 * together they hold it no longer than the longest of their slices.
 */
export const ownTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn);
  });
