import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { watchSecret } from '../../src/server/config/secrets.file.ts';

const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

const watch = (paths: readonly string[]) => {
  const seen: string[] = [];
  const problems: unknown[] = [];
  const onChange = (contents: readonly Buffer[]): void => void seen.push(contents.join('|'));
  ends.push(watchSecret(paths, onChange, { every: 10, onProblem: (_, thrown) => problems.push(thrown) }));
  return { seen, problems };
};

const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 300 && !condition(); tries += 1) await sleep(10);
  expect(condition()).toBe(true);
};

const folder = (): string => mkdtempSync(join(tmpdir(), 'security-hub-secrets-'));

describe('a watched secret', () => {
  it('is read again when its file changes, together with the files it belongs to', async () => {
    const [cert, key] = ['crt', 'key'].map((name) => join(folder(), name)) as [string, string];
    writeFileSync(cert, 'c1');
    writeFileSync(key, 'k1');
    const { seen } = watch([cert, key]);
    await sleep(50);
    expect(seen).toEqual([]);
    writeFileSync(cert, 'c2');
    await until(() => seen.includes('c2|k1'));
  });

  it('is read again when a mounted volume swaps its link', async () => {
    const at = folder();
    writeFileSync(join(at, 'one'), '1');
    writeFileSync(join(at, 'two'), '2');
    symlinkSync('one', join(at, 'data'));
    const { seen } = watch([join(at, 'data')]);
    symlinkSync('two', join(at, 'next'));
    renameSync(join(at, 'next'), join(at, 'data'));
    await until(() => seen.includes('2'));
  });

  it('stays as it was while its file is away, said once, and comes back with it', async () => {
    const path = join(folder(), 'secret');
    writeFileSync(path, '1');
    const { seen, problems } = watch([path]);
    rmSync(path);
    await until(() => problems.length === 1);
    await sleep(50);
    expect(problems).toHaveLength(1);
    writeFileSync(path, '2');
    await until(() => seen.includes('2'));
  });
});
