// docs/policies.md: its example is what the reader of policies accepts, and what it says of bounds and kinds is so.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/authorization/policy/document.ts';
import { readPolicies } from '../../src/authorization/policy/read-policies.ts';
import { runSuite } from '../../src/authorization/policy/run-suite.ts';
import { atOnce } from '../../src/base/slices.ts';
import { readSource } from '../../src/authorization/policy/source.yaml.ts';
import { readSuite, type Suite } from '../../src/authorization/policy/suite.ts';
import { buildSnapshot } from '../../src/authorization/snapshot.ts';
import { readType } from '../../src/authorization/put-resource-type.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/policies.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']) => text);

describe('docs/policies.md', () => {
  it('shows a set that can be applied, with every kind of policy', () => {
    const types = [readType({ name: 'invoices', description: '', actions: [], ownerActions: [], defaultClassification: '' } as never)];
    const snapshot = buildSnapshot({ tenantId: 'acme', roles: [], types });
    const sources = examples.map((content, index) => ({ name: `example-${index}`, content }));
    const { policies, problems } = atOnce(readPolicies(sources, { installation: false, ...snapshot }));
    expect(problems).toEqual([]);
    expect(new Set(policies.map(({ document }) => document.kind))).toEqual(new Set(KINDS));
  });

  it('shows tests that this very set passes', () => {
    const [, text = ''] = /```\n(apiVersion: [^`]*\nkind: PolicyTests\n[^`]*)```/.exec(page) ?? [];
    const [document] = readSource(text);
    if (document === undefined || 'message' in document) throw new Error('no suite');
    const { suite, problems } = readSuite(document.node, 0);
    expect(problems).toEqual([]);
    const run = runSuite(suite as Suite, [{ name: 'invoices.yaml', content: examples.join('\n---\n') }]);
    expect([run.problems, run.results.flatMap(({ differences }) => differences)]).toEqual([[], []]);
    expect(run.results.length).toBeGreaterThan(3);
  });
});
