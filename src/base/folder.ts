// Makes a folder with those above it. Node's own `recursive` never comes back where the system says ENOENT for a folder that is there (/proc).
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Does nothing where it is there already; throws what the system says. `mode` is for every folder it makes. */
export const makeFolder = (path: string, mode = 0o777): void => {
  const missing: string[] = [];
  for (let at = resolve(path); !isFolder(at) && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Somebody else may have made it in the meantime.
      if (!isFolder(folder)) throw error;
    }
  }
};
