// How many rows a job takes at once: what the database it meets does in a fraction of the time that a statement has.
import type { Millis } from '../base/time.ts';

/** Whoever waits for a processor, a disk or a row that a piece holds does not notice, and a statement has a hundred times as long. */
const GOAL: Millis = 25;

export interface Pace {
  readonly least: number;
  readonly most: number;
}

/** How many come next, where `size` took so long; null: it failed, and that many are never done. */
export const next = ({ least, most }: Pace, size: number, took: Millis | null): number | null => {
  if (took === null) return size <= least ? null : Math.max(least, Math.floor(size / 4));
  if (took > GOAL) return Math.max(least, Math.floor(size / 2));
  return took * 2 < GOAL ? Math.min(most, size * 2) : size;
};

/** After each piece the database has so many times as long for everybody else. */
const TIMES = 2;
/** And its disk this long to write what the piece has left in memory, which took no time yet. */
const LEAST_REST: Millis = 50;

/** How long nothing is done after a piece that took so long. */
export const rest = (took: Millis): Millis => Math.max(LEAST_REST, took * TIMES);
