// The index of policies against fifty obvious lines, on random policies; and an index changed step by step against one made anew.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { conditionSchema } from '../condition/condition.ts';
import { evaluate } from '../evaluate.ts';
import type { Question } from '../question.ts';
import { compileRights, type Rights } from '../rights.ts';
import { bareSituation, type Situation } from '../situation.ts';
import { buildSnapshot, withPolicies } from '../snapshot.ts';
import type { PolicyDocument, Requirements, Rule } from './document.ts';
import { changeIndex, type CompiledPolicy, compilePolicy, EMPTY_INDEX, type PolicyIndex } from './policy-index.ts';
import { createPolicySet } from './policy-set.ts';
import { atOnce } from '../../base/slices.ts';

const TYPES = ['users', 'config'];
const ACTIONS = ['read', 'write'];
const ROLES = ['viewer', 'member'];
const PRINCIPALS = ['user:u1', 'user:u2', 'group:g1', 'role:viewer'];
const PLACES = ['production', 'staging'];

const some = <T>(values: readonly T[]) => fc.subarray([...values]);
const actions = fc.oneof(fc.constant(['*']), fc.subarray(ACTIONS, { minLength: 1 }));

const rule: fc.Arbitrary<Omit<Rule, 'name'>> = fc.record({
  effect: fc.constantFrom('allow', 'deny'),
  resource: fc.constantFrom('*', ...TYPES),
  actions,
  principals: fc.oneof(fc.constant([]), some(PRINCIPALS)),
  roles: fc.oneof(fc.constant([]), some(ROLES)),
  environments: fc.oneof(fc.constant([]), some(PLACES)),
  workloads: fc.constant([]),
  timeWindows: fc.constant([]),
  condition: fc.constant(''),
  conditions: fc.constant([]),
  obligations: fc.oneof(fc.constant([]), fc.constant(['log'])),
  reason: fc.constant(''),
});
const requirements: fc.Arbitrary<Requirements | null> = fc.option(
  fc.record({
    resource: fc.constantFrom('*', ...TYPES),
    actions,
    environments: fc.oneof(fc.constant([]), some(PLACES)),
    workloads: fc.constant([]),
    permissions: fc.constant([]),
    roles: fc.oneof(fc.constant([]), some(ROLES)),
    mfa: fc.boolean(),
    timeWindows: fc.constant([]),
    obligations: fc.oneof(fc.constant([]), fc.constant(['notify'])),
  }),
);
const policy = fc.record({ rules: fc.array(rule, { maxLength: 3 }), requirements });
const policies = fc.array(policy, { maxLength: 8 });

type Drawn = { readonly rules: readonly Omit<Rule, 'name'>[]; readonly requirements: Requirements | null };

const documentOf = ({ rules, requirements: required }: Drawn, name: string): PolicyDocument => ({
  kind: 'SecurityPolicy',
  name,
  description: '',
  category: '',
  requirements: required,
  rules: rules.map((one, index) => ({ ...one, name: `r${index}` })),
  masks: [],
  classification: '',
  named: {},
  about: '*',
});

const schema = conditionSchema();
const compile = (drawn: Drawn, name: string): CompiledPolicy =>
  compilePolicy(
    { name, version: 1, document: documentOf(drawn, name), trees: {} },
    { installation: false, schema: () => schema, named: () => undefined },
  );
const indexOf = (all: readonly Drawn[]): PolicyIndex =>
  atOnce(
    changeIndex(
      EMPTY_INDEX,
      [],
      all.map((one, index) => compile(one, `p${index}`)),
    ),
  );

const world = fc.record({
  subject: fc.constantFrom('u1', 'u2'),
  roles: some(ROLES),
  groups: some(['g1', 'g2']),
  environment: fc.constantFrom('', ...PLACES),
  mfa: fc.boolean(),
  type: fc.constantFrom(...TYPES),
  action: fc.constantFrom(...ACTIONS),
});
type Drawing = typeof world extends fc.Arbitrary<infer W> ? W : never;

const rowsOf = (type: string, id: string, roles: readonly string[]) => ({
  subject: { type, id },
  assignments: roles.map((role) => ({ role, notBefore: null, expiresAt: null })),
  grants: [],
  memberships: [],
  delegations: [],
  clearance: null,
});

const ask = (index: PolicyIndex, drawn: Drawing) => {
  const snapshot = withPolicies(buildSnapshot({ tenantId: 't', roles: [], types: [] }), createPolicySet([index]));
  const groups = drawn.groups.map((id) => rowsOf('group', id, []));
  const rights: Rights = compileRights(snapshot, { rows: rowsOf('user', drawn.subject, drawn.roles), groups, lent: [] }, 0, 0);
  const question: Question = {
    type: drawn.type,
    action: drawn.action,
    resourceId: '',
    resourceTenantId: '',
    ownerId: '',
    classification: '',
    parents: [],
    believed: true,
  };
  const situation: Situation = { ...bareSituation(0, drawn.mfa), environment: drawn.environment };
  const bare = evaluate({ ...rights, snapshot: withPolicies(snapshot, null) }, question, situation);
  return { ruling: evaluate(rights, question, situation), bare };
};

/** Slow and obvious: every rule is looked at. */
const slowly = (
  all: readonly Drawn[],
  drawn: Drawing,
  given: boolean,
): { readonly allowed: boolean; readonly obligations: readonly string[] } => {
  const { subject, roles, groups, environment, mfa, type, action } = drawn;
  const names = [`user:${subject}`, ...groups.map((name) => `group:${name}`), ...roles.map((name) => `role:${name}`)];
  const any = (wanted: readonly string[], held: readonly string[]) => wanted.length === 0 || wanted.some((one) => held.includes(one));
  const about = (one: { readonly resource: string; readonly actions: readonly string[]; readonly environments: readonly string[] }) =>
    ['*', type].includes(one.resource) && any(one.actions, ['*', action]) && any(one.environments, [environment]);
  const rules = all.flatMap((one) => one.rules).filter((one) => about(one) && any(one.principals, names) && any(one.roles, roles));
  if (rules.some(({ effect }) => effect === 'deny')) return { allowed: false, obligations: [] };
  const allows = rules.filter(({ effect }) => effect === 'allow');
  if (!given && allows.length === 0) return { allowed: false, obligations: [] };
  const required = all.flatMap((one) => one.requirements ?? []).filter(about);
  const met = required.every((one) => any(one.roles, roles) && (!one.mfa || mfa));
  return { allowed: met, obligations: met ? required.flatMap((one) => one.obligations) : [] };
};

describe('policies in an index', () => {
  it('answer as if every rule had been looked at', () => {
    fc.assert(
      fc.property(policies, fc.array(world, { minLength: 1, maxLength: 5 }), (all, questions) => {
        const index = indexOf(all);
        for (const drawn of questions) {
          const { ruling, bare } = ask(index, drawn);
          const wanted = slowly(all, drawn, bare.allowed);
          expect(ruling.allowed).toBe(wanted.allowed);
          expect(ruling.obligations ?? []).toEqual(expect.arrayContaining([...new Set(wanted.obligations)]));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('that are changed one after the other answer like those put together at once, and leave the old index as it was', () => {
    fc.assert(
      fc.property(policies, policies, world, (before, after, drawn) => {
        const old = before.map((one, at) => compile(one, `p${at}`));
        const first = atOnce(changeIndex(EMPTY_INDEX, [], old));
        const was = ask(first, drawn).ruling.allowed;
        const second = atOnce(
          changeIndex(
            first,
            old,
            after.map((one, at) => compile(one, `p${at}`)),
          ),
        );
        expect(ask(second, drawn).ruling.allowed).toBe(ask(indexOf(after), drawn).ruling.allowed);
        expect(ask(first, drawn).ruling.allowed).toBe(was);
        expect(second.size).toBe(after.length);
        const given = (index: PolicyIndex) => [...(createPolicySet([index])?.given(['role:viewer', 'group:g1'], null) ?? [])].sort();
        expect(given(second)).toEqual(given(indexOf(after)));
      }),
      { numRuns: 300 },
    );
  });

  it('tell of a role or a group whatever it newly allows to whoever gets it', () => {
    const gift = fc.constantFrom(...ROLES.map((role) => `role:${role}`), 'group:g1', 'group:g2');
    fc.assert(
      fc.property(policies, world, gift, (all, { subject, roles, groups }, name) => {
        const before = [`user:${subject}`, ...groups.map((one) => `group:${one}`), ...roles.map((one) => `role:${one}`)];
        const about = (names: readonly string[]) =>
          all
            .flatMap(({ rules }) => rules)
            .filter(
              ({ effect, principals, roles: wanted }) =>
                effect === 'allow' &&
                (principals.length === 0 || principals.some((one) => names.includes(one))) &&
                (wanted.length === 0 || wanted.some((one) => names.includes(`role:${one}`))),
            );
        const known = about(before);
        const fresh = about([...before, name]).filter((one) => !known.includes(one));
        const gifts = fresh.flatMap(({ resource, actions }) => actions.map((one) => `${resource}:${one}`));
        const set = createPolicySet([indexOf(all)]);
        expect(set?.given([name], [...before, name]) ?? []).toEqual(expect.arrayContaining(gifts));
        expect(set?.given([name], null) ?? []).toEqual(expect.arrayContaining(gifts));
      }),
      { numRuns: 500 },
    );
  });
});
