// The decision once more, written as the rules are told, without indices: both must always say the same.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BUILT_IN_ROLES } from './builtin.ts';
import { evaluate, type Question } from './evaluate.ts';
import { covers, parsePermission } from './permission.ts';
import { compileRights, type SubjectRows } from './rights.ts';
import type { Role } from './role.ts';
import { ringOf } from './role.ts';
import { buildSnapshot } from './snapshot.ts';

const NOW = 1_000_000;
const TYPES = ['docs', 'users', 'config', 'installation'] as const;
const ACTIONS = ['read', 'write', 'tenants'] as const;
const CUSTOM = ['r0', 'r1', 'r2', 'r3'] as const;

const side = (names: readonly string[]) => fc.constantFrom('*', ...names);
const permissionText = fc
  .tuple(side(TYPES), side(ACTIONS))
  .map(([type, action]) => `${type}:${action}`)
  .filter((text) => parsePermission(text) !== null);
const ends = fc.constantFrom(null, NOW - 1, NOW, NOW + 1);

/** Each role inherits only from later ones, so there is no ring. */
const roles = fc.tuple(
  ...CUSTOM.map((name, at) =>
    fc.record({
      name: fc.constant(name as string),
      description: fc.constant(''),
      permissions: fc.array(permissionText, { maxLength: 3 }),
      inherits: fc.subarray([...CUSTOM.slice(at + 1), 'viewer', 'ghost'] as string[]),
      builtIn: fc.constant(false),
    }),
  ),
) as fc.Arbitrary<Role[]>;

const rows: fc.Arbitrary<SubjectRows> = fc.record({
  subject: fc.constant({ type: 'user', id: 'u1' }),
  assignments: fc.array(fc.record({ role: fc.constantFrom(...CUSTOM, 'member', 'admin', 'owner', 'operator', 'ghost'), expiresAt: ends }), {
    maxLength: 3,
  }),
  grants: fc.array(
    fc.record({
      id: fc.uuid(),
      effect: fc.constantFrom('allow' as const, 'deny' as const),
      permission: permissionText,
      resourceId: fc.constantFrom('', 'x', 'y'),
      expiresAt: ends,
    }),
    { maxLength: 4 },
  ),
});

const question: fc.Arbitrary<Question> = fc.record({
  type: fc.constantFrom(...TYPES),
  action: fc.constantFrom(...ACTIONS),
  resourceId: fc.constantFrom('', 'x', 'y'),
  resourceTenantId: fc.constantFrom('', 't1', 't2'),
  ownerId: fc.constantFrom('', 'u1', 'u2'),
  classification: fc.constant(''),
});

const DOCS = { name: 'docs', description: '', actions: [], ownerActions: ['read'], defaultClassification: 'internal', builtIn: false };

const gives = (text: string, asked: Question): boolean => {
  const held = parsePermission(text);
  return held !== null && covers(held, asked);
};

const allRolesBelow = (names: readonly string[], all: readonly Role[]): Role[] => {
  const found = all.filter((role) => names.includes(role.name));
  return found.length === 0 ? [] : [...found, ...found.flatMap((role) => allRolesBelow(role.inherits, all))];
};

const naive = (custom: readonly Role[], subject: SubjectRows, asked: Question): string => {
  const inForce = ({ expiresAt }: { readonly expiresAt: number | null }): boolean => expiresAt === null || NOW < expiresAt;
  const about = (resourceId: string): boolean => resourceId === '' || resourceId === asked.resourceId;
  if (asked.resourceTenantId === 't2') return 'DENIED_TENANT';
  const grants = subject.grants.filter((grant) => inForce(grant) && about(grant.resourceId) && gives(grant.permission, asked));
  if (grants.some((grant) => grant.effect === 'deny')) return 'DENIED_EXPLICIT';
  if (grants.some((grant) => grant.effect === 'allow')) return 'ALLOWED';
  const assigned = subject.assignments.filter(inForce).map((assignment) => assignment.role);
  if (allRolesBelow(assigned, [...BUILT_IN_ROLES, ...custom]).some((role) => role.permissions.some((text) => gives(text, asked))))
    return 'ALLOWED';
  if (assigned.includes('admin') && asked.type === 'docs') return 'ALLOWED';
  const owns = asked.ownerId === 'u1' && ((asked.type === 'docs' && asked.action === 'read') || false);
  return owns ? 'ALLOWED' : 'DENIED_DEFAULT';
};

describe('the indexed evaluator', () => {
  it('says what the naive one says', () => {
    fc.assert(
      fc.property(roles, rows, fc.array(question, { minLength: 5, maxLength: 20 }), (custom, subject, questions) => {
        const rights = compileRights(buildSnapshot({ tenantId: 't1', roles: custom, types: [DOCS] }), subject, NOW, 1);
        for (const asked of questions) expect(evaluate(rights, asked).code).toBe(naive(custom, subject, asked));
      }),
      { numRuns: 500 },
    );
  });

  it('holds for every resource exactly what it would allow without a resource', () => {
    fc.assert(
      fc.property(roles, rows, question, (custom, subject, asked) => {
        const rights = compileRights(buildSnapshot({ tenantId: 't1', roles: custom, types: [DOCS] }), subject, NOW, 1);
        const bare = { ...asked, resourceId: '', resourceTenantId: '', ownerId: '' };
        expect(rights.holds(`${asked.type}:${asked.action}`)).toBe(evaluate(rights, bare).allowed);
      }),
    );
  });
});

describe('a ring of roles', () => {
  const role = (name: string, ...inherits: string[]): Role => ({
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
    const given = snapshot.union(['a']).allows.entries.map((entry) => entry.permission.action);
    expect(given).toEqual(['a', 'b']);
  });
});
