// The hub's side of the load test: the same companies as roles, types and policies; versions and scopes as environments.
import { BatchCheckRequest, BatchCheckResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { ApplyPoliciesRequest } from '../../../src/gen/securityhub/v1/policy.ts';
import type { Caller } from '../driver.ts';
import { EMPLOYEE, type Page, PAGES, pad, requireAnswers } from './leave.ts';

export const BATCH = '/securityhub.v1.SecurityHub/BatchCheck';
const VERSION = 'v2021';
const SCOPES = ['default', 'acme', 'acme.hr', 'acme.hr.uk'];

const document = (kind: string, name: string, spec: string): string =>
  `apiVersion: securityhub/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n${spec}`;

const OWNS = 'resource.owner_id == subject.id';
const MANAGES = 'resource.geography == context.geography && resource.geography == context.managed';
const LOCATION = 'resource.geography == (context.ip_address.startsWith("10.20.") ? "GB" : "")';

/** `when`: a named condition of the company, and one of its own. */
const rule = (name: string, actions: string, role: string, named = '', when = ''): string =>
  `    - { name: ${name}, effect: allow, actions: [${actions}], roles: [${role}]${named === '' ? '' : `, conditions: [${named}]`}${when === '' ? '' : `, condition: '${when}'`}, environments: ENVIRONMENTS }\n`;

const ADMIN = rule('chief', "'*'", 'chief');
const DEFER = rule('defer', 'defer', 'employee', '', '"hr" in context.audiences && "A" in context.flags');

const policies = (unit: string): readonly string[] => {
  const [owns, manages] = [`owns-${unit}`, `manages-${unit}`];
  const create = rule('create', 'create', 'employee', owns);
  const view = ['employee', 'manager']
    .map((role) => rule(`view-${role}`, 'view_public, view_private', role, role === 'employee' ? owns : manages))
    .join('');
  const open = rule('public', 'view_public', 'employee');
  const approve = rule('approve', 'approve', 'manager', manages, 'resource.status == "PENDING_APPROVAL"');
  const remove = rule('delete', 'delete', 'manager', manages, LOCATION);
  const resource = (name: string, rules: string, environments: readonly string[], type = 'leave_request'): string =>
    document(
      'ResourcePolicy',
      `${name}-${unit}`,
      `  resource: ${type}_${unit}\n  rules:\n${rules.replaceAll('ENVIRONMENTS', `[${environments.join(', ')}]`)}`,
    );
  return [
    document('ConditionSet', `alpha-${unit}`, `  resource: leave_request_${unit}\n  conditions: { ${owns}: '${OWNS}' }\n`),
    document('ConditionSet', `beta-${unit}`, `  resource: leave_request_${unit}\n  conditions: { ${manages}: '${MANAGES}' }\n`),
    document(
      'PrincipalPolicy',
      `dev-${unit}`,
      `  principals: ["user:dev_${unit}"]
  rules:
    - { name: dev, effect: allow, resource: leave_request_${unit}, actions: ['*'], condition: resource.dev_record }
    - { name: salaries, effect: deny, resource: salary_record_${unit}, actions: ['*'] }
`,
    ),
    resource('leave-2021', ADMIN + create + view + open + approve + remove + DEFER, [VERSION]),
    resource('leave', ADMIN, SCOPES),
    resource('leave-acme', create + open, SCOPES.slice(1)),
    resource('leave-acme-hr', view + remove + approve + DEFER, SCOPES.slice(2)),
    resource(
      'leave-acme-hr-uk',
      rule('delete-own', 'delete', 'employee', owns, LOCATION) +
        rule('delete', 'delete', 'manager', manages, LOCATION) +
        rule('defer-own', 'defer', 'employee', owns) +
        rule('defer', 'defer', 'manager', manages),
      SCOPES.slice(3),
    ),
    resource('employee', ADMIN, ['default'], 'employee_record'),
  ];
};

const ATTRIBUTES = JSON.stringify({ department: 'string', geography: 'string', team: 'string', status: 'string', dev_record: 'bool' });
const ACTIONS = ['view_public', 'view_private', 'create', 'approve', 'delete', 'defer', 'edit'];

/** What the policies speak of, straight into the tables, before the hub starts. */
export const seedLeave = (tenantId: string, units: number): readonly (readonly [string, readonly unknown[]])[] => [
  [
    `INSERT INTO resource_type (tenant_id, name, actions, attributes, created_at, updated_at)
     SELECT $1, kind || '_' || lpad(unit::text, 5, '0'), $3, $4, now(), now()
     FROM unnest(ARRAY['leave_request', 'salary_record', 'employee_record']) AS kind, generate_series(0, $2::int - 1) AS unit`,
    [tenantId, units, ACTIONS, ATTRIBUTES],
  ],
  [
    `INSERT INTO role (tenant_id, name, created_at, updated_at)
     SELECT $1, name, now(), now() FROM unnest(ARRAY['employee', 'manager', 'chief']) AS name`,
    [tenantId],
  ],
  [
    `INSERT INTO users (tenant_id, user_id, username, email, first_name, last_name, status, metadata)
     VALUES ($1, $2, 'john', 'john@example.com', '', '', 'active', '{}')`,
    [tenantId, EMPLOYEE],
  ],
  [
    `INSERT INTO role_assignment (tenant_id, subject_type, subject_id, role, assigned_by, created_at)
     VALUES ($1, 'user', $2, 'employee', 'user:bench', now())`,
    [tenantId, EMPLOYEE],
  ],
];

const FILES = 100;

/** Companies from `first` to before `end`. */
export const applyLeave = async (caller: Caller, token: string, first: number, end: number): Promise<void> => {
  for (let unit = first; unit < end; unit += FILES) {
    const units = Array.from({ length: Math.min(FILES, end - unit) }, (_, at) => pad(unit + at));
    const sources = units.map((name) => ({ name, content: policies(name).join('---\n') }));
    const request = ApplyPoliciesRequest.encode(ApplyPoliciesRequest.fromPartial({ sources, acknowledgeRisk: true })).finish();
    await caller.call('/securityhub.v1.AuthorizationService/ApplyPolicies', Buffer.from(request), token);
  }
};

export const requestOf = (unit: string, page: Page): Buffer => {
  const checks = page.asked.flatMap(({ kind, id, owner, department, team, geography, scope, actions }) =>
    actions.map((action) => ({
      action,
      environment: scope === '' ? VERSION : scope,
      resource: { type: `${kind}_${unit}`, id, ownerId: owner, attributes: { department, geography, team } },
    })),
  );
  const subject = { type: 'user', id: EMPLOYEE };
  const request = BatchCheckRequest.fromPartial({ principal: { $case: 'subject', value: subject }, context: page.principal, checks });
  return Buffer.from(BatchCheckRequest.encode(request).finish());
};

/** Both pages of one company, answered as they must be. */
export const verifyLeave = async (caller: Caller, token: string, unit: number): Promise<void> => {
  for (const [at, page] of PAGES.entries()) {
    const { results } = BatchCheckResponse.decode(await caller.call(BATCH, requestOf(pad(unit), page), token));
    requireAnswers(
      'the hub',
      at,
      results.map(({ allowed }) => allowed),
    );
  }
};
