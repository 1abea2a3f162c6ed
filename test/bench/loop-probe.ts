// Preloaded into a measured hub (NODE_OPTIONS=--import): how long each turn of its event loop took, collecting garbage included, without
// the time that its thread stood in line for a core. It spins: the hub needs a core of its own. Told by SIGUSR2 it writes the turns since
// the last time, in milliseconds, to the file that LOOP_PROBE names.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';

const file = process.env['LOOP_PROBE'] ?? '';
/** Milliseconds. Shorter turns are not told. */
const SHORT = 0.25;
/** Turns between two looks at the line. */
const STRIDE = 1000;

// proc(5): time on a core, time in line for one, in nanoseconds.
const schedstat = openSync('/proc/thread-self/schedstat', 'r');
const text = Buffer.alloc(128);
const stoodInLine = (): number => Number(text.toString('latin1', 0, readSync(schedstat, text, 0, text.length, 0)).split(' ')[1]) / 1e6;

let long: number[] = [];
let turns = 0;
let line = stoodInLine();
let before = performance.now();

const turn = (): void => {
  turns += 1;
  const took = performance.now() - before;
  if (took > SHORT || turns % STRIDE === 0) {
    const now = stoodInLine();
    const own = took - (now - line);
    if (own > SHORT) long.push(own);
    line = now;
  }
  before = performance.now();
  setImmediate(turn);
};
setImmediate(turn);

process.on('SIGUSR2', () => {
  writeFileSync(`${file}.new`, JSON.stringify(long));
  renameSync(`${file}.new`, file);
  long = [];
  line = stoodInLine();
  before = performance.now();
});
