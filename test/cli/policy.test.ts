// `security-hub policy`: files checked and tested without a hub.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runCli } from '../hub-process.ts';

const cases = join(import.meta.dirname, '../cases/authorization/policies');
const policies = join(cases, 'platform.yaml');
const suite = join(cases, 'platform.test.yaml');
const folder = mkdtempSync(join(tmpdir(), 'security-hub-policy-'));
const written = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('security-hub policy', () => {
  it('test ends with 0 when every answer is as wanted', async () => {
    const { code, out, err } = await runCli(['policy', 'test', suite], { POSTGRES_URI: 'nonsense' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/platform\.test\.yaml: (\d+) of \1 as wanted/);
  });

  it('test ends with 1 when one is not, and shows what was wanted, what came and why', async () => {
    written('platform.yaml', readFileSync(policies, 'utf8'));
    const path = written('wrong.test.yaml', readFileSync(suite, 'utf8').replace('want: DENIED_CLASSIFICATION', 'want: ALLOWED'));
    const { code, out } = await runCli(['policy', 'test', path]);
    expect(code).toBe(1);
    expect(out).toMatch(/wrong\.test\.yaml:\d+: makes a type more secret than it says/);
    expect(out).toMatch(/- answer +ALLOWED\n {2}\+ answer +DENIED_CLASSIFICATION/);
  });

  it('validate knows types and roles from a file of tests, and names line and column', async () => {
    expect((await runCli(['policy', 'validate', policies, '--types', suite])).code).toBe(0);
    const path = written('bad.yaml', readFileSync(policies, 'utf8').replace('resource.replicas > 10', 'resource.replicas > "x"'));
    const { code, err } = await runCli(['policy', 'validate', path, '--types', suite]);
    expect(code).toBe(1);
    expect(err).toMatch(/bad\.yaml:19:\d+: spec\.rules\[1\]\.condition > does not take \(int, string\)\n +correct the expression/);
  });

  it.each(['validate', 'test'])('%s finds an action that the type has not', async (word) => {
    const slipped = written(
      'platform.yaml',
      readFileSync(policies, 'utf8').replace('actions: [create, approve]', 'actions: [create, aprove]'),
    );
    const words = word === 'test' ? [written('slip.test.yaml', readFileSync(suite, 'utf8'))] : [slipped, '--types', suite];
    const { code, err } = await runCli(['policy', word, ...words]);
    expect(code).toBe(1);
    expect(err).toMatch(
      /platform\.yaml:22:\d+: spec\.rules\[2\]\.actions deployments has no action aprove; did you mean approve\?\n +declare it with PutResourceType/,
    );
  });

  it('validate takes names on trust where nobody tells them, and says so', async () => {
    const { code, out } = await runCli(['policy', 'validate', policies]);
    expect(code).toBe(0);
    expect(out).toContain('taken on trust');
  });

  it.each<[string, string[], string]>([
    ['without a word', ['policy'], 'say validate, test, apply'],
    ['with a slip', ['policy', 'tset', suite], 'did you mean test?'],
    ['without a file', ['policy', 'test'], 'name at least one file'],
    ['with a file that is not there', ['policy', 'test', '/nowhere.yaml'], 'cannot be read (ENOENT)'],
  ])('%s ends with 2 and a hint', async (_, words, hint) => {
    const { code, err } = await runCli(words);
    expect(code).toBe(2);
    expect(err).toContain(hint);
  });
});
