// What held the event loop of a hub, as it saw it itself: the probe goes into it with its start.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment, NODE_OPTIONS } from '../hub-process.ts';
import { percentile } from './driver.ts';

/** Milliseconds. */
export interface Held {
  /** The longest turn of the loop, and the longest without what the garbage collector took of it. */
  readonly longest: number;
  readonly working: number;
  /** Of the turns that took longer than a quarter of a millisecond, without the collector. */
  readonly p99: number;
}

export interface LoopProbe {
  readonly env: Environment;
  /** Since the last time, by the process with that id. */
  read(pid: number): Promise<Held>;
}

export const createLoopProbe = (): LoopProbe => {
  const file = join(mkdtempSync(join(tmpdir(), 'security-hub-loop-')), 'turns.json');
  return {
    env: { LOOP_PROBE: file, NODE_OPTIONS: `${NODE_OPTIONS} --import ${join(import.meta.dirname, 'loop-probe.ts')}` },
    async read(pid) {
      rmSync(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
      const turns = JSON.parse(readFileSync(file, 'utf8')) as readonly (readonly [number, number])[];
      const working = turns.map(([, own]) => own).sort((a, b) => a - b);
      return {
        longest: turns.reduce((most, [whole]) => Math.max(most, whole), 0),
        working: working.at(-1) ?? 0,
        p99: percentile(working, 0.99),
      };
    },
  };
};
