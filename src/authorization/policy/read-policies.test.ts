// What cannot be a policy, and where its fault lies: data-file cases, bounds, and any text at all.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { type ResourceType, UNDECLARED } from '../resource-type.ts';
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
  actions: ['read', 'write', 'delete'],
  ownerActions: ['share'],
  defaultClassification: '',
  attributes: { amount: 'int', tags: 'list(string)' },
  parentTypes: [],
  builtIn: false,
};
const boxes = { ...UNDECLARED, name: 'boxes' };
const declaring = (types: readonly ResourceType[]) => buildSnapshot({ tenantId: 'acme', roles: [], types });
const snapshot = declaring([invoices]);
const problemsOf = (content: string, declared = snapshot): readonly PolicyProblem[] =>
  atOnce(readPolicies([{ name: 'a.yaml', content }], { installation: false, ...declared })).problems;
const around = (spec: string): string => `apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata: {name: a}\nspec:\n  ${spec}`;

describe('a document is refused, with its place,', () => {
  for (const { it: name, document, spec, at, says } of cases)
    it(`for ${name}`, () => {
      const [problem] = problemsOf(document ?? around(spec ?? ''));
      expect(`${problem?.line}:${problem?.column} ${problem?.message}`).toContain(`${at} `);
      expect(problem?.message).toContain(says);
      expect(problem?.next).not.toBe('');
    });

  it('but not for requiring what a built-in role holds, or what a type that nobody declared may know', () => {
    const permissions = snapshot.roles.flatMap((role) => role.permissions).filter((permission) => !permission.includes('*'));
    expect(permissions.length).toBeGreaterThan(20);
    const required = [...new Set(permissions), 'reports:approve', 'invoices:share'].map((permission) => `'${permission}'`);
    expect(problemsOf(around(`resource: invoices\n  requiredPermissions: [${required.join(', ')}]\n`))).toEqual([]);
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

describe('what a type declares', () => {
  const wildcard =
    'apiVersion: securityhub/v1\nkind: SecurityPolicy\nmetadata: {name: a}\nspec:\n  rules: [{name: a, effect: deny, actions: [open]}]';

  it.each([
    ['every action is meant by a wildcard', "resource: invoices\n  rules: [{name: a, effect: deny, actions: ['*']}]"],
    ["an owner's action is one of its own", 'resource: invoices\n  rules: [{name: a, effect: deny, actions: [share]}]'],
    ['a field under a mask is a column, which need be no attribute', 'resource: invoices\n  masks: [{field: iban, mask: full}]'],
    ['no list of actions leaves them open', 'resource: boxes\n  rules: [{name: a, effect: deny, actions: [open]}]'],
  ])('is all that policies speak of: %s', (_what, spec) => {
    expect(problemsOf(around(spec), declaring([invoices, boxes]))).toEqual([]);
  });

  it('counts for a mask that leaves its actions out, too', () => {
    const looked = { ...invoices, actions: ['look'] };
    const [problem] = problemsOf(around('resource: invoices\n  masks: [{field: amount, mask: full}]'), declaring([looked]));
    expect(problem).toMatchObject({ line: 6, column: 19, field: 'spec.masks[0].actions', message: 'invoices has no action read' });
  });

  it('leaves a wildcard open where one type is', () => {
    expect(problemsOf(wildcard).map(({ message }) => message)).toEqual(['no resource type has an action open']);
    expect(problemsOf(wildcard, declaring([invoices, boxes]))).toEqual([]);
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
