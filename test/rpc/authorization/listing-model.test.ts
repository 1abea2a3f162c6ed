// The listings on random models with roles, groups, grants, loans and policies: whoever is listed is allowed by a check, and whatever a
// check allows is listed, with a rule in force that covers it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { covers, parsePermission } from '../../../src/authorization/permission.ts';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, resource, seed, subject, user, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

const owner = user('usr_owner');
const PEOPLE = ['usr_viewer', 'usr_plain', 'usr_checker', 'usr_second'] as const;
const ACTIONS = ['read', 'pay', 'shred'] as const;
const GROUPS = ['clerks', 'board'] as const;
const ROLES = ['clerk', 'payer', 'prod-clerk'] as const;
const later = { seconds: Math.floor(Date.now() / 1000) + 3600, nanos: 0 };

const person = (id: string) => ({ type: 'user', id });
const holder = fc.oneof(
  fc.constantFrom(...PEOPLE).map((id) => ({ type: 'user', id })),
  fc.constantFrom(...GROUPS).map((id) => ({ type: 'group', id })),
);
const action = fc.constantFrom(...ACTIONS);
const permission = fc.oneof(
  action.map((one) => `invoices:${one}`),
  fc.constantFrom('invoices:*', '*:read'),
);

const rule = fc.record({
  effect: fc.constantFrom('allow', 'deny'),
  actions: fc.array(action, { minLength: 1, maxLength: 2 }),
  who: fc.oneof(
    fc.constant({}),
    holder.map(({ type, id }) => ({ principals: [`${type}:${id}`] })),
    fc.constantFrom(...ROLES).map((role) => ({ roles: [role] })),
    fc.tuple(holder, fc.constantFrom(...ROLES)).map(([{ type, id }, role]) => ({ principals: [`${type}:${id}`], roles: [role] })),
  ),
  where: fc.constantFrom({}, {}, { environments: ['prod'] }),
  condition: fc.constantFrom('', '', 'resource.amount > 10', 'resource.owner_id == subject.id', '"board" in subject.groups'),
});

const model = fc.record({
  members: fc.array(fc.record({ group: fc.constantFrom(...GROUPS), id: fc.constantFrom(...PEOPLE) }), { maxLength: 4 }),
  roles: fc.array(fc.record({ subject: holder, role: fc.constantFrom(...ROLES) }), { maxLength: 4 }),
  grants: fc.array(
    fc.record({
      subject: holder,
      effect: fc.constantFrom(1, 1, 2),
      permission,
      resourceId: fc.constantFrom('', '', 'inv-1'),
      condition: fc.constantFrom('', '', 'resource.amount > 10'),
    }),
    { maxLength: 4 },
  ),
  loans: fc.array(fc.record({ to: fc.constantFrom(...PEOPLE), permission: fc.constantFrom('invoices:read', 'invoices:shred') }), {
    maxLength: 2,
  }),
  rules: fc.array(rule, { maxLength: 4 }),
});
type Model = typeof model extends fc.Arbitrary<infer M> ? M : never;

const BY_POLICY: Model = {
  members: [{ group: 'board', id: 'usr_plain' }],
  roles: [],
  grants: [],
  loans: [],
  rules: [{ effect: 'allow', actions: ['read'], who: { principals: ['group:board'] }, where: {}, condition: '' }],
};

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'] });
  const types = { name: 'invoices', actions: [...ACTIONS], ownerActions: ['pay'], attributes: { amount: 'int' } };
  await world.call('PutResourceType', { resourceType: types }, owner);
  await world.call('PutRole', { role: { name: 'clerk', permissions: ['invoices:read'] } }, owner);
  await world.call('PutRole', { role: { name: 'payer', permissions: ['invoices:pay'], inherits: ['clerk'] } }, owner);
  await world.call('PutRole', { role: { name: 'prod-clerk', permissions: ['invoices:*'], environments: ['prod'] } }, owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const documentOf = (rules: Model['rules']): string =>
  JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'ResourcePolicy',
    metadata: { name: 'invoices' },
    spec: {
      resource: 'invoices',
      rules: rules.map(({ effect, actions, who, where, condition }, at) => ({
        name: `rule-${at}`,
        effect,
        actions: [...new Set(actions)],
        ...who,
        ...where,
        ...(condition === '' ? {} : { condition }),
      })),
    },
  });

/** Everything of the run before is taken away, and this put in its place. */
const lay = async ({ members, roles, grants, loans, rules }: Model): Promise<() => Promise<void>> => {
  const undo: (() => Promise<unknown>)[] = [];
  for (const name of GROUPS) {
    await world.call('PutGroup', { group: { name } }, owner);
    undo.push(() => world.call('DeleteGroup', { group: name }, owner));
  }
  for (const { group, id } of members) await world.call('AddGroupMembers', { group, members: [person(id)] }, owner);
  for (const one of roles) {
    await world.call('AssignRole', one, owner);
    undo.unshift(() => world.call('UnassignRole', one, owner));
  }
  for (const one of grants) {
    // What speaks of all types knows no attribute of one.
    const condition = one.permission.startsWith('*') ? '' : one.condition;
    const { grant } = await world.call<proto.PutGrantResponse>('PutGrant', { ...one, condition }, owner);
    undo.unshift(() => world.call('DeleteGrant', { grantId: grant?.id ?? '' }, owner).catch(() => {}));
  }
  for (const { to, permission: lent } of loans) {
    const request = { grantee: person(to), permissions: [lent], expiresAt: later };
    const { delegation } = await world.call<proto.PutDelegationResponse>('PutDelegation', request, user('usr_admin'));
    undo.unshift(() => world.call('DeleteDelegation', { delegationId: delegation?.id ?? '' }, user('usr_admin')).catch(() => {}));
  }
  const sources = rules.length === 0 ? [] : [{ name: 'invoices.json', content: documentOf(rules) }];
  if (sources.length > 0) {
    await world.call('ApplyPolicies', { sources, acknowledgeRisk: true }, owner);
    undo.unshift(() => world.call('ApplyPolicies', { deleteNames: ['invoices'], acknowledgeRisk: true }, owner));
  }
  return async () => {
    for (const one of undo) await one();
  };
};

const questions = [
  resource('invoices'),
  resource('invoices', { id: 'inv-1', attributes: { amount: 50 } }),
  resource('invoices', { id: 'inv-2', ownerId: 'usr_plain', attributes: { amount: 5 } }),
];

const everybody = async (request: object): Promise<readonly proto.AbleSubject[]> => {
  const all: proto.AbleSubject[] = [];
  let pageToken = '';
  do {
    const page = await world.call<proto.ListSubjectsResponse>('ListSubjects', { ...request, pageSize: 2, pageToken }, owner);
    all.push(...page.subjects);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
};

describe('the listings', () => {
  it('agree with checks, both ways, through roles, groups, grants, loans and policies', async () => {
    let allowedByPolicy = 0;
    await fc.assert(
      fc.asyncProperty(model, async (given) => {
        const undo = await lay(given);
        try {
          for (const about of questions)
            for (const one of ACTIONS)
              for (const environment of ['', 'prod']) {
                const asked = { action: one, resource: about, environment };
                const allowed: string[] = [];
                for (const id of PEOPLE) {
                  const answer = await world.check(owner, { principal: subject(id), ...asked });
                  if (!answer.allowed) continue;
                  allowed.push(id);
                  if (answer.appliedPolicies.some((name) => name.startsWith('policy:'))) allowedByPolicy += 1;
                  const { permissions } = await world.call<proto.GetUserPermissionsResponse>(
                    'GetUserPermissions',
                    { subject: person(id), resourceType: 'invoices', pageSize: 1000 },
                    owner,
                  );
                  const covering = permissions.filter(({ permission: held, resourceId, effect, sources }) => {
                    const parsed = parsePermission(held);
                    const fits = parsed !== null && covers(parsed, { type: 'invoices', action: one });
                    return effect === 1 && fits && ['', about.id].includes(resourceId) && sources.some(({ active }) => active);
                  });
                  // The rule that the check names is among those that are listed.
                  const rules = covering.flatMap(({ sources }) => sources.map((source) => source.rule));
                  expect(rules).toEqual(expect.arrayContaining([answer.appliedPolicies[0]]));
                }
                const listed = (await everybody({ ...asked, subjectType: 'user' })).map((able) => able.subject?.id ?? '');
                expect(listed.filter((id) => (PEOPLE as readonly string[]).includes(id)).sort()).toEqual(allowed.sort());
              }
        } finally {
          await undo();
        }
      }),
      { numRuns: 12, examples: [[BY_POLICY]] },
    );
    expect(allowedByPolicy).toBeGreaterThan(0);
  }, 120_000);
});

describe('GetUserPermissions', () => {
  it('tells what policies allow and deny, by which rule, through which group, on what conditions and until when', async () => {
    const content = JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'ResourcePolicy',
      metadata: { name: 'told' },
      spec: {
        resource: 'invoices',
        rules: [
          {
            name: 'for-the-board',
            effect: 'allow',
            actions: ['read'],
            principals: ['group:board'],
            environments: ['prod'],
            condition: 'resource.amount > 10',
            timeWindows: [{ notBefore: '2026-01-01T00:00:00Z', notAfter: '2099-01-01T00:00:00Z' }],
          },
          { name: 'not-yet', effect: 'allow', actions: ['pay'], timeWindows: [{ notBefore: '2098-01-01T00:00:00Z' }] },
          { name: 'no-longer', effect: 'allow', actions: ['pay'], timeWindows: [{ notAfter: '2020-01-01T00:00:00Z' }] },
          { name: 'never', effect: 'deny', actions: ['shred'] },
          { name: 'for-others', effect: 'allow', actions: ['*'], principals: ['user:usr_viewer'] },
        ],
      },
    });
    await world.call('PutGroup', { group: { name: 'board' } }, owner);
    await world.call('AddGroupMembers', { group: 'board', members: [person('usr_plain')] }, owner);
    await world.call('ApplyPolicies', { sources: [{ name: 'told.json', content }], acknowledgeRisk: true }, owner);
    const { permissions } = await world.call<proto.GetUserPermissionsResponse>(
      'GetUserPermissions',
      { subject: person('usr_plain'), resourceType: 'invoices' },
      owner,
    );
    const told = permissions
      .flatMap(({ permission: held, effect, sources }) => sources.map((source) => ({ held, effect, ...source })))
      .filter(({ kind }) => kind === 'policy');
    const at = (iso: string) => ({ seconds: Date.parse(iso) / 1000, nanos: 0 });
    const name = (one: string) => expect.stringMatching(new RegExp(`^policy:resource_type/told@\\d+/${one}$`));
    expect(told).toMatchObject([
      {
        held: 'invoices:pay',
        effect: 1,
        rule: name('not-yet'),
        active: false,
        notBefore: at('2098-01-01T00:00:00Z'),
        expiresAt: undefined,
      },
      {
        held: 'invoices:read',
        effect: 1,
        rule: name('for-the-board'),
        group: 'board',
        conditions: ['environment in [prod]', expect.stringMatching(/^hours /), 'resource.amount > 10'],
        active: true,
        notBefore: at('2026-01-01T00:00:00Z'),
        expiresAt: at('2099-01-01T00:00:00Z'),
      },
      { held: 'invoices:shred', effect: 2, rule: name('never'), group: '', conditions: [], active: true },
    ]);
  });
});
