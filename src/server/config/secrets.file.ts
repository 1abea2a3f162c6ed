// Reads configuration and secrets from files, and notices when a secret's file changes.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Millis } from '../../base/time.ts';

const LARGEST = 1024 * 1024;

/** The text of a file of at most 1 MiB. */
export const readTextFile = (path: string): string => {
  const bytes = readFileSync(path);
  if (bytes.length > LARGEST) throw new RangeError(`${path} is larger than 1 MiB`);
  return bytes.toString('utf8');
};

export interface WatchOptions {
  /** How often to look; a change is noticed within it. */
  readonly every?: Millis;
  /** Told once per outage when a file cannot be read or `onChange` throws; the old contents stay in use. */
  readonly onProblem?: (path: string, thrown: unknown) => void;
}

/**
 * Calls `onChange` with the contents of all `paths` whenever one of them changed; never with the first contents.
 * Contents are compared, not times: a mounted Kubernetes secret changes by swapping a symbolic link, and file
 * notifications miss that. What throws is tried again at the next look. Returns the end of it.
 */
export const watchSecret = (
  paths: readonly string[],
  onChange: (contents: readonly Buffer[]) => void | Promise<void>,
  options: WatchOptions = {},
): (() => void) => {
  const read = (): Promise<Buffer[]> => Promise.all(paths.map((path) => readFile(path)));
  let known: readonly Buffer[] | null = null;
  let troubled = false;
  let stopped = false;
  try {
    known = paths.map((path) => readFileSync(path));
  } catch {
    // The first look that can read them counts as a change.
  }
  const look = async (): Promise<void> => {
    try {
      const found = await read();
      const same = known !== null && found.every((bytes, at) => known?.[at]?.equals(bytes));
      if (!same && !stopped) await onChange(found);
      known = found;
      troubled = false;
    } catch (thrown) {
      if (!troubled) options.onProblem?.(paths.join(', '), thrown);
      troubled = true;
    }
  };
  let timer: NodeJS.Timeout;
  const next = (): void => {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (!stopped) next();
      });
    }, options.every ?? 5000);
    timer.unref();
  };
  next();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
};
