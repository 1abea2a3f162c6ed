// The lockfile installs anywhere: on every platform, from every registry, and what is shipped is locked by its hash.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

interface Entry {
  readonly name?: string;
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../..');
const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Entry>> };
const manifest = read('package.json') as Entry;

/** Whether `name` is found from `path`, as Node looks for it. */
const found = (path: string, name: string): boolean => {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
};

describe('the lockfile', () => {
  it('is in step with package.json, which names exact versions', () => {
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) {
      expect(packages['']?.[kind]).toEqual(manifest[kind]);
      expect(Object.values(manifest[kind] ?? {}).filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
    }
  });

  it('knows the packages of every platform: npm ci refuses a lockfile that lacks one', () => {
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !found(path, name))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry', () => {
    expect(Object.keys(packages).filter((path) => packages[path]?.resolved !== undefined)).toEqual([]);
  });

  const shipped = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.dev !== true);

  it('installs nothing that is shipped under another name than its own', () => {
    expect(shipped.filter(([, entry]) => entry.name !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('holds the hash of all that is shipped', () => {
    expect(shipped.filter(([, entry]) => entry.integrity === undefined).map(([path]) => path)).toEqual([]);
  });
});
