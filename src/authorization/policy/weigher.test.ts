// Rules are kept as they were written and made when somebody asks: what does not compile then, how long the first question takes, and what
// those weigh that nobody asks about.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { conditionSchema } from '../condition/condition.ts';
import { evaluate } from '../evaluate.ts';
import { compileRights } from '../rights.ts';
import type { Ruling } from '../ruling.ts';
import { bareSituation } from '../situation.ts';
import { buildSnapshot, withPolicies } from '../snapshot.ts';
import { type CompiledSet, compileSet, EMPTY_SET, NO_TYPES, type StoredBody } from './compile-set.ts';
import { ANY_TYPE } from './declared.ts';
import { createPolicySet, type PolicySet } from './policy-set.ts';
import { readPolicies } from './read-policies.ts';
import { atOnce } from '../../base/slices.ts';

const schema = conditionSchema({ resource: { status: { kind: 'string' }, amount: { kind: 'int' } } });
const vocabulary = { ...ANY_TYPE, installation: false, role: () => true, schema: () => schema };

const written = (name: string, type: string, rules: readonly string[]): string =>
  `apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata: { name: ${name} }\nspec:\n  resource: ${type}\n  rules:\n${rules.map((rule) => `    - { ${rule} }\n`).join('')}`;

const conditional = (at: number, effect: string): string =>
  `name: r${at}, effect: ${effect}, actions: [read], condition: 'resource.status == "S${at}" && resource.amount > ${at}'`;

const stored = (content: string): StoredBody => {
  const { policies, problems } = atOnce(readPolicies([{ name: 'a', content }], vocabulary));
  const [read] = policies;
  if (read === undefined) throw new Error(problems[0]?.message);
  const { document, trees } = read;
  return { name: document.name, version: 1, content: '', body: JSON.stringify({ document, trees }), offers: false };
};

const compiled = (come: readonly StoredBody[]): CompiledSet =>
  atOnce(compileSet(EMPTY_SET, { version: 1, come, gone: [], types: NO_TYPES, installation: false }, vocabulary));

const asker = (policies: PolicySet | null, role: string) => {
  const snapshot = withPolicies(buildSnapshot({ tenantId: 't', roles: [], types: [] }), policies);
  const subject = { type: 'user', id: 'u1' };
  const assignments = [{ role, notBefore: null, expiresAt: null }];
  const rows = { subject, assignments, grants: [], memberships: [], delegations: [], clearance: null };
  const rights = compileRights(snapshot, { rows, groups: [], lent: [] }, 0, 0);
  const nothing = { resourceId: '', resourceTenantId: '', ownerId: '', classification: '', parents: [], believed: true };
  return (type: string, resource = {}): Ruling => evaluate(rights, { ...nothing, type, action: 'read' }, { ...bareSituation(0), resource });
};

const damage = (row: StoredBody, tree: string): StoredBody => {
  const { document, trees } = JSON.parse(row.body ?? '') as { readonly document: unknown; readonly trees: object };
  return { ...row, body: JSON.stringify({ document, trees: Object.fromEntries(Object.keys(trees).map((path) => [path, tree])) }) };
};

const RESOURCE = { status: 'S1', amount: 9 };

describe('a rule that does not compile when the first question comes', () => {
  // No text of ours; a kind of node of a later release; a call that nobody knows.
  const trees = ['{', '[99,"bool",0]', '[12,"bool",0,null,null,null]'];

  it.each(trees)('denies where it denies: %s', (tree) => {
    const row = damage(stored(written('p', 'users', [conditional(1, 'deny')])), tree);
    const ask = asker(createPolicySet([compiled([row]).index]), 'viewer');
    expect(ask('users', { ...RESOURCE, status: 'other' })).toMatchObject({ allowed: false, code: 'DENIED_CONDITION_ERROR' });
    expect(ask('config', RESOURCE)).toMatchObject({ allowed: asker(null, 'viewer')('config').allowed });
  });

  it.each(trees)('allows nothing where it allows: %s', (tree) => {
    const whole = stored(written('p', 'billing', [conditional(1, 'allow')]));
    expect(asker(createPolicySet([compiled([whole]).index]), 'nobody')('billing', RESOURCE)).toMatchObject({ allowed: true });
    const ask = asker(createPolicySet([compiled([damage(whole, tree)]).index]), 'nobody');
    for (const _ of [1, 2]) expect(ask('billing', RESOURCE)).toMatchObject({ allowed: false, code: 'DENIED_CONDITION_ERROR' });
  });
});

describe('what the first release stored', () => {
  it('is read as it stands', () => {
    const row = stored(written('p', 'billing', [conditional(1, 'allow')]));
    const ast = { kind: 'literal', type: { kind: 'bool' }, at: 0, value: true };
    const { document } = JSON.parse(row.body ?? '') as { readonly document: unknown };
    const first = { ...row, body: JSON.stringify({ document, conditions: { 'spec.rules[0].condition': { source: 'true', ast } } }) };
    expect(asker(createPolicySet([compiled([first]).index]), 'nobody')('billing')).toMatchObject({ allowed: true });
  });
});

const MANY = 2000;

describe('of thousands of policies', () => {
  it('the first question about a type makes only what it comes to, within 2 ms', () => {
    const rules = Array.from({ length: 8 }, (_, at) => conditional(at, at % 2 === 0 ? 'deny' : 'allow'));
    const set = compiled(Array.from({ length: MANY / 10 }, (_, at) => stored(written(`p${at}`, `things_${at}`, rules))));
    const ask = asker(createPolicySet([set.index]), 'viewer');
    const took = Array.from({ length: 50 }, (_, at) => {
      const began = performance.now();
      ask(`things_${at}`, RESOURCE);
      return performance.now() - began;
    }).sort((a, b) => a - b);
    expect(took[25]).toBeLessThan(2);
    expect([...set.policies.values()].filter((one) => one.rules.some(({ weigher }) => weigher !== null))).toHaveLength(50);
  });

  it('those that one question finds together are made before it comes', () => {
    const set = compiled(Array.from({ length: MANY / 10 }, (_, at) => stored(written(`p${at}`, 'things', [conditional(at, 'allow')]))));
    const rest = [...set.policies.values()].flatMap(({ rules }) => rules).filter(({ weigher }) => weigher === null);
    expect(rest.length).toBeLessThanOrEqual(8);
  });

  it('one of two rules weighs less than 4 KB', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const rules = (at: number) => [conditional(at, 'allow'), conditional(at + 1, 'deny')];
    // As rows come from the database: texts that nobody else holds.
    const rows = JSON.stringify(Array.from({ length: MANY }, (_, at) => stored(written(`p${at}`, `things_${at}`, rules(at)))));
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    const set = compiled(JSON.parse(rows) as StoredBody[]);
    const grown = heap() - before;
    expect(set.policies.size).toBe(MANY);
    expect(grown / MANY).toBeLessThan(4096);
  });
});
