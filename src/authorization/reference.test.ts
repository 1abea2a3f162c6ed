// The indexed decision against the naive one (test/reference/authorization.ts), on random models: both must always say the same.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Answer, type Model, naive } from '../../test/reference/authorization.ts';
import type { Tracked } from '../storage/storage.ts';
import { addressRanges } from './address-ranges.ts';
import { UNBOUNDED } from './bounds.ts';
import { BUILT_IN_ROLES } from './builtin.ts';
import { CLASSIFICATIONS } from './classification.ts';
import { conditionSchema, parseCondition } from './condition/condition.ts';
import { evaluate } from './evaluate.ts';
import { explain } from './explain.ts';
import { covers, parsePermission } from './permission.ts';
import { permissionPage } from './permission-tree.ts';
import { atOnce } from '../base/slices.ts';
import type { Question } from './question.ts';
import { createResolve, subjectKey } from './resolve.ts';
import { type ResourceType, UNDECLARED } from './resource-type.ts';
import type { Rights } from './rights.ts';
import type { Delegation, Grant, Subject, SubjectRows } from './subject.ts';
import type { Role } from './role.ts';
import { ringOf } from './role.ts';
import type { Ruling } from './ruling.ts';
import { bareSituation, type Situation } from './situation.ts';
import { buildSnapshot, type Snapshot } from './snapshot.ts';

/** A Monday, 10:00 UTC. */
const NOW = Date.UTC(2026, 5, 1, 10);
const TYPES = ['docs', 'folders', 'users', 'installation'] as const;
const ACTIONS = ['read', 'write', 'tenants'] as const;
const CUSTOM = ['r0', 'r1', 'r2', 'r3'] as const;
const PEOPLE = ['u1', 'u2', 'u3'] as const;
const TEAMS = ['g1', 'g2'] as const;
const IDS = ['', 'x', 'y'] as const;

const type = (name: string, over: Partial<ResourceType> = {}): ResourceType => ({
  ...UNDECLARED,
  name,
  attributes: { secret: 'bool' },
  ...over,
});

const CONDITIONS: Model['conditions'] = {
  'environment == "prod"': (_, { environment }) => environment === 'prod',
  'subject.mfa_verified || action == "read"': ({ action }, { mfaVerified }) => mfaVerified || action === 'read',
  'resource.secret': (_, { resource }) => resource['secret'] as boolean | undefined,
};
const SCHEMA = conditionSchema({ resource: { secret: { kind: 'bool' } } });
const TREES = new Map(
  Object.keys(CONDITIONS).map((source) => {
    const parsed = parseCondition(source, SCHEMA);
    if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
    return [source, parsed.condition];
  }),
);

const side = (names: readonly string[]) => fc.constantFrom('*', ...names);
const permissionText = fc
  .tuple(side(TYPES), side(ACTIONS))
  .map(([one, action]) => `${one}:${action}`)
  .filter((text) => parsePermission(text) !== null);
const rarely = <T>(usual: T, ...others: T[]) => fc.constantFrom(usual, usual, usual, ...others);
const window = fc.record({ notBefore: rarely(null, NOW, NOW + 1), expiresAt: rarely(null, NOW, NOW + 1) });

const hours = (start: string, end: string) => [{ days: ['mon'], start, end, timeZone: 'UTC' }];
const bounds = fc.record({
  workloads: rarely<string[]>([], ['billing']),
  environments: rarely<string[]>([], ['prod']),
  addressRanges: rarely<string[]>([], ['10.0.0.0/8', '2001:db8::/32']),
  hours: rarely([] as ReturnType<typeof hours>, hours('09:00', '17:00'), hours('17:00', '09:00')),
  requireMfa: rarely(false, true),
  clearance: rarely('', ...CLASSIFICATIONS),
});

/** Each role inherits only from later ones, so there is no ring. */
const roles = fc.tuple(
  ...CUSTOM.map((name, at) =>
    fc
      .record({
        permissions: fc.array(permissionText, { maxLength: 3 }),
        inherits: fc.subarray([...CUSTOM.slice(at + 1), 'viewer', 'ghost'] as string[]),
        bounds,
      })
      .map(({ bounds: bound, ...rest }): Role => ({ ...UNBOUNDED, name, description: '', builtIn: false, ...bound, ...rest })),
  ),
) as unknown as fc.Arbitrary<Role[]>;

const grant: fc.Arbitrary<Grant> = fc
  .record({
    id: fc.uuid(),
    effect: rarely<Grant['effect']>('allow', 'deny'),
    permission: permissionText,
    resourceId: fc.constantFrom(...IDS),
    condition: rarely('', ...Object.keys(CONDITIONS)),
    window,
  })
  // Only those two types declare the attribute: elsewhere the condition could not have been written.
  .map(({ window: bounded, condition, ...rest }) => {
    const written = condition.startsWith('resource.') && !/^(docs|folders):/.test(rest.permission) ? '' : condition;
    return { ...rest, ...bounded, condition: written, tree: TREES.get(written) ?? null };
  });

const delegation = (grantors: readonly string[]): fc.Arbitrary<Delegation> =>
  fc
    .record({
      id: fc.uuid(),
      grantor: fc.constantFrom(...grantors).map((id): Subject => ({ type: 'user', id })),
      permissions: fc.array(permissionText, { minLength: 1, maxLength: 2 }),
      resourceId: fc.constantFrom(...IDS),
      depth: fc.nat(2),
      window,
    })
    .map(({ window: bounded, ...rest }) => ({ ...rest, ...bounded }));

const rowsOf = (subject: Subject): fc.Arbitrary<SubjectRows> =>
  fc.record({
    subject: fc.constant(subject),
    assignments: fc.array(
      fc
        .record({ role: fc.constantFrom(...CUSTOM, 'member', 'admin', 'owner', 'operator', 'ghost'), window })
        .map(({ role, window: bounded }) => ({ role, ...bounded })),
      { maxLength: 2 },
    ),
    grants: fc.array(grant, { maxLength: 3 }),
    memberships:
      subject.type === 'group'
        ? fc.constant([])
        : fc
            .uniqueArray(fc.constantFrom(...TEAMS), { maxLength: 2 })
            .map((names) => names.map((group, at) => ({ group: group as string, expiresAt: at === 1 ? NOW : null }))),
    delegations: fc.array(delegation(PEOPLE), { maxLength: 2 }),
    clearance: fc
      .constantFrom(null, null, ...CLASSIFICATIONS)
      .map((clearance) => (clearance === null ? null : { clearance, expiresAt: null })),
  });

const everybody = fc
  .tuple(...PEOPLE.map((id) => rowsOf({ type: 'user', id })), ...TEAMS.map((id) => rowsOf({ type: 'group', id })))
  .map((all) => new Map(all.map((rows) => [subjectKey(rows.subject), rows])));

const model: fc.Arbitrary<Model> = fc
  .record({ roles, subjects: everybody, suspended: fc.subarray(['user:u2', 'user:u3']), defaults: fc.constantFrom(...CLASSIFICATIONS) })
  .map(({ defaults, ...rest }) => ({
    tenantId: 't1',
    roles: [
      ...BUILT_IN_ROLES.map((role) =>
        role.name === 'admin' ? { ...role, permissions: [...role.permissions, 'docs:*', 'folders:*'] } : role,
      ),
      ...rest.roles,
    ],
    types: [type('docs', { ownerActions: ['read'], parentTypes: ['folders'], defaultClassification: defaults }), type('folders')],
    subjects: rest.subjects,
    suspended: new Set(rest.suspended),
    conditions: CONDITIONS,
    contains: (range, address) => addressRanges([range])(address),
  }));

const question: fc.Arbitrary<Question> = fc.record({
  type: fc.constantFrom(...TYPES),
  action: fc.constantFrom(...ACTIONS),
  resourceId: fc.constantFrom(...IDS),
  resourceTenantId: rarely('', 't1', 't2'),
  ownerId: fc.constantFrom('', ...PEOPLE),
  classification: rarely('', ...CLASSIFICATIONS),
  parents: fc.array(fc.record({ type: fc.constantFrom('folders', 'docs'), id: fc.constantFrom('x', 'y') }), { maxLength: 2 }),
  believed: fc.boolean(),
});

const situation: fc.Arbitrary<Situation> = fc
  .record({
    mfaVerified: fc.boolean(),
    address: fc.constantFrom('', '10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8::1'),
    workload: fc.constantFrom('', 'billing'),
    environment: fc.constantFrom('', 'prod'),
    resource: fc.constantFrom<Situation['resource']>({}, { secret: true }, { secret: false }, { secret: 'yes' }),
  })
  .map((said) => ({ ...bareSituation(NOW), ...said }));

const tracked = <V>(get: (key: string) => V): Pick<Tracked<V>, 'get'> => ({ get: (_, key) => get(key) });

const rightsIn = (world: Model, subject: Subject): Rights => {
  const snapshot: Snapshot = buildSnapshot({
    tenantId: world.tenantId,
    roles: world.roles.filter(({ builtIn }) => !builtIn),
    types: world.types,
  });
  const resolve = createResolve({
    snapshots: tracked(() => snapshot),
    subjects: tracked((key) => world.subjects.get(key) as SubjectRows),
    cursor: () => 1,
    applied: () => 1,
    acts: (_, who) => !world.suspended.has(subjectKey(who)),
  });
  return (resolve([{ tenantId: world.tenantId, subject }], NOW) as readonly Rights[])[0] as Rights;
};

const FINAL: Readonly<Record<string, Answer>> = { DENIED_TENANT: 'TENANT', DENIED_CLASSIFICATION: 'CLASSIFICATION' };
const answerOf = ({ allowed, code, stepUp, open }: Ruling): Answer => {
  if (allowed) return 'ALLOW';
  if (open !== true) return FINAL[code] ?? 'DENY';
  return stepUp === true ? 'STEP_UP' : 'NO';
};

const U1: Subject = { type: 'user', id: 'u1' };

describe('the indexed evaluator', () => {
  it('says what the naive one says', () => {
    fc.assert(
      fc.property(model, fc.array(fc.tuple(question, situation), { minLength: 5, maxLength: 20 }), (world, asked) => {
        const rights = rightsIn(world, U1);
        for (const [each, where] of asked) expect(answerOf(evaluate(rights, each, where))).toBe(naive(world, 'user:u1', each, where));
      }),
      { numRuns: 1500 },
    );
  });

  it('holds for every resource exactly what it would allow without a resource, unless a condition speaks of the question', () => {
    fc.assert(
      fc.property(model, question, situation, (world, asked, where) => {
        for (const rows of world.subjects.values()) fc.pre(rows.grants.every(({ condition }) => condition === ''));
        const rights = rightsIn(world, U1);
        const bare = { ...asked, resourceId: '', resourceTenantId: '', ownerId: '', classification: 'public', parents: [], believed: true };
        const allowed = evaluate(rights, bare, where).allowed;
        expect(rights.holds(`${asked.type}:${asked.action}`, where)).toBe(allowed);
        if (rights.owns(`${asked.type}:${asked.action}`, where)) expect(allowed).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('needs no situation where it says that none is looked at', () => {
    fc.assert(
      fc.property(model, question, situation, situation, (world, asked, here, there) => {
        const rights = rightsIn(world, U1);
        fc.pre(rights.plain);
        expect(evaluate(rights, asked, here)).toBe(evaluate(rights, asked, there));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the tree of permissions', () => {
  it('covers whatever a check allows, in force', () => {
    fc.assert(
      fc.property(model, question, situation, (world, asked, where) => {
        const rights = rightsIn(world, U1);
        // No check takes a resource that lies where its type does not.
        const above = [asked.type, ...asked.parents.map((parent) => parent.type)];
        const declares = (name = ''): readonly string[] => world.types.find((one) => one.name === name)?.parentTypes ?? [];
        fc.pre(asked.parents.every((parent, at) => declares(above[at]).includes(parent.type)));
        fc.pre(evaluate(rights, asked, where).allowed);
        const scopes = ['', asked.resourceId, ...asked.parents.map(({ id }) => id)];
        const types = [asked.type, ...asked.parents.map((parent) => parent.type)];
        const { items } = atOnce(permissionPage(rights, [], '', { after: '', size: 1000 }, NOW));
        const found = items.some(
          ({ permission, resourceId, effect, sources }) =>
            effect === 'allow' &&
            scopes.includes(resourceId) &&
            sources.some(({ active }) => active) &&
            types.some((one) => covers(parsePermission(permission) ?? { type: '', action: '' }, { type: one, action: asked.action })),
        );
        expect(found).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('an explanation', () => {
  it('adds up to the decision', () => {
    fc.assert(
      fc.property(model, question, situation, (world, asked, where) => {
        const rights = rightsIn(world, U1);
        const matched = explain(rights, asked, where).filter((step) => step.matched);
        const denying = matched.filter(({ effect }) => effect === 'deny').map(({ kind }) => kind);
        const told = denying.includes('tenant')
          ? 'TENANT'
          : denying.includes('deny')
            ? 'DENY'
            : denying.includes('classification')
              ? 'CLASSIFICATION'
              : matched.some(({ effect }) => effect === 'allow')
                ? 'ALLOW'
                : 'NO';
        const answer = answerOf(evaluate(rights, asked, where));
        expect(told).toBe(answer === 'STEP_UP' ? 'NO' : answer);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a loan', () => {
  it('whose grantor is denied what the resource lies in gives nothing, and its explanation says so, whoever names that parent', () => {
    const nobody = (subject: Subject): SubjectRows => ({
      subject,
      assignments: [],
      grants: [],
      memberships: [],
      delegations: [],
      clearance: null,
    });
    const always = { notBefore: null, expiresAt: null };
    const u2: Subject = { type: 'user', id: 'u2' };
    const lent: Delegation = { id: 'd1', grantor: u2, permissions: ['docs:read'], resourceId: '', depth: 0, ...always };
    const deny: Grant = { id: 'g1', effect: 'deny', permission: '*:*', resourceId: 'x', condition: '', tree: null, ...always };
    const all = [
      { ...nobody(U1), delegations: [lent] },
      { ...nobody(u2), assignments: [{ role: 'admin', ...always }], grants: [deny] },
    ];
    const subjects = new Map(all.map((rows) => [subjectKey(rows.subject), rows]));
    const types = [type('docs', { parentTypes: ['folders'] }), type('folders')];
    const world = { tenantId: 't1', roles: [], types, subjects, suspended: new Set<string>(), conditions: {}, contains: () => false };
    const rights = rightsIn(world, U1);
    const asked = { type: 'docs', action: 'read', resourceId: 'd', resourceTenantId: '', ownerId: '', classification: '' };
    const told = (parents: Question['parents'], believed: boolean) => {
      const [each, where] = [{ ...asked, parents, believed }, bareSituation(NOW)];
      const step = explain(rights, each, where).find(({ kind }) => kind === 'delegation');
      return [evaluate(rights, each, where).allowed, step?.matched];
    };
    const inX = [{ type: 'folders', id: 'x' }];
    expect([told([], false), told(inX, true), told(inX, false)]).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
  });
});

describe('a ring of roles', () => {
  const role = (name: string, ...inherits: string[]): Role => ({
    ...UNBOUNDED,
    name,
    description: '',
    permissions: [`docs:${name}`],
    inherits,
    builtIn: false,
  });
  const lookup = (list: readonly Role[]) => (name: string) => list.find((each) => each.name === name);

  it('is found when a role inherits itself', () => expect(ringOf(role('a', 'a'), lookup([]))).toEqual(['a', 'a']));
  it('is found over several roles, which it names', () =>
    expect(ringOf(role('a', 'b'), lookup([role('b', 'c'), role('c', 'a')]))).toEqual(['a', 'b', 'c', 'a']));
  it('is not seen in a diamond', () => expect(ringOf(role('a', 'b', 'c'), lookup([role('b', 'd'), role('c', 'd'), role('d')]))).toBeNull());
  it('that stands in the tables all the same ends where it began', () => {
    const snapshot = buildSnapshot({ tenantId: 't1', roles: [role('a', 'b'), role('b', 'a')], types: [] });
    const given = snapshot.union(['a'], NOW).allows.entries.map((entry) => entry.permission.action);
    expect(given).toEqual(['a', 'b']);
  });
});
