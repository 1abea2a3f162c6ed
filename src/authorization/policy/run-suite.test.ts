// Policy tests as data: every suite of test/cases/authorization/policies, case by case.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runSuite } from './run-suite.ts';
import { readSource } from './source.yaml.ts';
import { readSuite } from './suite.ts';

const folder = join(import.meta.dirname, '../../../test/cases/authorization/policies');
const files = readdirSync(folder).filter((file) => file.endsWith('.test.yaml'));

for (const file of files) {
  const [document] = readSource(readFileSync(join(folder, file), 'utf8'));
  if (document === undefined || 'message' in document) throw new Error(`${file} is no document`);
  const { suite, problems } = readSuite(document.node, 0);

  describe(`the policies of ${file}`, () => {
    it('can be read', () => expect(problems).toEqual([]));
    if (suite === null) return;
    const sources = suite.files.map((name) => ({ name, content: readFileSync(join(dirname(join(folder, file)), name), 'utf8') }));
    const run = runSuite(suite, sources);
    it('hold together', () => expect(run.problems).toEqual([]));
    for (const { test, ruling, differences } of run.results)
      it(`${test.name} (${test.asked})`, () =>
        expect({ differences, reason: ruling.reason }).toEqual({ differences: [], reason: ruling.reason }));
  });
}
