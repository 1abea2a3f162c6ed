// Policies in the decision, on a real Postgres: the data-file cases through apply and check, layers, and replicas that follow.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withoutVersion } from '../../../src/authorization/policy/run-suite.ts';
import { readSource } from '../../../src/authorization/policy/source.yaml.ts';
import { type PolicyTest, readSuite } from '../../../src/authorization/policy/suite.ts';
import { Effect } from '../../../src/gen/securityhub/v1/authorization.ts';
import type * as proto from '../../../src/gen/securityhub/v1/policy.ts';
import { callAs } from '../../callers.ts';
import { cpuTime, type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { createWorld, resource, seed, subject, token, user, type World } from './world.ts';

const folder = new URL('../../cases/authorization/policies/', import.meta.url);
const text = (file: string): string => readFileSync(new URL(file, folder), 'utf8');
const [document] = readSource(text('platform.test.yaml'));
if (document === undefined || 'message' in document) throw new Error('no suite');
const { suite } = readSuite(document.node, 0);
if (suite === null) throw new Error('no suite');

const principals = new Map(suite.tests.map(({ sources }) => [sources.rows.subject.id, sources]));
const users = new Map(['usr_root', 'usr_outer', ...principals.keys()].map((id) => [`acme/${id}`, 'active']));
const root = user('usr_root');

let database: FreshDatabase;
let clock: TestClock;
let world: World;
let replica: World;

const applyTo = (to: World, sources: readonly proto.PolicySource[], over: object = {}) =>
  to.call<proto.ApplyPoliciesResponse>(
    'ApplyPolicies',
    {
      tenantId: '',
      sources,
      deleteNames: [],
      prune: false,
      installation: false,
      dryRun: false,
      draft: false,
      comment: '',
      acknowledgeRisk: true,
      ...over,
    },
    root,
  );

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock, users });
  replica = await createWorld(database, { clock, users });
  await seed(world, 'acme', { usr_root: ['owner', 'operator'] });
  for (const type of suite.types) await world.authorization.putResourceType('acme', type, callAs(root));
  for (const role of suite.roles) await world.authorization.putRole('acme', role, callAs(root));
  for (const [id, { rows, groups }] of principals) {
    await seed(world, 'acme', { [id]: rows.assignments.map(({ role }) => role) });
    for (const grant of rows.grants)
      await world.authorization.putGrant('acme', { ...grant, subject: rows.subject, reason: '' }, callAs(root));
    for (const group of groups) {
      await database.sql(
        'INSERT INTO subject_group (tenant_id, name, created_at, updated_at) VALUES ($1, $2, now(), now()) ON CONFLICT DO NOTHING',
        ['acme', group.subject.id],
      );
      await database.sql(
        "INSERT INTO group_member (tenant_id, group_name, member_type, member_id, added_by, created_at) VALUES ($1, $2, 'user', $3, 'test', now())",
        ['acme', group.subject.id, id],
      );
    }
    if (rows.clearance !== null)
      await database.sql(
        "INSERT INTO subject_clearance (tenant_id, subject_type, subject_id, clearance, set_by, created_at) VALUES ($1, 'user', $2, $3, 'test', now())",
        ['acme', id, rows.clearance.clearance],
      );
  }
  await applyTo(world, [{ name: 'platform.yaml', content: text('platform.yaml') }]);
});
afterAll(async () => {
  await Promise.all([world.platform.stop(), replica.platform.stop()]);
  await database.close();
});

/** The news is as old as the clock has moved, until the next look at it. */
const moveTo = async (now: number): Promise<void> => {
  clock.set(now);
  for (const { platform } of [world, replica]) await waitFor(() => platform.feed.state().kind === 'fresh', 5000, 'news is fresh');
};

const ask = async (on: World, test: PolicyTest, over: object = {}) => {
  const { question, situation, sources } = test;
  await moveTo(situation.now);
  const { id } = sources.rows.subject;
  return on.check(root, {
    // A second factor is proven by a token, never said.
    principal: situation.mfaVerified ? token(`good:acme:${id}+mfa:`) : subject(id),
    action: question.action,
    resource: resource(question.type, {
      id: question.resourceId,
      ownerId: question.ownerId,
      classification: question.classification,
      attributes: situation.resource,
    }),
    environment: situation.environment,
    workload: situation.workload,
    context: situation.context,
    ...over,
  });
};

describe('policies in the decision', () => {
  for (const test of suite.tests)
    it(`${test.name} (${test.asked})`, async () => {
      const answer = await ask(world, test);
      const { allowed, effect, reasonCode } = answer;
      const word = allowed ? 'allow' : effect === Effect.EFFECT_STEP_UP ? 'step_up' : 'deny';
      expect(/^[a-z]/.test(test.want) ? word : reasonCode).toBe(test.want);
      if (test.rules !== null) expect(answer.appliedPolicies.map(withoutVersion)).toEqual(expect.arrayContaining([...test.rules]));
      if (test.obligations !== null) expect([...answer.obligations].sort()).toEqual([...test.obligations].sort());
    });

  const named = (part: string): PolicyTest => {
    const found = suite.tests.find(({ name }) => name.startsWith(part));
    if (found === undefined) throw new Error(`no case ${part}`);
    return found;
  };

  it('names the attribute that a rule needed and did not find', async () => {
    const answer = await ask(world, named('denies when a deny cannot be evaluated for want'));
    expect(answer.missingAttributes).toEqual(['resource.replicas']);
  });

  it('tells in the trace every rule that was looked at', async () => {
    const { trace } = await ask(world, named("denies an approval of one's own"), { explain: true });
    const steps = (trace?.steps ?? []).filter(({ kind }) => kind === 'policy');
    expect(steps.filter(({ matched }) => matched).map(({ rule }) => withoutVersion(rule))).toEqual([
      'policy:resource_type/deployments/no-self-approval',
    ]);
    expect(steps.length).toBeGreaterThan(3);
  });

  it('lets an answer live no longer than until a window opens', async () => {
    const { validUntil, asOf } = await ask(world, named('is open on Friday before four'));
    expect(Number(validUntil?.seconds) - Number(asOf?.seconds)).toBe(1);
  });

  it('believes a caller about an environment when that takes away, whoever it is', async () => {
    const rita = user('usr_rita');
    await moveTo(named('lets a releaser release').situation.now);
    const about = { action: 'delete', resource: resource('deployments', { id: 'd1' }) };
    const [anywhere, there] = [await world.check(rita, about), await world.check(rita, { ...about, environment: 'production' })];
    expect([anywhere.reasonCode, there.reasonCode]).toEqual(['ALLOWED', 'DENIED_EXPLICIT']);
  });
});

describe('layers', () => {
  const guard = (name: string, kind: string, spec: object): proto.PolicySource => ({
    name: 'guard.json',
    content: JSON.stringify({ apiVersion: 'securityhub/v1', kind, metadata: { name }, spec }),
  });
  const exporting = () =>
    world.check(root, { principal: subject('usr_emil'), action: 'export', resource: resource('conversations', { id: 'c1' }) });

  it('name the outermost that denies: the installation before the tenant before the resource type', async () => {
    const rules = [{ name: 'never', effect: 'deny', actions: ['export'] }];
    const layerOf = async () => (await exporting()).appliedPolicies[0]?.split('/')[0];
    expect((await exporting()).reasonCode).toBe('ALLOWED');
    await applyTo(world, [guard('of-type', 'ResourcePolicy', { resource: 'conversations', rules })]);
    expect(await layerOf()).toBe('policy:resource_type');
    await applyTo(world, [guard('of-tenant', 'SecurityPolicy', { rules })]);
    expect(await layerOf()).toBe('policy:tenant');
    await applyTo(world, [guard('of-all', 'SecurityPolicy', { rules })], { installation: true });
    expect(await layerOf()).toBe('policy:installation');
    await applyTo(world, [], { deleteNames: ['of-all'], installation: true });
    expect(await layerOf()).toBe('policy:tenant');
    await applyTo(world, [], { deleteNames: ['of-tenant', 'of-type'] });
    expect((await exporting()).reasonCode).toBe('ALLOWED');
  });

  it('reach other replicas within the bound, and at once where a revision is asked for', async () => {
    const rules = [{ name: 'never', effect: 'deny', actions: ['export'] }];
    const there = async (over: object = {}) =>
      (await replica.check(root, { principal: subject('usr_emil'), action: 'export', resource: resource('conversations'), ...over }))
        .reasonCode;
    expect(await there()).toBe('ALLOWED');
    const { revision } = await applyTo(world, [guard('everywhere', 'SecurityPolicy', { rules })]);
    expect(await there({ minPolicyRevision: revision })).toBe('DENIED_EXPLICIT');
    await applyTo(world, [], { deleteNames: ['everywhere'] });
    await waitFor(async () => (await there()) === 'ALLOWED', 2000, 'the replica follows');
  });
});

describe('a permission as such', () => {
  it('is not held where a policy denies it without further conditions', async () => {
    const holds = async () => (await world.authorization.rights('acme', { type: 'user', id: 'usr_emil' })).holds('reports:export');
    expect(await holds()).toBe(true);
    const document = {
      apiVersion: 'securityhub/v1',
      kind: 'PrincipalPolicy',
      metadata: { name: 'emil' },
      spec: { principals: ['user:usr_emil'], rules: [{ name: 'none', effect: 'deny', resource: 'reports', actions: ['export'] }] },
    };
    await applyTo(world, [{ name: 'emil.json', content: JSON.stringify(document) }]);
    expect(await holds()).toBe(false);
    await applyTo(world, [], { deleteNames: ['emil'] });
    expect(await holds()).toBe(true);
  });
});

describe('10,000 policies', () => {
  const content = (name: string, id: string): string =>
    JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'PrincipalPolicy',
      metadata: { name },
      spec: { principals: [`user:${id}`], rules: [{ name: 'no', effect: 'deny', resource: '*', actions: ['export'] }] },
    });

  it('follow a change of one of them at once', async () => {
    const many = Array.from({ length: 9980 }, (_, at) => content(`many-${at}`, `usr_${at}`)).join('\n---\n');
    await applyTo(world, [{ name: 'many.yaml', content: many }]);
    const about = { principal: subject('usr_emil'), action: 'export', resource: resource('reports') };
    expect((await world.check(root, about)).reasonCode).toBe('ALLOWED');
    await applyTo(world, [{ name: 'one.json', content: content('many-7', 'usr_emil') }]);
    const began = cpuTime();
    expect((await world.check(root, about)).reasonCode).toBe('DENIED_EXPLICIT');
    // A set read and compiled anew takes ten times as long.
    expect(cpuTime() - began).toBeLessThan(150);
    await applyTo(world, [{ name: 'platform.yaml', content: text('platform.yaml') }], { prune: true });
    expect((await world.check(root, about)).reasonCode).toBe('ALLOWED');
  }, 60_000);
});
