// Built-in roles permission by permission, scopes of roles, and policies of resources and environments: the data-file cases on the built hub.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { withoutVersion } from '../../src/authorization/policy/run-suite.ts';
import { createWorld, object, PASSWORD, text, type World } from './access-callers.ts';

const load = <T>(name: string): T => parse(readFileSync(join(import.meta.dirname, '../cases/authorization', name), 'utf8')) as T;

interface Scoped {
  readonly it: string;
  readonly user: string;
  readonly action: string;
  readonly type: string;
  readonly id?: string;
  readonly attributes?: JsonObject;
  readonly for?: readonly [workload: string, environment: string];
  readonly want: string;
  readonly rules?: readonly string[];
}

const builtIn = load<{ readonly permissions: readonly string[]; readonly roles: Readonly<Record<string, readonly string[]>> }>(
  'built-in-roles.yaml',
);
const scoped = load<{
  readonly types: readonly JsonObject[];
  readonly roles: readonly JsonObject[];
  readonly users: readonly { readonly name: string; readonly roles: readonly string[] }[];
  readonly policies: string;
  readonly tests: readonly Scoped[];
}>('scopes-and-policies.yaml');

const AUTHORIZATION = 'securityhub.v1.AuthorizationService';
const HUB = 'securityhub.v1.SecurityHub';

let world: World;
const ids = new Map<string, string>();
const tokens = new Map<string, string>();

const newUser = async (username: string, roles: readonly string[]): Promise<void> => {
  const { user } = await world.make('securityhub.v1.UserService/CreateUser', { username, password: PASSWORD, roles: [...roles] });
  ids.set(username, text(object(user)['id']));
};

beforeAll(async () => {
  world = await createWorld();
  for (const role of Object.keys(builtIn.roles)) {
    await newUser(`the-${role}`, [role]);
    const login = { tenantId: 'dev', username: `the-${role}`, password: PASSWORD };
    const { answer } = await world.as('')('securityhub.v1.AuthenticationService/Login', login);
    tokens.set(role, text(object(answer['tokens'])['accessToken']));
  }
}, 60_000);
afterAll(() => world.close());

const split = (permission: string): readonly [string, string] => permission.split(':') as unknown as readonly [string, string];

describe.each(Object.entries(builtIn.roles))('the built-in role %s', (role, allowed) => {
  const about = () => ({ subject: { id: ids.get(`the-${role}`) ?? '' } });

  it.each(builtIn.permissions.map((permission) => [allowed.includes(permission) ? 'may' : 'may not', permission] as const))(
    '%s %s',
    async (may, permission) => {
      const [type, action] = split(permission);
      const answer = await world.make(`${HUB}/CheckPermission`, { ...about(), action, resource: { type } });
      expect(answer).toMatchObject(
        may === 'may'
          ? { allowed: true, reasonCode: 'ALLOWED', appliedPolicies: [`role:${role}`] }
          : { allowed: false, reasonCode: 'DENIED_DEFAULT', appliedPolicies: [] },
      );
    },
  );

  it('is told the same in a batch', async () => {
    const checks = builtIn.permissions.map((permission) => {
      const [type, action] = split(permission);
      return { id: permission, action, resource: { type } };
    });
    const { results } = await world.make(`${HUB}/BatchCheck`, { ...about(), checks });
    const yes = (results as JsonObject[]).filter((one) => one['allowed'] === true).map((one) => one['id']);
    expect(yes).toEqual(builtIn.permissions.filter((permission) => allowed.includes(permission)));
  });

  it('makes tokens valid for what it gives, and for nothing else', async () => {
    const token = tokens.get(role) ?? '';
    for (const permission of builtIn.permissions) {
      const answer = await world.make(`${HUB}/ValidateToken`, { token, requiredPermissions: [permission] });
      expect([permission, answer['valid']]).toEqual([permission, allowed.includes(permission)]);
    }
  });
});

it('holds no built-in role that the table leaves out', async () => {
  const { roles } = await world.make(`${AUTHORIZATION}/ListRoles`, { pageSize: 1000 });
  const known = (roles as JsonObject[]).filter((one) => one['builtIn'] === true).map((one) => one['name']);
  // What runs the installation gives nothing in a tenant.
  expect(new Set(known.filter((name) => name !== 'operator'))).toEqual(new Set(Object.keys(builtIn.roles)));
});

describe('scopes and policies', () => {
  beforeAll(async () => {
    for (const resourceType of scoped.types) await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType });
    for (const role of scoped.roles) await world.make(`${AUTHORIZATION}/PutRole`, { role });
    for (const { name, roles } of scoped.users) await newUser(name, roles);
    await world.make(`${AUTHORIZATION}/ApplyPolicies`, {
      sources: [{ name: 'policies.yaml', content: scoped.policies }],
      acknowledgeRisk: true,
    });
  }, 60_000);

  it.each(scoped.tests)('$it', async ({ user, action, type, id = '', attributes = {}, for: place = ['', ''], want, rules }) => {
    const [workload, environment] = place;
    const answer = await world.make(`${HUB}/CheckPermission`, {
      subject: { id: ids.get(user) ?? '' },
      action,
      resource: { type, id, attributes },
      workload,
      environment,
    });
    expect([answer['reasonCode'], answer['allowed']]).toEqual([want, want === 'ALLOWED']);
    if (rules !== undefined) expect((answer['appliedPolicies'] as string[]).map(withoutVersion)).toEqual(rules);
  });
});
