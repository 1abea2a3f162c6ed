// Random tenants: types, roles, policies, and somebody's grants, groups and delegations; rows to ask about; and who asks, how.
import fc from 'fast-check';
import type { RowQuestion } from '../../src/authorization/access/row.ts';
import { CLASSIFICATIONS } from '../../src/authorization/classification.ts';
import { type Condition, conditionSchema, parseCondition } from '../../src/authorization/condition/condition.ts';
import type { Limits } from '../../src/authorization/limits.ts';
import { changeIndex, compilePolicy, EMPTY_INDEX } from '../../src/authorization/policy/policy-index.ts';
import { createPolicySet } from '../../src/authorization/policy/policy-set.ts';
import { readSet } from '../../src/authorization/policy/run-suite.ts';
import { atOnce } from '../../src/base/slices.ts';
import { type ResourceType, UNDECLARED } from '../../src/authorization/resource-type.ts';
import { compileRights, type Rights } from '../../src/authorization/rights.ts';
import type { Delegation, Grant, Subject, SubjectRows } from '../../src/authorization/subject.ts';
import type { Role } from '../../src/authorization/role.ts';
import { bareSituation, type Situation } from '../../src/authorization/situation.ts';
import { UNBOUNDED } from '../../src/authorization/bounds.ts';
import { buildSnapshot, withPolicies } from '../../src/authorization/snapshot.ts';

/** A Monday, 10:00 UTC. */
const NOW = Date.UTC(2026, 5, 1, 10);

export const COLUMNS: Readonly<Record<string, string>> = {
  id: 'text NOT NULL',
  tenant_id: 'text NOT NULL',
  owner_id: 'text',
  classification: 'text',
  folder_id: 'text',
  secret: 'boolean',
  amount: 'bigint',
  tags: 'text[]',
};

export type Row = Readonly<Record<string, unknown>>;

const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 4, nil: null });
const rarely = <T>(usual: T, ...others: T[]) => fc.constantFrom(usual, usual, usual, ...others);

export const row: fc.Arbitrary<Row> = fc.record({
  id: fc.constantFrom('x', 'y', 'z'),
  tenant_id: rarely('t1', 't2'),
  owner_id: nullable(fc.constantFrom('', 'u1', 'u2')),
  classification: nullable(fc.constantFrom('', ...CLASSIFICATIONS)),
  folder_id: nullable(fc.constantFrom('f', 'g')),
  secret: nullable(fc.boolean()),
  amount: nullable(fc.integer({ min: 0, max: 5 })),
  tags: nullable(fc.subarray(['a', 'b'])),
});

const ATTRIBUTES = { secret: 'bool', amount: 'int', tags: 'list(string)' };
const SCHEMA = conditionSchema({
  resource: { secret: { kind: 'bool' }, amount: { kind: 'int' }, tags: { kind: 'list', of: { kind: 'string' } } },
});

const CONDITIONS = [
  'resource.secret',
  '!resource.secret',
  'resource.amount > 2',
  'resource.amount - 1 != 1 || resource.secret',
  '"a" in resource.tags',
  'resource.owner_id != subject.id',
  '!(resource.owner_id == "u2")',
  'resource.owner_id in ["", "u2"]',
  '!has(resource.owner_id) || resource.owner_id == ""',
  'resource.classification == ""',
  'resource.classification != "public"',
  'resource.id == "x" || resource.tenant_id == "t2"',
  'has(resource.amount) ? resource.amount < 3 : resource.id == "y"',
  'environment == "prod"',
  'subject.mfa_verified || resource.secret',
  '"r0" in subject.roles && now < timestamp("2030-01-01T00:00:00Z")',
  'context.limit > 2.0',
  'resource.tags.exists_one(t, t == "a")',
  'resource.secret || resource.id.matches("^x")',
];
const TREES = new Map<string, Condition>(
  CONDITIONS.map((source) => {
    const parsed = parseCondition(source, SCHEMA);
    if (!parsed.ok) throw new Error(`${source}: ${parsed.problems[0]?.message}`);
    return [source, parsed.condition];
  }),
);
const condition = fc.constantFrom(...CONDITIONS);

const permission = fc
  .tuple(fc.constantFrom('docs', 'docs', 'folders', '*'), fc.constantFrom('read', 'write', '*'))
  .map(([type, action]) => `${type}:${action}`);
const resourceId = fc.constantFrom('', '', 'x', 'y', 'f', 'g');

const grant: fc.Arbitrary<Grant> = fc
  .record({ id: fc.uuid(), effect: rarely<Grant['effect']>('allow', 'deny'), permission, resourceId, condition: fc.option(condition) })
  .map(({ condition: said, ...rest }) => {
    const written = said === null || (!rest.permission.startsWith('docs') && /resource\.(secret|amount|tags)/.test(said)) ? '' : said;
    return { ...rest, condition: written, tree: TREES.get(written) ?? null, notBefore: null, expiresAt: null };
  });

const role = (name: string) =>
  fc
    .record({
      permissions: fc.array(permission, { maxLength: 1 }),
      inherits: fc.constantFrom<string[]>([], ['viewer']),
      environments: rarely<string[]>([], ['prod']),
      requireMfa: rarely(false, true),
      clearance: rarely('', ...CLASSIFICATIONS),
    })
    .map((given): Role => ({ ...UNBOUNDED, name, description: '', builtIn: false, ...given }));

const clearance = fc.constantFrom(null, null, ...CLASSIFICATIONS);
const subjectRows = (id: string) =>
  fc
    .record({
      roles: fc.subarray(['r0', 'r1']),
      grants: fc.array(grant, { maxLength: 3 }),
      cleared: clearance,
    })
    .map(
      ({ roles, grants, cleared }): SubjectRows => ({
        subject: { type: 'user', id },
        assignments: roles.map((name) => ({ role: name, notBefore: null, expiresAt: null })),
        grants,
        memberships: [],
        delegations: [],
        clearance: cleared === null ? null : { clearance: cleared, expiresAt: null },
      }),
    );

const lent = fc.record({ permissions: fc.array(permission, { minLength: 1, maxLength: 2 }), resourceId });

const rule = fc.record({
  effect: fc.constantFrom('allow', 'deny'),
  actions: fc.constantFrom(['read'], ['*']),
  roles: rarely<string[]>([], ['r0']),
  environments: rarely<string[]>([], ['prod']),
  timeWindows: rarely<object[]>([], [{ days: ['mon'], start: '09:00', end: '11:00' }], [{ start: '12:00', end: '13:00' }]),
  condition: fc.option(condition),
});
const policy = fc.record({
  kind: fc.constantFrom('ResourcePolicy', 'ResourcePolicy', 'SecurityPolicy'),
  rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
  requireMfa: rarely(false, true),
  allowedRoles: rarely<string[]>([], ['r0']),
  classification: rarely('', 'public', 'confidential'),
});

const documentOf = ({ kind, rules, requireMfa, allowedRoles, classification }: Arbitrated<typeof policy>, at: number): string => {
  const filled = <T extends object>(members: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(members).filter(
        ([, value]) => value !== null && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0),
      ),
    ) as Partial<T>;
  const security = kind === 'SecurityPolicy';
  return JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind,
    metadata: { name: `p${at}` },
    spec: {
      resource: 'docs',
      ...filled({ requireMfa, allowedRoles, classification: security ? '' : classification }),
      rules: rules.map((one, index) => filled({ name: `rule-${index}`, ...one, effect: security ? 'deny' : one.effect })),
    },
  });
};

type Arbitrated<A> = A extends fc.Arbitrary<infer T> ? T : never;

export const model = fc.record({
  roles: fc.tuple(role('r0'), role('r1')),
  defaults: rarely('internal', ...CLASSIFICATIONS),
  ownerActions: fc.constantFrom<string[]>([], ['read'], ['*']),
  one: subjectRows('u1'),
  group: subjectRows('u9'),
  grouped: fc.boolean(),
  grantor: subjectRows('u2'),
  lent: fc.option(lent),
  policies: fc.array(policy, { maxLength: 2 }),
});

/** Rights of u1, who may be in a group, and whom u2 may lend something. */
export const rightsOf = (world: Arbitrated<typeof model>): Rights => {
  const docs: ResourceType = {
    ...UNDECLARED,
    name: 'docs',
    ownerActions: world.ownerActions,
    defaultClassification: world.defaults,
    attributes: ATTRIBUTES,
    parentTypes: ['folders'],
  };
  const bare = buildSnapshot({ tenantId: 't1', roles: world.roles, types: [docs, { ...UNDECLARED, name: 'folders' }] });
  const { policies, problems } = readSet(
    world.policies.map((one, at) => ({ name: `${at}.json`, content: documentOf(one, at) })),
    bare,
  );
  if (problems[0] !== undefined) throw new Error(`${problems[0].field}: ${problems[0].message}`);
  const compiled = policies.map(({ document, trees }) =>
    compilePolicy(
      { name: document.name, version: 1, document, trees },
      { installation: false, schema: bare.schema, named: () => undefined },
    ),
  );
  const snapshot = withPolicies(bare, createPolicySet([atOnce(changeIndex(EMPTY_INDEX, [], compiled))]));
  const grantor = compileRights(snapshot, { rows: world.grantor, groups: [], lent: [] }, NOW, 1);
  const team: Subject = { type: 'group', id: 'g1' };
  const delegation: Delegation | null =
    world.lent === null ? null : { ...world.lent, id: 'd1', grantor: world.grantor.subject, depth: 0, notBefore: null, expiresAt: null };
  const groups = world.grouped ? [{ ...world.group, subject: team, clearance: null }] : [];
  return compileRights(snapshot, { rows: world.one, groups, lent: delegation === null ? [] : [{ delegation, grantor }] }, NOW, 1);
};

export const rowQuestion: fc.Arbitrary<RowQuestion> = fc.record({
  type: fc.constant('docs'),
  action: fc.constantFrom('read', 'read', 'write'),
  tenantId: fc.constantFrom('', '', '', 't1', 't2'),
  classification: rarely('', ...CLASSIFICATIONS),
  parents: fc.constantFrom<RowQuestion['parents']>(
    [],
    [{ type: 'folders', id: 'f', attribute: '' }],
    [{ type: 'folders', id: '', attribute: 'folder_id' }],
  ),
  believed: rarely(true, false),
  attributes: fc.option(
    fc.subarray(Object.keys(COLUMNS)).map((names) => new Set([...names, 'tenant_id', 'folder_id'])),
    { freq: 2 },
  ),
});

export const situation: fc.Arbitrary<Situation> = fc
  .record({
    mfaVerified: fc.boolean(),
    environment: fc.constantFrom('', 'prod'),
    context: fc.constantFrom<Situation['context']>({}, { limit: 3 }, { limit: 'many' }),
  })
  .map(({ environment, ...said }) => ({ ...bareSituation(NOW), ...said, environment, saidEnvironment: environment }));

export const limits: fc.Arbitrary<Limits> = fc.record({
  also: rarely<string[]>([], ['docs:read']),
  cap: rarely<string[] | null>(null, ['docs:read'], ['folders:*']),
  scopes: rarely<string[][]>([], [['docs:read']]),
});
