// Preloaded into a measured hub (NODE_OPTIONS=--import): how long each turn of its event loop held it, without what the machine's other
// processes took of it meanwhile. Told by SIGUSR2 it writes what it saw since the last time to the file it was given.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';

const file = process.env['LOOP_PROBE'] ?? '';
/** Milliseconds. Shorter turns are only counted. */
const SHORT = 0.25;

const schedstat = openSync('/proc/thread-self/schedstat', 'r');
const text = Buffer.alloc(128);
/** Milliseconds that this thread has stood in line for its core since it began. */
const waited = (): number => Number(text.toString('latin1', 0, readSync(schedstat, text, 0, text.length, 0)).split(' ')[1]) / 1e6;

let long: number[] = [];
let pauses: number[] = [];
let turns = 0;
let stood = waited();
let before = performance.now();

const turn = (): void => {
  turns += 1;
  let now = performance.now();
  if (now - before > SHORT || turns % 1000 === 0) {
    const line = waited();
    long.push(now - before - (line - stood));
    stood = line;
    now = performance.now();
  }
  before = now;
  setImmediate(turn);
};
setImmediate(turn);

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) pauses.push(duration);
}).observe({ entryTypes: ['gc'] });

const descending = (values: number[]): number[] => values.sort((a, b) => b - a);

process.on('SIGUSR2', () => {
  writeFileSync(`${file}.new`, JSON.stringify({ turns, long: descending(long), pauses: descending(pauses) }));
  renameSync(`${file}.new`, file);
  [turns, long, pauses, stood, before] = [0, [], [], waited(), performance.now()];
});
