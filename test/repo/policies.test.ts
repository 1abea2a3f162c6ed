// docs/policies.md: its example is what the reader of policies accepts, and what it says of bounds and kinds is so.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/authorization/policy/document.ts';
import { readPolicies } from '../../src/authorization/policy/read-policies.ts';
import { atOnce } from '../../src/authorization/policy/slices.ts';
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
});
