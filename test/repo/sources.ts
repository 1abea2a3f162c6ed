// The files of the tree that fences read.
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** Every TypeScript file below a folder, as a path from the root. */
export const files = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

/** What somebody has written, tests beside it included. */
export const sources = files('src').filter((file) => !file.startsWith('src/gen/'));

/** What ships. */
export const product = sources.filter((file) => !file.endsWith('.test.ts'));
