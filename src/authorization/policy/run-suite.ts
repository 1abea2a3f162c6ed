// Runs policy tests: the same reading, compiling and deciding as the hub's, with nothing stored.
import { conditionSchema, type Schema } from '../condition/condition.ts';
import { evaluate } from '../evaluate.ts';
import { compileRights } from '../rights.ts';
import type { Ruling } from '../ruling.ts';
import { buildSnapshot, type Snapshot, withPolicies } from '../snapshot.ts';
import { ANY_TYPE } from './declared.ts';
import { changeIndex, compilePolicy, type CompileWorld, EMPTY_INDEX } from './policy-index.ts';
import { createPolicySet } from './policy-set.ts';
import { concerns, lacking, repeated } from './plan.ts';
import { type PolicyProblem, type PolicySource, readPolicies, type ReadPolicy } from './read-policies.ts';
import { atOnce } from '../../base/slices.ts';
import type { PolicyTest, Suite } from './suite.ts';

export interface TestResult {
  readonly test: PolicyTest;
  readonly ruling: Ruling;
  /** What was wanted and what came, line by line; empty = as wanted. */
  readonly differences: readonly { readonly what: string; readonly want: string; readonly got: string }[];
}

/** Any name will do, and a resource has whatever attributes a condition asks for. */
const TRUSTING = {
  ...ANY_TYPE,
  role: () => true,
  schema: (): Schema => {
    const { variables, objects } = conditionSchema();
    return { variables: { ...variables, resource: { kind: 'map', key: { kind: 'string' }, of: { kind: 'dyn' } } }, objects };
  },
};

/** Documents as one set, against the types and roles that are known; null = nobody knows, so any name will do. */
export const readSet = (
  sources: readonly PolicySource[],
  snapshot: Snapshot | null,
): { readonly policies: readonly ReadPolicy[]; readonly problems: readonly PolicyProblem[] } => {
  const vocabulary = snapshot ?? TRUSTING;
  const { policies, problems } = atOnce(readPolicies(sources, { installation: false, ...vocabulary }));
  if (problems.length > 0) return { policies, problems };
  const concerned = atOnce(concerns(policies, []));
  return { policies, problems: [...repeated(policies), ...atOnce(lacking(policies, [], concerned))] };
};

/** As applied in version 1. */
const compile = (policies: readonly ReadPolicy[], snapshot: Snapshot): Snapshot => {
  const named = new Map(
    policies.flatMap(({ document, trees }) =>
      Object.entries(document.named).flatMap(([name, source]) => {
        const tree = trees[`spec.conditions.${name}`];
        return tree === undefined ? [] : [[name, { source, tree }] as const];
      }),
    ),
  );
  const world: CompileWorld = { installation: false, schema: snapshot.schema, named: (name) => named.get(name) };
  const compiled = policies.map(({ document, trees }) => compilePolicy({ name: document.name, version: 1, document, trees }, world));
  return withPolicies(snapshot, createPolicySet([atOnce(changeIndex(EMPTY_INDEX, [], compiled))]));
};

export const withoutVersion = (rule: string): string => rule.replace(/@\d+\//, '/');

const verdictOf = (ruling: Ruling): string => (ruling.allowed ? 'allow' : ruling.stepUp === true ? 'step_up' : 'deny');

const compare = (test: PolicyTest, ruling: Ruling): TestResult['differences'] => {
  const differences: { what: string; want: string; got: string }[] = [];
  const got = /^[a-z]/.test(test.want) ? verdictOf(ruling) : ruling.code;
  if (got !== test.want) differences.push({ what: 'answer', want: test.want, got: got === ruling.code ? got : `${got} (${ruling.code})` });
  const applied = ruling.rules.map(withoutVersion);
  if (test.rules !== null && !test.rules.every((rule) => applied.includes(withoutVersion(rule))))
    differences.push({ what: 'rules', want: test.rules.join(', ') || 'none', got: applied.join(', ') || 'none' });
  const obligations = [...(ruling.obligations ?? [])].sort();
  if (test.obligations !== null && [...test.obligations].sort().join() !== obligations.join())
    differences.push({ what: 'obligations', want: test.obligations.join(', ') || 'none', got: obligations.join(', ') || 'none' });
  return differences;
};

export const runSuite = (
  suite: Suite,
  sources: readonly PolicySource[],
): { readonly results: readonly TestResult[]; readonly problems: readonly PolicyProblem[] } => {
  const bare = buildSnapshot({ tenantId: 'tests', roles: suite.roles, types: suite.types });
  const { policies, problems } = readSet(sources, bare);
  if (problems.length > 0) return { results: [], problems };
  const snapshot = compile(policies, bare);
  const results = suite.tests.map((test): TestResult => {
    const rights = compileRights(snapshot, test.sources, test.situation.now, 0);
    const ruling = evaluate(rights, test.question, test.situation);
    return { test, ruling, differences: compare(test, ruling) };
  });
  return { results, problems: [] };
};
