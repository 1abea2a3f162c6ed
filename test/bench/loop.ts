// What held the event loop of a hub, as it saw it itself: the probe goes into it with its start.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../hub-process.ts';
import { percentile } from './driver.ts';

export interface Held {
  /** Milliseconds. */
  readonly longest: number;
  /** Of the turns that took longer than a quarter of a millisecond. */
  readonly p99: number;
  /** Turns that took longer than 2 ms. */
  readonly over: number;
}

const BUDGET = 2;

export interface LoopProbe {
  readonly env: Environment;
  /** Since the last time, by the process with that id. */
  read(pid: number): Promise<Held>;
}

export const createLoopProbe = (): LoopProbe => {
  const file = join(mkdtempSync(join(tmpdir(), 'security-hub-loop-')), 'turns.json');
  return {
    env: { LOOP_PROBE: file, NODE_OPTIONS: `--max-semi-space-size=8 --import ${join(import.meta.dirname, 'loop-probe.ts')}` },
    async read(pid) {
      rmSync(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
      const turns = (JSON.parse(readFileSync(file, 'utf8')) as number[]).sort((a, b) => a - b);
      return { longest: turns.at(-1) ?? 0, p99: percentile(turns, 0.99), over: turns.filter((one) => one > BUDGET).length };
    },
  };
};
