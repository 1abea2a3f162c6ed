// Builds with one deliberate fault: copies of dist in which one text is replaced.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MAIN } from '../hub-process.ts';

export interface Break {
  /** Under dist. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly by: string;
}

export interface BrokenBuild {
  readonly main: string;
  remove(): void;
}

export const breakBuild = ({ file, text, by }: Break): BrokenBuild => {
  const dist = dirname(MAIN);
  const root = mkdtempSync(join(tmpdir(), 'security-hub-broken-'));
  cpSync(dist, join(root, 'dist'), { recursive: true });
  for (const beside of ['node_modules', 'package.json']) symlinkSync(join(dist, '..', beside), join(root, beside));
  const path = join(root, 'dist', file);
  const parts = readFileSync(path, 'utf8').split(text);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${text}`);
  writeFileSync(path, parts.join(by));
  return { main: join(root, 'dist/main.js'), remove: () => rmSync(root, { recursive: true, force: true }) };
};
