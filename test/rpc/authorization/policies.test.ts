// Policies as documents on a real Postgres: all or nothing, versions, drafts, rollback, and who may.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/policy.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, seed, user, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

const owner = user('usr_owner');
const admin = user('usr_admin');
const operator = user('usr_second');

const INVOICES = {
  name: 'invoices',
  description: '',
  ownerActions: [],
  defaultClassification: '',
  actions: ['read', 'export', 'shred'],
  attributes: { iban: 'string' },
};

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_second: ['owner', 'operator'], usr_viewer: ['viewer'] });
  await seed(world, 'partner', { usr_partner: ['owner'] });
  for (const tenantId of ['acme', 'partner']) await world.authorization.putResourceType(tenantId, INVOICES, callAs(owner));
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

interface RuleText {
  readonly name?: string;
  readonly effect?: string;
  readonly actions?: readonly string[];
  readonly [more: string]: unknown;
}

const policy = (name: string, rules: readonly RuleText[] = [{}], over: object = {}): string =>
  JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'ResourcePolicy',
    metadata: { name },
    spec: {
      resource: 'invoices',
      rules: rules.map((rule, index) => ({ name: `rule-${index}`, effect: 'deny', actions: ['export'], ...rule })),
      ...over,
    },
  });
const files = (...contents: string[]) => contents.map((content, index) => ({ name: `file-${index}.yaml`, content }));

const applying = (sources: readonly proto.PolicySource[], over: Partial<proto.ApplyPoliciesRequest> = {}) => ({
  tenantId: '',
  sources,
  deleteNames: [],
  prune: false,
  installation: false,
  dryRun: false,
  draft: false,
  acknowledgeRisk: false,
  comment: '',
  ...over,
});
const apply = async (
  sources: readonly proto.PolicySource[],
  over: Partial<proto.ApplyPoliciesRequest> = {},
  by = owner,
): Promise<proto.PolicySetVersion> => {
  const { version } = await world.call<proto.ApplyPoliciesResponse>('ApplyPolicies', applying(sources, over), by);
  if (version === undefined) throw new Error('no version');
  return version;
};
const named = (tenantId: string, over: object = {}) => ({
  tenantId,
  installation: false,
  version: 0,
  acknowledgeRisk: false,
  discard: false,
  dryRun: false,
  comment: '',
  kind: '',
  category: '',
  pageSize: 0,
  pageToken: '',
  ...over,
});
const names = async (over: object = {}): Promise<string[]> =>
  (await world.call<proto.ListPoliciesResponse>('ListPolicies', named('', over), owner)).policies.map((one) => one.name);
const active = async (): Promise<number> =>
  (await world.call<proto.ListPolicyVersionsResponse>('ListPolicyVersions', named(''), owner)).activeVersion;
const wipe = () => apply([], { prune: true, acknowledgeRisk: true });

describe('applying policies', () => {
  it('makes a version of the set, and the documents are told as they were written', async () => {
    await wipe();
    const version = await apply(files(`# why\n${policy('told')}`), { comment: 'the first' });
    expect(version).toMatchObject({
      state: 'active',
      policies: 1,
      changed: 1,
      level: 'low',
      comment: 'the first',
      createdBy: 'user:usr_owner',
    });
    const { policy: got } = await world.call<proto.GetPolicyResponse>('GetPolicy', named('', { name: 'told' }), owner);
    expect(got).toMatchObject({
      name: 'told',
      kind: 'ResourcePolicy',
      layer: 'resource_type',
      version: version.version,
      content: `# why\n${policy('told')}`,
    });
  });

  it('lists them by kind and by category, and says of each its layer', async () => {
    await wipe();
    const document = (kind: string, name: string, category: string, spec: object) =>
      JSON.stringify({ apiVersion: 'securityhub/v1', kind, metadata: { name, category }, spec });
    const rules = [{ name: 'r', effect: 'deny', actions: ['shred'] }];
    await apply(
      files(
        document('ResourcePolicy', 'ledger', 'finance', { resource: 'invoices', rules }),
        document('SecurityPolicy', 'baseline', 'finance', { rules }),
        document('SecurityPolicy', 'people', 'hr', { rules }),
      ),
    );
    const listed = async (over: object) =>
      (await world.call<proto.ListPoliciesResponse>('ListPolicies', named('', over), owner)).policies.map(
        ({ name, kind, category, layer }) => [name, kind, category, layer].join(' '),
      );
    expect(await listed({ category: 'finance' })).toEqual([
      'baseline SecurityPolicy finance tenant',
      'ledger ResourcePolicy finance resource_type',
    ]);
    expect(await listed({ kind: 'SecurityPolicy' })).toEqual(['baseline SecurityPolicy finance tenant', 'people SecurityPolicy hr tenant']);
    expect(await listed({ kind: 'SecurityPolicy', category: 'hr' })).toEqual(['people SecurityPolicy hr tenant']);
    expect(await listed({ category: 'none' })).toEqual([]);
  });

  it('keeps what it does not name, and with prune deletes it', async () => {
    await wipe();
    await apply(files(policy('one'), policy('two')));
    await apply(files(policy('three')));
    expect(await names()).toEqual(['one', 'three', 'two']);
    await apply(files(policy('two')), { prune: true });
    expect(await names()).toEqual(['two']);
  });

  it('of what is already there makes no version', async () => {
    await wipe();
    const first = await apply(files(policy('same')));
    const again = await world.call<proto.ApplyPoliciesResponse>('ApplyPolicies', applying(files(policy('same'))), owner);
    expect(again).toMatchObject({ unchanged: true, version: { version: first.version } });
    expect(await active()).toBe(first.version);
  });

  it('applies nothing when one document is bad, and names its line', async () => {
    await wipe();
    const bad =
      'apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata:\n  name: bad\nspec:\n  resource: invoices\n  rules:\n    - name: x\n      effect: forbid\n      actions: [read]\n';
    const work = apply(files(policy('good'), `${policy('other')}\n---\n${bad}`));
    await expect(work).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'POLICY_INVALID' });
    await expect(work).rejects.toMatchObject({
      violations: [{ field: 'file-1.yaml:11:15 spec.rules[0].effect', description: expect.stringContaining('is none of allow, deny') }],
    });
    expect(await names()).toEqual([]);
  });

  it('refuses a version that is no longer the active one', async () => {
    const at = await active();
    await apply(files(policy('newer')), { expectedVersion: at });
    const work = apply(files(policy('late')), { expectedVersion: at });
    await expect(work).rejects.toMatchObject({ code: 'ABORTED', reason: 'POLICY_VERSION_CONFLICT' });
  });

  it('lets exactly one of two win who start from the same version', async () => {
    const expectedVersion = await active();
    const both = await Promise.allSettled([
      apply(files(policy('racer-a')), { expectedVersion }),
      apply(files(policy('racer-b')), { expectedVersion }),
    ]);
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await names()).filter((name) => name.startsWith('racer'))).toHaveLength(1);
  });

  it('in a dry run changes nothing and says what would change', async () => {
    await wipe();
    const before = await active();
    const version = await apply(files(policy('dry', [{ effect: 'allow', actions: ['*'] }])), { dryRun: true });
    expect(version).toMatchObject({ level: 'critical', changes: [{ name: 'dry', change: 'created', level: 'critical' }] });
    expect([await active(), await names()]).toEqual([before, []]);
  });

  it('refuses a critical change that nobody acknowledged, and takes it when somebody did', async () => {
    await wipe();
    const open = files(policy('open', [{ effect: 'allow', actions: ['*'] }]));
    expect(await faultOf(apply(open))).toBe('FAILED_PRECONDITION/RISK_NOT_ACKNOWLEDGED');
    expect(await names()).toEqual([]);
    expect((await apply(open, { acknowledgeRisk: true })).level).toBe('critical');
    expect(await names()).toEqual(['open']);
  });

  it('lets nobody allow what he does not hold', async () => {
    await wipe();
    const billing = JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'PrincipalPolicy',
      metadata: { name: 'billing' },
      spec: { principals: ['user:usr_admin'], rules: [{ name: 'pay', effect: 'allow', resource: 'admin', actions: ['billing'] }] },
    });
    expect(await faultOf(apply(files(billing), { acknowledgeRisk: true }, admin))).toBe('PERMISSION_DENIED/ESCALATION');
    expect((await apply(files(billing), { acknowledgeRisk: true })).level).toBe('critical');
  });

  it('lets nobody widen, by the condition it leans on, what he does not hold', async () => {
    await wipe();
    const document = (kind: string, name: string, spec: object) =>
      JSON.stringify({ apiVersion: 'securityhub/v1', kind, metadata: { name }, spec });
    const shared = (condition: string, about = 'shared') => document('ConditionSet', about, { conditions: { 'after-hours': condition } });
    const rule = { name: 'pay', effect: 'allow', resource: 'admin', actions: ['billing'], conditions: ['after-hours'] };
    const billing = document('PrincipalPolicy', 'billing', { principals: ['user:usr_admin'], rules: [rule] });
    await apply(files(shared('false'), billing), { acknowledgeRisk: true });
    const asAdmin = (sources: readonly string[], over: object = {}) =>
      faultOf(apply(files(...sources), { acknowledgeRisk: true, ...over }, admin));
    expect(await asAdmin([shared('true')])).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await asAdmin([shared('true', 'another')], { deleteNames: ['shared'] })).toBe('PERMISSION_DENIED/ESCALATION');
    expect(await asAdmin([shared('true'), `${billing} `])).toBe('PERMISSION_DENIED/ESCALATION');
    await apply(files(shared('true')), { acknowledgeRisk: true });
    expect(await names()).toEqual(['billing', 'shared']);
  });

  it('deletes by name, and says when there is no such policy', async () => {
    await wipe();
    await apply(files(policy('short-lived')));
    await apply([], { deleteNames: ['short-lived'] });
    expect(await names()).toEqual([]);
    expect(await faultOf(apply([], { deleteNames: ['short-lived'] }))).toBe('NOT_FOUND/POLICY_NOT_FOUND');
  });

  it('records who changed what, and how dangerous it was', async () => {
    await wipe();
    await apply(files(policy('logged')));
    expect(world.platform.audit.entries.at(-1)).toMatchObject({
      type: 'policies.applied',
      details: { level: 'low', policies: ['created logged'] },
    });
  });
});

describe('a condition set', () => {
  const conditions = (over: object = {}) =>
    JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'ConditionSet',
      metadata: { name: 'common' },
      spec: { conditions: { strong: 'subject.mfa_verified' }, ...over },
    });
  const needing = policy('needing', [{ conditions: ['strong'] }]);

  it('must be there for those who need it', async () => {
    await wipe();
    await expect(apply(files(needing))).rejects.toMatchObject({
      reason: 'POLICY_INVALID',
      violations: [{ description: expect.stringContaining('no ConditionSet offers strong') }],
    });
    await apply(files(needing, conditions()));
    expect(await names()).toEqual(['common', 'needing']);
  });

  it('cannot go as long as somebody needs it', async () => {
    await expect(apply([], { deleteNames: ['common'] })).rejects.toMatchObject({
      reason: 'POLICY_INVALID',
      violations: [{ field: 'set needing', description: expect.stringContaining('no ConditionSet offers strong') }],
    });
  });
});

describe('a draft', () => {
  it('is kept and changes nothing until it is made active', async () => {
    await wipe();
    const draft = await apply(files(policy('drafted')), { draft: true, comment: 'later' });
    expect([draft.state, await names()]).toEqual(['draft', []]);
    await world.call('ActivatePolicies', named('', { version: draft.version }), owner);
    expect([await names(), await active()]).toEqual([['drafted'], draft.version]);
  });

  it('cannot be made active when the set it was made from is no longer active', async () => {
    const draft = await apply(files(policy('stale')), { draft: true });
    await apply(files(policy('meanwhile')));
    expect(await faultOf(world.call('ActivatePolicies', named('', { version: draft.version }), owner))).toBe(
      'ABORTED/POLICY_VERSION_CONFLICT',
    );
  });

  it('can be thrown away', async () => {
    const draft = await apply(files(policy('waste')), { draft: true });
    await world.call('ActivatePolicies', named('', { version: draft.version, discard: true }), owner);
    expect(await faultOf(world.call('ActivatePolicies', named('', { version: draft.version }), owner))).toBe(
      'NOT_FOUND/POLICY_VERSION_NOT_FOUND',
    );
  });
});

describe('a rollback', () => {
  it('makes a new version with the policies of the old one', async () => {
    await wipe();
    const old = await apply(files(policy('kept'), policy('changed')));
    await apply(files(policy('changed', [{ actions: ['read'] }]), policy('added')), { deleteNames: ['kept'] });
    const { version } = await world.call<proto.RollbackPoliciesResponse>('RollbackPolicies', named('', { version: old.version }), owner);
    expect(await names()).toEqual(['changed', 'kept']);
    expect(version).toMatchObject({ state: 'active', comment: `back to version ${old.version}`, changed: 3 });
    const { policy: changed } = await world.call<proto.GetPolicyResponse>('GetPolicy', named('', { name: 'changed' }), owner);
    expect(changed?.content).toBe(policy('changed'));
  });

  it('leaves the history as it was: every version can still be told', async () => {
    const { versions } = await world.call<proto.ListPolicyVersionsResponse>('ListPolicyVersions', named('', { pageSize: 3 }), owner);
    const before = versions[1]?.version;
    expect(versions.map(({ state }) => state)).toEqual(['active', 'superseded', 'superseded']);
    expect(await names({ version: before })).toEqual(['added', 'changed']);
  });

  it('to a version that never was finds nothing', async () => {
    expect(await faultOf(world.call('RollbackPolicies', named('', { version: 99_999 }), owner))).toBe('NOT_FOUND/POLICY_VERSION_NOT_FOUND');
  });
});

describe('validating policies', () => {
  const validate = (sources: readonly proto.PolicySource[]) =>
    world.call<proto.ValidatePoliciesResponse>('ValidatePolicies', { ...named(''), sources, prune: false, deleteNames: [] }, owner);

  it('answers every problem with document, line, column and the next step', async () => {
    const text =
      'apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata: {name: p}\nspec:\n  resource: invoces\n  rules:\n    - name: r\n      effect: deny\n      actions: [read]\n      condition: |\n        subject.mfa_verified &&\n        subject.nme == "x"\n';
    const { valid, problems } = await validate([{ name: 'a.yaml', content: `${policy('ok')}\n---\n${text}` }]);
    expect(valid).toBe(false);
    expect(problems).toMatchObject([
      {
        source: 'a.yaml',
        document: 2,
        line: 7,
        column: 13,
        field: 'spec.resource',
        message: 'no such resource type',
        nextStep: expect.stringContaining('PutResourceType'),
      },
      { document: 2, line: 14, column: 16, field: 'spec.rules[0].condition', message: expect.stringContaining('nme') },
    ]);
  });

  it('finds actions that the type has not, and so does whoever applies or drafts them', async () => {
    const slips = files(policy('slips', [{ actions: ['exprot'] }], { masks: [{ field: 'no_attribute', mask: 'full' }] }));
    const { valid, problems } = await validate(slips);
    expect(valid).toBe(false);
    expect(problems).toMatchObject([
      {
        source: 'file-0.yaml',
        document: 1,
        line: 1,
        field: 'spec.rules[0].actions',
        message: 'invoices has no action exprot; did you mean export?',
        nextStep: expect.stringContaining('PutResourceType'),
      },
    ]);
    for (const over of [{}, { draft: true }, { dryRun: true }])
      expect(await faultOf(apply(slips, over))).toBe('INVALID_ARGUMENT/POLICY_INVALID');
  });

  it('stands by what is in force when an action leaves its type, and finds it when it is applied again', async () => {
    await wipe();
    await apply(files(policy('shredding', [{ actions: ['shred'] }])));
    await world.authorization.putResourceType('acme', { ...INVOICES, actions: ['read', 'export'] }, callAs(owner));
    expect(await names()).toEqual(['shredding']);
    expect(await faultOf(apply(files(policy('shredding', [{ actions: ['shred'] }]))))).toBe('INVALID_ARGUMENT/POLICY_INVALID');
    await world.authorization.putResourceType('acme', INVOICES, callAs(owner));
  });

  it('says what they would change, and that they are fit to be applied', async () => {
    await wipe();
    expect(await validate(files(policy('fit')))).toMatchObject({
      valid: true,
      problems: [],
      level: 'low',
      policies: 1,
      changes: [{ change: 'created' }],
    });
  });
});

describe('the policies of the installation', () => {
  const guard = JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'SecurityPolicy',
    metadata: { name: 'no-exports' },
    spec: { rules: [{ name: 'never', effect: 'deny', actions: ['export'] }] },
  });

  it('need the right to run the installation', async () => {
    expect(await faultOf(apply(files(guard), { installation: true }))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await apply(files(guard), { installation: true }, operator)).toMatchObject({ state: 'active', policies: 1 });
    expect(await names()).not.toContain('no-exports');
  });

  it('only deny', async () => {
    const allowing = JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'PrincipalPolicy',
      metadata: { name: 'gift' },
      spec: { principals: ['role:viewer'], rules: [{ name: 'all', effect: 'allow', resource: 'users', actions: ['write'] }] },
    });
    await expect(apply(files(allowing), { installation: true }, operator)).rejects.toMatchObject({
      reason: 'POLICY_INVALID',
      violations: [{ description: expect.stringContaining('the installation only denies') }],
    });
  });
});

describe('a set', () => {
  const many = (from: number, to: number): proto.PolicySource[] => [
    { name: 'many.yaml', content: Array.from({ length: to - from }, (_, at) => policy(`many-${from + at}`)).join('\n---\n') },
  ];

  it('holds 10,000 policies and refuses the 10,001st', async () => {
    await wipe();
    await apply(many(0, 10_000));
    expect(await faultOf(apply(files(policy('one-more'))))).toBe('RESOURCE_EXHAUSTED/POLICY_LIMIT');
    expect(await faultOf(apply(many(0, 10_001), { prune: true }))).toBe('RESOURCE_EXHAUSTED/POLICY_LIMIT');
    expect(await active()).toBe((await versions())[0]?.version);
  }, 60_000);

  const versions = async () =>
    (await world.call<proto.ListPolicyVersionsResponse>('ListPolicyVersions', named('', { pageSize: 5 }), owner)).versions;
  /** Names of a version in all its pages. */
  const pages = async (version = 0): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let pageToken = ''; ; ) {
      const request = named('', { version, pageSize: 1000, pageToken });
      const page = await world.call<proto.ListPoliciesResponse>('ListPolicies', request, owner);
      found.push(...page.policies.map(({ name }) => name));
      pageToken = page.nextPageToken;
      if (pageToken === '') return found;
    }
  };
  const all = Array.from({ length: 10_000 }, (_, at) => `many-${at}`).sort();

  it('of 10,000 is listed whole, in pages', async () => {
    expect([...(await pages())].sort()).toEqual(all);
  }, 60_000);

  it('of 10,000 is weighed with every error at its line', async () => {
    const wrong = ['effect: maybe', 'actions: [rea d]', 'condition: resource.nothing == 1'];
    const document = (at: number): string =>
      [
        'apiVersion: securityhub/v1',
        'kind: ResourcePolicy',
        `metadata: { name: many-${at} }`,
        'spec:',
        '  resource: invoices',
        '  rules:',
        '    - name: r',
        ...['effect: deny', 'actions: [read]', 'condition: resource.id != ""'].map(
          (line, index) => `      ${at % 3000 === 2999 && at / 3000 - 1 < 3 && index === Math.floor(at / 3000) ? wrong[index] : line}`,
        ),
      ].join('\n');
    const content = Array.from({ length: 10_000 }, (_, at) => document(at)).join('\n---\n');
    const request = { ...named(''), sources: [{ name: 'all.yaml', content }], prune: false, deleteNames: [] };
    const { valid, problems } = await world.call<proto.ValidatePoliciesResponse>('ValidatePolicies', request, owner);
    const lines = content.split('\n');
    expect(valid).toBe(false);
    expect(problems.map(({ line }) => lines[line - 1]?.trim())).toEqual(wrong);
    expect(problems.map(({ document: number }) => number)).toEqual([3000, 6000, 9000]);
    expect(problems.map(({ field }) => field)).toEqual(['spec.rules[0].effect', 'spec.rules[0].actions[0]', 'spec.rules[0].condition']);
  }, 60_000);

  it('of 10,000 comes back whole, and its history stays', async () => {
    const full = await active();
    await wipe();
    expect(await pages()).toEqual([]);
    const { version } = await world.call<proto.RollbackPoliciesResponse>(
      'RollbackPolicies',
      named('', { version: full, acknowledgeRisk: true }),
      owner,
    );
    expect(version).toMatchObject({ state: 'active', policies: 10_000, changed: 10_000, comment: `back to version ${full}` });
    expect([...(await pages())].sort()).toEqual(all);
    expect([...(await pages(full))].sort()).toEqual(all);
    expect((await versions()).slice(0, 3).map(({ state, policies }) => [state, policies])).toEqual([
      ['active', 10_000],
      ['superseded', 0],
      ['superseded', 10_000],
    ]);
    await wipe();
  }, 60_000);
});
