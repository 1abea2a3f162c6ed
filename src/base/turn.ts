// Lets everybody else have their turn before a long piece of work goes on.

export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

// Long calls go one after the other, a slice of one of them in each turn of the event loop, however many there are: side by side they would
// hold a turn all together, and each would keep what it has read for the time of all, until the collector takes it for lasting.
const waiting: (() => void)[] = [];
/** Those under way, who go first. */
const underWay: (() => void)[] = [];
let coming = false;
/** Turns in a row that belonged to those under way. */
let streak = 0;
/** Then one of them goes to the end of the line, so that nobody waits long for one that weighs a second of conditions. */
const MOST = 16;

const step = (): void => {
  coming = false;
  streak = underWay.length > 0 ? streak + 1 : 0;
  (underWay.shift() ?? waiting.shift())?.();
  come();
};

const come = (): void => {
  if (coming || underWay.length + waiting.length === 0) return;
  coming = true;
  setImmediate(step);
};

const standIn = (line: (() => void)[]): Promise<void> =>
  new Promise((resolve) => {
    line.push(resolve);
    come();
  });

/** At the end of the line. */
export const inLine = (): Promise<void> => standIn(waiting);

/** For a call that has had its turn: the next one as well. */
export const goOn = (): Promise<void> => standIn(streak < MOST ? underWay : waiting);
