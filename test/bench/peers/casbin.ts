// Casbin's own table (casbin.org/docs/benchmark): each case as casbin has it, and the same rules in our model. Microseconds a check.
import { compileRights, type Rights } from '../../../src/authorization/rights.ts';
import type { Grant, SubjectRows } from '../../../src/authorization/subject.ts';
import { conditionSchema, parseCondition } from '../../../src/authorization/condition/condition.ts';
import { evaluate } from '../../../src/authorization/evaluate.ts';
import type { Question } from '../../../src/authorization/question.ts';
import { type ResourceType, UNDECLARED } from '../../../src/authorization/resource-type.ts';
import { UNBOUNDED } from '../../../src/authorization/bounds.ts';
import type { Role } from '../../../src/authorization/role.ts';
import { bareSituation, type Situation } from '../../../src/authorization/situation.ts';
import { buildSnapshot } from '../../../src/authorization/snapshot.ts';

export interface CaseResult {
  readonly name: string;
  readonly rules: number;
  /** Microseconds. */
  readonly casbin: number;
  readonly hub: number;
}

interface Enforcer {
  addPolicies(rules: readonly (readonly string[])[]): Promise<boolean>;
  addGroupingPolicies(rules: readonly (readonly string[])[]): Promise<boolean>;
  addNamedGroupingPolicies(name: string, rules: readonly (readonly string[])[]): Promise<boolean>;
  enforceSync(...asked: readonly unknown[]): boolean;
}
interface Casbin {
  newModel(text: string): unknown;
  newEnforcer(model: unknown): Promise<Enforcer>;
}

interface Ours {
  readonly rights: Rights;
  readonly question: Question;
  readonly situation: Situation;
}

interface Case {
  readonly name: string;
  readonly model: string;
  readonly p: readonly (readonly string[])[];
  readonly g?: readonly (readonly string[])[];
  readonly g2?: readonly (readonly string[])[];
  readonly asked: readonly unknown[];
  readonly allowed: boolean;
  readonly ours: Ours;
}

const ALLOW = 'some(where (p.eft == allow))';
const model = (matcher: string, over: { r?: string; p?: string; g?: string; effect?: string } = {}): string =>
  `[request_definition]
r = ${over.r ?? 'sub, obj, act'}
[policy_definition]
p = ${over.p ?? 'sub, obj, act'}
${over.g === undefined ? '' : `[role_definition]\n${over.g}\n`}[policy_effect]
e = ${over.effect ?? ALLOW}
[matchers]
m = ${matcher}
`;

const ACL = model('r.sub == p.sub && r.obj == p.obj && r.act == p.act');
const ROLES = model('g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act', { g: 'g = _, _' });

const NOW = 1_700_000_000_000;
const type = (name: string, over: Partial<ResourceType> = {}): ResourceType => ({
  ...UNDECLARED,
  name,
  ...over,
});
const role = (name: string, ...permissions: string[]): Role => ({
  ...UNBOUNDED,
  name,
  description: '',
  builtIn: false,
  permissions,
  inherits: [],
});
const grant = (permission: string, resourceId = '', over: Partial<Grant> = {}): Grant => ({
  id: `${permission}-${resourceId}`,
  effect: 'allow',
  permission,
  resourceId,
  condition: '',
  tree: null,
  notBefore: null,
  expiresAt: null,
  ...over,
});

interface World {
  readonly tenantId?: string;
  readonly roles?: readonly Role[];
  readonly types?: readonly ResourceType[];
}

const rights = (world: World, id: string, roles: readonly string[], grants: readonly Grant[] = []): Rights => {
  const snapshot = buildSnapshot({ tenantId: world.tenantId ?? 't1', roles: world.roles ?? [], types: world.types ?? [type('data')] });
  const rows: SubjectRows = {
    subject: { type: 'user', id },
    assignments: roles.map((name) => ({ role: name, notBefore: null, expiresAt: null })),
    grants,
    memberships: [],
    delegations: [],
    clearance: null,
  };
  return compileRights(snapshot, { rows, groups: [], lent: [] }, NOW, 1);
};

const question = (of: string, action: string, over: Partial<Question> = {}): Question => ({
  type: of,
  action,
  resourceId: '',
  resourceTenantId: '',
  ownerId: '',
  classification: '',
  parents: [],
  believed: true,
  ...over,
});
const on = (resourceId: string, over: Partial<Question> = {}): Question => question('data', 'read', { resourceId, ...over });
const plainly = (held: Rights, asked: Question): Ours => ({ rights: held, question: asked, situation: bareSituation(NOW) });

const conditionOf = (source: string): Pick<Grant, 'condition' | 'tree'> => {
  const parsed = parseCondition(source, conditionSchema());
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  return { condition: source, tree: parsed.condition };
};

const series = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

/** `roles` roles, ten times as many users; the question is one that must be denied, so that all of casbin's rules are looked at. */
const sized = (name: string, roles: number): Case => {
  const user = (roles * 10) / 2 + 1;
  const object = `data${roles / 10 - 1}`;
  const world = {
    roles: series(roles, (at) => role(`group${at}`, `data${Math.floor(at / 10)}:read`)),
    types: series(roles / 10, (at) => type(`data${at}`)),
  };
  return {
    name,
    model: ROLES,
    p: series(roles, (at) => [`group${at}`, `data${Math.floor(at / 10)}`, 'read']),
    g: series(roles * 10, (at) => [`user${at}`, `group${Math.floor(at / 10)}`]),
    asked: [`user${user}`, object, 'read'],
    allowed: false,
    ours: plainly(rights(world, `user${user}`, [`group${Math.floor(user / 10)}`]), question(object, 'read')),
  };
};

const G = [['alice', 'data2_admin']];
const RBAC = [
  ['alice', 'data1', 'read'],
  ['bob', 'data2', 'write'],
  ['data2_admin', 'data2', 'read'],
  ['data2_admin', 'data2', 'write'],
];
const TWO = [type('data1'), type('data2')];
const DATA2_ADMIN = role('data2_admin', 'data2:read', 'data2:write');
const EFFECT_RULES = (effects: readonly string[]): string[][] => RBAC.map((rule, at) => [...rule, effects[at] ?? 'allow']);

const cases = (): readonly Case[] => [
  {
    name: 'ACL',
    model: ACL,
    p: RBAC.slice(0, 2),
    asked: ['alice', 'data1', 'read'],
    allowed: true,
    ours: plainly(rights({}, 'alice', [], [grant('data:read', 'data1')]), on('data1')),
  },
  {
    name: 'RBAC',
    model: ROLES,
    p: RBAC,
    g: G,
    asked: ['alice', 'data2', 'read'],
    allowed: true,
    ours: plainly(rights({ roles: [DATA2_ADMIN], types: TWO }, 'alice', ['data2_admin'], [grant('data1:read')]), question('data2', 'read')),
  },
  sized('RBAC, small', 100),
  sized('RBAC, medium', 1000),
  sized('RBAC, large', 10_000),
  {
    name: 'RBAC with resource roles (ours: a grant on what the resource lies in)',
    model: model('g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act', { g: 'g = _, _\ng2 = _, _' }),
    p: [...RBAC.slice(0, 2), ['data_group_admin', 'data_group', 'read']],
    g: [['alice', 'data_group_admin']],
    g2: [
      ['data1', 'data_group'],
      ['data2', 'data_group'],
    ],
    asked: ['alice', 'data2', 'read'],
    allowed: true,
    ours: plainly(
      rights({ types: [type('data', { parentTypes: ['groups'] }), type('groups')] }, 'alice', [], [grant('groups:read', 'data_group')]),
      on('data2', { parents: [{ type: 'groups', id: 'data_group' }] }),
    ),
  },
  {
    name: 'RBAC with domains (ours: tenants)',
    model: model('g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act', {
      r: 'sub, dom, obj, act',
      p: 'sub, dom, obj, act',
      g: 'g = _, _, _',
    }),
    p: [1, 2].flatMap((at) => ['read', 'write'].map((action) => ['admin', `domain${at}`, `data${at}`, action])),
    g: [1, 2].map((at) => [['alice', 'bob'][at - 1] ?? '', 'admin', `domain${at}`]),
    asked: ['alice', 'domain1', 'data1', 'read'],
    allowed: true,
    ours: plainly(
      rights({ tenantId: 'domain1', roles: [role('lead', 'data1:read', 'data1:write')], types: TWO }, 'alice', ['lead']),
      question('data1', 'read', { resourceTenantId: 'domain1' }),
    ),
  },
  {
    name: 'ABAC (the owner)',
    model: model('r.sub == r.obj.Owner'),
    p: [],
    asked: ['alice', { Name: 'data1', Owner: 'alice' }, 'read'],
    allowed: true,
    ours: plainly(rights({ types: [type('data', { ownerActions: ['read'] })] }, 'alice', []), on('data1', { ownerId: 'alice' })),
  },
  {
    name: 'ABAC, 1,000 rules with a condition',
    model: model('eval(p.sub_rule) && r.obj == p.obj && r.act == p.act', { p: 'sub_rule, obj, act' }),
    p: series(1000, (at) => ['r.sub.Age > 20', `data${at}`, 'read']),
    asked: [{ Name: 'alice', Age: 30 }, 'data999', 'read'],
    allowed: true,
    ours: {
      rights: rights({}, 'alice', [], [grant('data:read', 'data999', conditionOf('context.age > 20.0'))]),
      question: on('data999'),
      situation: { ...bareSituation(NOW), context: { age: 30 } },
    },
  },
  {
    name: 'RESTful, keyMatch (ours: a condition)',
    model: model('r.sub == p.sub && keyMatch(r.obj, p.obj) && regexMatch(r.act, p.act)'),
    p: [
      ['alice', '/alice_data/*', 'GET'],
      ['alice', '/alice_data/resource1', 'POST'],
      ['bob', '/alice_data/resource2', 'GET'],
      ['bob', '/bob_data/*', 'POST'],
      ['cathy', '/cathy_data', '(GET)|(POST)'],
    ],
    asked: ['cathy', '/cathy_data', 'GET'],
    allowed: true,
    ours: plainly(
      rights({}, 'cathy', [], [grant('data:read', '', conditionOf('resource.id.startsWith("/cathy_data")'))]),
      on('/cathy_data'),
    ),
  },
  {
    name: 'Deny-override',
    model: model('g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act', {
      p: 'sub, obj, act, eft',
      g: 'g = _, _',
      effect: `${ALLOW} && !some(where (p.eft == deny))`,
    }),
    p: [...EFFECT_RULES([]), ['alice', 'data2', 'write', 'deny']],
    g: G,
    asked: ['alice', 'data2', 'write'],
    allowed: false,
    ours: plainly(
      rights({ roles: [DATA2_ADMIN], types: TWO }, 'alice', ['data2_admin'], [grant('data2:write', '', { effect: 'deny' })]),
      question('data2', 'write'),
    ),
  },
  {
    name: 'Priority (ours: what denies goes first)',
    model: model('g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act', {
      p: 'sub, obj, act, eft',
      g: 'g = _, _',
      effect: 'priority(p.eft) || deny',
    }),
    p: [
      ['alice', 'data1', 'read', 'allow'],
      ['data1_deny_group', 'data1', 'read', 'deny'],
      ['data1_deny_group', 'data1', 'write', 'deny'],
      ['alice', 'data1', 'write', 'allow'],
      ['data2_allow_group', 'data2', 'read', 'allow'],
      ['bob', 'data2', 'read', 'deny'],
      ['bob', 'data2', 'write', 'deny'],
    ],
    g: [
      ['alice', 'data1_deny_group'],
      ['bob', 'data2_allow_group'],
    ],
    asked: ['bob', 'data2', 'write'],
    allowed: false,
    ours: plainly(
      rights({ roles: [role('readers', 'data2:read')], types: TWO }, 'bob', ['readers'], [grant('data2:write', '', { effect: 'deny' })]),
      question('data2', 'write'),
    ),
  },
];

/** Microseconds of CPU, the median of five turns of as many checks as take 50 ms. */
const micros = (check: () => boolean, want: boolean): number => {
  if (check() !== want) throw new Error(`the answer is ${!want}`);
  const turn = (checks: number): number => {
    let wrong = 0;
    const { user, system } = process.cpuUsage();
    for (let at = 0; at < checks; at += 1) if (check() !== want) wrong += 1;
    const after = process.cpuUsage();
    if (wrong > 0) throw new Error(`${wrong} of ${checks} answers were wrong`);
    return after.user + after.system - user - system;
  };
  let checks = 1;
  while (turn(checks) < 50_000) checks *= 2;
  return (series(5, () => turn(checks)).toSorted((a, b) => a - b)[2] ?? 0) / checks;
};

export const casbinCases = async (path: string): Promise<CaseResult[]> => {
  const { newEnforcer, newModel } = (await import(path)) as Casbin;
  const results: CaseResult[] = [];
  for (const { name, model: text, p, g = [], g2 = [], asked, allowed, ours } of cases()) {
    console.log(`${name} …`);
    const enforcer = await newEnforcer(newModel(text));
    await enforcer.addPolicies(p);
    await enforcer.addGroupingPolicies(g);
    if (g2.length > 0) await enforcer.addNamedGroupingPolicies('g2', g2);
    results.push({
      name,
      rules: p.length + g.length + g2.length,
      casbin: micros(() => enforcer.enforceSync(...asked), allowed),
      hub: micros(() => evaluate(ours.rights, ours.question, ours.situation).allowed, allowed),
    });
  }
  return results;
};
