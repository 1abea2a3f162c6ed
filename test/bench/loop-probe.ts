// Preloaded into a measured hub (NODE_OPTIONS=--import): how long each turn of its event loop took, without the time that its thread stood in
// line for a core, and how much of it the garbage collector. It spins: the hub needs a core of its own. Told by SIGUSR2 it writes the turns
// since the last time, in milliseconds, to the file that LOOP_PROBE names.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';

const file = process.env['LOOP_PROBE'] ?? '';
/** Milliseconds. Shorter turns are not told. */
const SHORT = 0.25;
/** Turns between two looks at the line. */
const STRIDE = 1000;

// proc(5): time on a core, time in line for one, in nanoseconds.
const schedstat = openSync('/proc/thread-self/schedstat', 'r');
const text = Buffer.alloc(128);
const stoodInLine = (): number => Number(text.toString('latin1', 0, readSync(schedstat, text, 0, text.length, 0)).split(' ')[1]) / 1e6;

interface Turn {
  readonly from: number;
  readonly to: number;
  readonly own: number;
}

let long: Turn[] = [];
let pauses: PerformanceEntry[] = [];
let turns = 0;
let line = stoodInLine();
let before = performance.now();

const turn = (): void => {
  turns += 1;
  const to = performance.now();
  const took = to - before;
  if (took > SHORT || turns % STRIDE === 0) {
    const now = stoodInLine();
    const own = took - (now - line);
    if (own > SHORT) long.push({ from: before, to, own });
    line = now;
  }
  before = performance.now();
  setImmediate(turn);
};
setImmediate(turn);

const observer = new PerformanceObserver((list) => void pauses.push(...list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

process.on('SIGUSR2', () => {
  pauses.push(...observer.takeRecords());
  const collecting = ({ from, to }: Turn): number =>
    pauses.filter(({ startTime }) => startTime >= from && startTime < to).reduce((sum, { duration }) => sum + duration, 0);
  // A pause is told as the clock saw it, perhaps with time in line: what is left without it is then told too short by `own`, never by the clock.
  const working = (turn: Turn): number => Math.max(0, Math.min(turn.own, turn.to - turn.from - collecting(turn)));
  writeFileSync(`${file}.new`, JSON.stringify(long.map((one) => [one.own, working(one)])));
  renameSync(`${file}.new`, file);
  [long, pauses] = [[], []];
  line = stoodInLine();
  before = performance.now();
});
