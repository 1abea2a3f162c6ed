import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { makeFolder } from './folder.ts';

const home = mkdtempSync(join(tmpdir(), 'security-hub-folder-'));
afterAll(() => rmSync(home, { recursive: true }));

describe('a folder', () => {
  it('is made with all that are missing above it, and left alone where it is there', () => {
    const path = join(home, 'a/b/c');
    makeFolder(path, 0o700);
    makeFolder(path, 0o755);
    expect([path, join(home, 'a')].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  it('below a file is refused with what the system says', () => {
    writeFileSync(join(home, 'file'), '');
    expect(() => makeFolder(join(home, 'file'))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(() => makeFolder(join(home, 'file/below'))).toThrow(expect.objectContaining({ syscall: 'mkdir' }));
  });
});
