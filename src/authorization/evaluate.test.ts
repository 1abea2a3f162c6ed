import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { UNBOUNDED } from './bounds.ts';
import { evaluate } from './evaluate.ts';
import { explain } from './explain.ts';
import { type ResourceType, UNDECLARED } from './resource-type.ts';
import { compileRights } from './rights.ts';
import type { Grant } from './subject.ts';
import type { Role } from './role.ts';
import { bareSituation } from './situation.ts';
import { buildSnapshot } from './snapshot.ts';

interface Case {
  readonly it: string;
  readonly subject: {
    readonly assignments?: readonly [role: string, ends?: number][];
    readonly allows?: readonly [permission: string, id?: string, ends?: number][];
    readonly denies?: readonly [permission: string, id?: string, ends?: number][];
  };
  readonly question: {
    readonly type: string;
    readonly action: string;
    readonly id?: string;
    readonly tenant?: string;
    readonly owner?: string;
  };
  readonly want: string;
  readonly rules?: readonly string[];
  readonly until?: number;
}

interface Cases {
  readonly roles: readonly Pick<Role, 'name' | 'permissions' | 'inherits'>[];
  readonly types: readonly Pick<ResourceType, 'name' | 'ownerActions'>[];
  readonly cases: readonly Case[];
}

const file = new URL('../../test/cases/authorization/decisions.yaml', import.meta.url);
const data = parse(readFileSync(file, 'utf8')) as Cases;

const NOW = 1_800_000_000_000;
const instant = (ends: number | undefined): number | null => (ends === undefined ? null : NOW + ends * 1000);

const snapshot = buildSnapshot({
  tenantId: 'acme',
  roles: data.roles.map((role) => ({ ...UNBOUNDED, description: '', builtIn: false, ...role })),
  types: data.types.map((type) => ({ ...UNDECLARED, ...type })),
});

const rightsOf = ({ assignments = [], allows = [], denies = [] }: Case['subject']) => {
  const grants = (effect: 'allow' | 'deny', list: readonly [string, string?, number?][]): Grant[] =>
    list.map(([permission, resourceId = '', ends], at) => ({
      id: `${effect[0]}${at}`,
      effect,
      permission,
      resourceId,
      notBefore: null,
      expiresAt: instant(ends),
      condition: '',
      tree: null,
    }));
  const rows = {
    subject: { type: 'user', id: 'usr_1' },
    assignments: assignments.map(([role, ends]) => ({ role, notBefore: null, expiresAt: instant(ends) })),
    grants: [...grants('allow', allows), ...grants('deny', denies)],
    memberships: [],
    delegations: [],
    clearance: null,
  };
  return compileRights(snapshot, { rows, groups: [], lent: [] }, NOW, 7);
};

const questionOf = ({ type, action, id = '', tenant = '', owner = '' }: Case['question']) => ({
  type,
  action,
  resourceId: id,
  resourceTenantId: tenant,
  ownerId: owner,
  classification: '',
  parents: [],
  believed: true,
});

const SITUATION = bareSituation(NOW);

describe('a decision', () => {
  for (const each of data.cases) {
    it(each.it, () => {
      const rights = rightsOf(each.subject);
      const ruling = evaluate(rights, questionOf(each.question), SITUATION);
      expect([ruling.code, ruling.allowed]).toEqual([each.want, each.want === 'ALLOWED']);
      if (each.rules !== undefined) expect(ruling.rules).toEqual(each.rules);
      if (each.until !== undefined) expect(rights.validUntil).toBe(NOW + each.until * 1000);
    });
  }

  it('is what its explanation adds up to', () => {
    for (const each of data.cases) {
      const rights = rightsOf(each.subject);
      const steps = explain(rights, questionOf(each.question), SITUATION).filter((step) => step.matched);
      const kinds = new Set(steps.filter((step) => step.effect === 'deny').map((step) => step.kind));
      const told = kinds.has('tenant')
        ? 'DENIED_TENANT'
        : kinds.has('deny')
          ? 'DENIED_EXPLICIT'
          : steps.some((step) => step.effect === 'allow')
            ? 'ALLOWED'
            : 'DENIED_DEFAULT';
      expect([each.it, told]).toEqual([each.it, each.want]);
    }
  });

  it('tells through which roles a permission came', () => {
    const steps = explain(rightsOf({ assignments: [['developer']] }), questionOf({ type: 'analytics', action: 'read' }), SITUATION);
    expect(steps.find((step) => step.kind === 'role')?.detail).toBe('developer → member → viewer gives analytics:read');
  });
});
