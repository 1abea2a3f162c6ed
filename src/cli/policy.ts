// `security-hub policy validate | test | apply`: policies from files. The first two need no hub and no store.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { SourceDocument } from '../authorization/policy/node.ts';
import type { PolicyProblem, PolicySource } from '../authorization/policy/read-policies.ts';
import { readSet, runSuite, type TestResult } from '../authorization/policy/run-suite.ts';
import { readSource } from '../authorization/policy/source.yaml.ts';
import { readSuite, type Suite } from '../authorization/policy/suite.ts';
import { buildSnapshot } from '../authorization/snapshot.ts';
import { ask, ASK_HELP, ASK_OPTIONS, type AskValues } from './ask.ts';
import { type Command, didYouMean, type Terminal, usageFault, words } from './command.ts';

const OPTIONS = {
  ...ASK_OPTIONS,
  types: { type: 'string' },
  remote: { type: 'boolean' },
  tenant: { type: 'string' },
  installation: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  draft: { type: 'boolean' },
  prune: { type: 'boolean' },
  'acknowledge-risk': { type: 'boolean' },
  'expected-version': { type: 'string' },
  comment: { type: 'string' },
  verbose: { type: 'boolean', short: 'v' },
} as const;

const fileText = (path: string): string => {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw usageFault(`${path} cannot be read (${(error as { code?: string }).code ?? 'unknown'})`);
  }
};

const sourcesOf = (paths: readonly string[]): readonly PolicySource[] => paths.map((path) => ({ name: path, content: fileText(path) }));

type Told = Pick<PolicyProblem, 'source' | 'line' | 'column' | 'field' | 'message' | 'next'>;

const tell = (terminal: Terminal, problems: readonly Told[]): void => {
  for (const { source, line, column, field, message, next } of problems) {
    const place = line === 0 ? source : `${source}:${line}:${column}`;
    terminal.err(`${place === '' ? '' : `${place}: `}${field === '' ? '' : `${field} `}${message}\n    ${next}`);
  }
};

/** null: its problems have been told. */
const suiteOf = (path: string, terminal: Terminal): Suite | null => {
  const documents: SourceDocument[] = [];
  for (const taken of readSource(fileText(path))) {
    if ('message' in taken) {
      tell(terminal, [{ ...taken, source: path, field: '' }]);
      return null;
    }
    documents.push(taken);
  }
  const [document, surplus] = documents;
  if (document === undefined || surplus !== undefined) throw usageFault(`${path} must hold one document of the kind PolicyTests`);
  const { suite, problems } = readSuite(document.node, Date.now());
  tell(
    terminal,
    problems.map((problem) => ({ ...problem, source: path })),
  );
  return suite;
};

const failed = (path: string, { test, ruling, differences }: TestResult): string =>
  [
    `${path}:${test.at.line}: ${test.name}`,
    `    asked        ${test.asked}`,
    ...differences.flatMap(({ what, want, got }) => [`  - ${what.padEnd(12)} ${want}`, `  + ${what.padEnd(12)} ${got}`]),
    `    because      ${ruling.reason}`,
  ].join('\n');

const runTests = (paths: readonly string[], verbose: boolean, terminal: Terminal): number => {
  let wrong = 0;
  for (const path of paths) {
    const suite = suiteOf(path, terminal);
    if (suite === null) return 1;
    const sources = suite.files.map((file) => ({ name: join(dirname(path), file), content: fileText(join(dirname(path), file)) }));
    const { results, problems } = runSuite(suite, sources);
    if (problems.length > 0) {
      tell(terminal, problems);
      return 1;
    }
    const failures = results.filter(({ differences }) => differences.length > 0);
    wrong += failures.length;
    if (verbose)
      for (const { test, ruling, differences } of results)
        if (differences.length === 0) terminal.out(`ok ${path}:${test.at.line}: ${test.name} (${test.asked}: ${ruling.code})`);
    for (const failure of failures) terminal.out(failed(path, failure));
    terminal.out(`${path}: ${results.length - failures.length} of ${results.length} as wanted`);
  }
  return wrong === 0 ? 0 : 1;
};

const text = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '');
const items = (value: JsonValue | undefined): readonly JsonObject[] => (Array.isArray(value) ? (value as JsonObject[]) : []);

const tellChanges = (terminal: Terminal, changes: readonly JsonObject[]): void => {
  for (const change of changes) {
    terminal.out(`  ${text(change['level']).padEnd(8)} ${text(change['change']).padEnd(8)} ${text(change['name'])}`);
    for (const reason of Array.isArray(change['reasons']) ? change['reasons'] : []) terminal.out(`           ${text(reason)}`);
  }
};

const about = (values: AskValues): JsonObject => ({
  tenantId: typeof values['tenant'] === 'string' ? values['tenant'] : '',
  installation: values['installation'] === true,
  prune: values['prune'] === true,
});

const validate = async (paths: readonly string[], values: AskValues, terminal: Terminal): Promise<number> => {
  const sources = sourcesOf(paths);
  if (values['remote'] === true) {
    const request = { ...about(values), sources: sources.map(({ name, content }) => ({ name, content })) };
    const answer = (await ask('AuthorizationService/ValidatePolicies', JSON.stringify(request), values, terminal)) as JsonObject;
    const problems = items(answer['problems']).map((one) => ({
      source: text(one['source']),
      line: Number(one['line']),
      column: Number(one['column']),
      field: text(one['field']),
      message: text(one['message']),
      next: text(one['nextStep']),
    }));
    tell(terminal, problems);
    if (problems.length > 0) return 1;
    terminal.out(`${text(answer['policies'])} policies are fit to be applied over version ${text(answer['version'])}`);
    tellChanges(terminal, items(answer['changes']));
    return 0;
  }
  const types = typeof values['types'] === 'string' ? suiteOf(values['types'], terminal) : undefined;
  if (types === null) return 1;
  const snapshot = types === undefined ? null : buildSnapshot({ tenantId: 'files', roles: types.roles, types: types.types });
  const { policies, problems } = readSet(sources, snapshot);
  tell(terminal, problems);
  if (problems.length > 0) return 1;
  terminal.out(
    `${policies.length} policies hold${snapshot === null ? '; types, roles and attributes were taken on trust (--types, --remote)' : ''}`,
  );
  return 0;
};

const apply = async (paths: readonly string[], values: AskValues, terminal: Terminal): Promise<number> => {
  const expected = values['expected-version'];
  if (typeof expected === 'string' && !/^\d+$/.test(expected)) throw usageFault('--expected-version must be a number');
  const request = {
    ...about(values),
    sources: sourcesOf(paths).map(({ name, content }) => ({ name, content })),
    ...(typeof expected === 'string' ? { expectedVersion: expected } : {}),
    dryRun: values['dry-run'] === true,
    draft: values['draft'] === true,
    acknowledgeRisk: values['acknowledge-risk'] === true,
    comment: typeof values['comment'] === 'string' ? values['comment'] : '',
  };
  const answer = (await ask('AuthorizationService/ApplyPolicies', JSON.stringify(request), values, terminal)) as JsonObject;
  const version = answer['version'] as JsonObject;
  if (answer['unchanged'] === true) {
    terminal.out(`all of it is there already; version ${text(version['version'])} is active`);
    return 0;
  }
  const changed = Number(version['changed']);
  const said = request.dryRun ? 'would change' : request.draft ? `draft ${text(version['version'])} would change` : 'changed';
  const state = request.dryRun || request.draft ? '' : `; version ${text(version['version'])} is active`;
  terminal.out(
    `${said} ${changed === 1 ? '1 policy' : `${changed} policies`}${changed === 0 ? '' : ` (${text(version['level'])})`}${state}`,
  );
  tellChanges(terminal, items(version['changes']));
  return 0;
};

const WORDS = ['validate', 'test', 'apply'];

export const policyCommand: Command = {
  usage: 'policy validate|test|apply FILE… [OPTIONS]',
  help: `  validate   say what is wrong, with line and column; without a hub, unless --remote
  test       run files of policy tests (docs/policies.md) without a hub; a failed one shows what was wanted and what came
  apply      apply all of them or none

Exit code: 0 all is well, 1 something is not, 2 the words were wrong. - reads standard input.

      --types FILE          validate: know types, attributes and roles from a file of tests
      --remote              validate: ask the hub, which knows them, and says what would change
  -v, --verbose             test: name the tests that are as wanted, too
      --dry-run             apply: change nothing, say what would change and how dangerous it is
      --draft               apply: keep it for ActivatePolicies
      --prune               the files are the whole set: what is active and not among them is deleted
      --acknowledge-risk    apply: a critical change is meant
      --expected-version N  apply: only if this version is still active
      --comment TEXT        apply: why
      --tenant ID           default: the caller's
      --installation        the policies above all tenants

For --remote and apply:
${ASK_HELP}`,
  async run(argv, terminal) {
    const { values, positionals } = words(argv, OPTIONS);
    const [word = '', ...paths] = positionals;
    if (!WORDS.includes(word))
      throw usageFault(word === '' ? `say ${WORDS.join(', ')}` : `policy does not know ${word}${didYouMean(word, WORDS)}`);
    if (paths.length === 0) throw usageFault('name at least one file');
    if (word === 'test') return runTests(paths, values.verbose === true, terminal);
    return word === 'validate' ? validate(paths, values, terminal) : apply(paths, values, terminal);
  },
};
