// What cannot be a policy, and where its fault lies: data-file cases, bounds, and any text at all.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { buildSnapshot } from '../snapshot.ts';
import { type PolicyProblem, readPolicies } from './read-policies.ts';
import { atOnce } from '../../base/slices.ts';
import { DOCUMENT_LIMITS } from './source.yaml.ts';

interface Case {
  readonly it: string;
  readonly document?: string;
  readonly spec?: string;
  readonly at: string;
  readonly says: string;
}
const cases = parse(
  readFileSync(new URL('../../../test/cases/authorization/policies/bad.yaml', import.meta.url), 'utf8'),
) as readonly Case[];

const invoices = {
  name: 'invoices',
  description: '',
  actions: [],
  ownerActions: [],
  defaultClassification: '',
  attributes: { amount: 'int', tags: 'list(string)' },
  parentTypes: [],
  builtIn: false,
};
const snapshot = buildSnapshot({ tenantId: 'acme', roles: [], types: [invoices] });
const problemsOf = (content: string): readonly PolicyProblem[] =>
  atOnce(readPolicies([{ name: 'a.yaml', content }], { installation: false, ...snapshot })).problems;
const around = (spec: string): string => `apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata: {name: a}\nspec:\n  ${spec}`;

describe('a document is refused, with its place,', () => {
  for (const { it: name, document, spec, at, says } of cases)
    it(`for ${name}`, () => {
      const [problem] = problemsOf(document ?? around(spec ?? ''));
      expect(`${problem?.line}:${problem?.column} ${problem?.message}`).toContain(`${at} `);
      expect(problem?.message).toContain(says);
      expect(problem?.next).not.toBe('');
    });

  it('for being nested too deep, before anything follows it down', () => {
    for (const open of ['[', '{"a":', '- ']) expect(problemsOf(open.repeat(30_000))[0]?.message).toContain('nested deeper');
  });

  it('for having too many members', () => {
    const members = Array.from({ length: DOCUMENT_LIMITS.members + 1 }, (_, at) => `k${at}: 1`).join('\n');
    expect(problemsOf(members)[0]?.message).toContain('more than 1000 members');
  });

  it('for being too long', () => {
    expect(problemsOf(`a: ${'x'.repeat(DOCUMENT_LIMITS.size)}\n`)[0]?.message).toContain('longer than');
  });

  it('and those around it are read all the same', () => {
    const good = around('resource: invoices\n  allowedRoles: [viewer]\n');
    const { policies, problems } = atOnce(
      readPolicies([{ name: 'a.yaml', content: `${good}---\nkind: [\n---\n${good}` }], { installation: false, ...snapshot }),
    );
    expect([policies.length, problems.map(({ document }) => document)]).toEqual([2, [2]]);
  });
});

describe('any text at all', () => {
  it('is read or refused, and never throws', () => {
    const words = [
      'apiVersion: securityhub/v1\n',
      'kind: ',
      'ResourcePolicy\n',
      'spec:',
      '\n  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      ': ',
      '&a',
      '*a',
      '!t',
      '|\n',
      '---\n',
      '#',
      '\t',
      '\u0000',
      '€',
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 })), { maxLength: 40 }), (parts) => {
        expect(Array.isArray(problemsOf(parts.join('')))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
