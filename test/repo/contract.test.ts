// The contract: buf accepts it, a rename is noticed, and every field of a request is bounded.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const buf = (cwd: string, ...args: string[]) => spawnSync(join(root, 'node_modules/.bin/buf'), args, { cwd, encoding: 'utf8' });
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'security-hub-contract-'));
  for (const path of ['proto', 'third_party', 'buf.yaml']) cpSync(join(root, path), join(copy, path), { recursive: true });
});

afterAll(() => rmSync(copy, { recursive: true }));

describe('the contract', () => {
  it('is accepted as it stands against the released one', () => {
    const { status, stdout } = buf(copy, 'breaking', 'proto', '--against', 'proto/released.binpb');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('fails the check when a field is renamed', () => {
    const path = join(copy, 'proto/securityhub/v1/token.proto');
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, before.replace('string access_token = 1', 'string bearer_token = 1'));
    const { status, stdout } = buf(copy, 'breaking', 'proto', '--against', 'proto/released.binpb');
    writeFileSync(path, before);
    expect(status).not.toBe(0);
    expect(stdout).toContain('access_token');
  });

  it('has a comment on every service, call, message and field', () => {
    const { status, stdout } = buf(
      copy,
      'lint',
      '--config',
      '{"version":"v2","modules":[{"path":"proto","lint":{"use":["COMMENTS"]}},{"path":"third_party/proto","lint":{"ignore":["third_party/proto"]}}]}',
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
