// ValidateToken and CheckPermission on the built hub: what the one says of a permission that is required, the other says of the token.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { createWorld, object, PASSWORD, text, type World } from './access-callers.ts';

interface Case {
  readonly it: string;
  readonly user: string;
  readonly permission: string;
  readonly ip?: string;
  readonly want: string;
}

const given = parse(readFileSync(join(import.meta.dirname, '../cases/authorization/required-permissions.yaml'), 'utf8')) as {
  readonly types: readonly (JsonObject & { readonly name: string; readonly actions: readonly string[] })[];
  readonly roles: readonly JsonObject[];
  readonly users: readonly { readonly name: string; readonly roles: readonly string[]; readonly grants?: readonly JsonObject[] }[];
  readonly policies: string;
  readonly tests: readonly Case[];
};

const AUTHORIZATION = 'securityhub.v1.AuthorizationService';
const HUB = 'securityhub.v1.SecurityHub';

let world: World;
const tokens = new Map<string, string>();

const logIn = async (username: string): Promise<string> => {
  const { answer } = await world.as('')('securityhub.v1.AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD });
  return text(object(answer['tokens'])['accessToken']);
};

beforeAll(async () => {
  world = await createWorld();
  for (const resourceType of given.types) await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType });
  for (const role of given.roles) await world.make(`${AUTHORIZATION}/PutRole`, { role });
  for (const { name, roles, grants = [] } of given.users) {
    const { user } = await world.make('securityhub.v1.UserService/CreateUser', { username: name, password: PASSWORD, roles: [...roles] });
    const subject = { type: 'user', id: object(user)['id'] ?? '' };
    for (const grant of grants) await world.make(`${AUTHORIZATION}/PutGrant`, { subject, effect: 'EFFECT_ALLOW', ...grant });
    tokens.set(name, await logIn(name));
  }
  const sources = [{ name: 'policies.yaml', content: given.policies }];
  await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources, acknowledgeRisk: true });
}, 60_000);
afterAll(() => world.close());

const validate = async (user: string, permission: string, ip = ''): Promise<string> => {
  const request = { token: tokens.get(user) ?? '', requiredPermissions: [permission], context: { ipAddress: ip } };
  const answer = await world.make(`${HUB}/ValidateToken`, request);
  const codes = (answer['reasons'] as JsonObject[]).map((one) => text(one['code']));
  if (answer['verdict'] === 'VERDICT_STEP_UP_REQUIRED') {
    expect([codes, object(answer['stepUp'])['acrValues']]).toEqual([['MFA_REQUIRED'], ['aal2']]);
    return 'step-up';
  }
  return answer['valid'] === true ? 'valid' : codes.join();
};

const check = async (user: string, permission: string, ip = ''): Promise<string> => {
  const [type = '', action = ''] = permission.split(':');
  const request = { token: tokens.get(user) ?? '', action, resource: { type }, tokenContext: { ipAddress: ip } };
  const { effect } = await world.make(`${HUB}/CheckPermission`, request);
  return effect === 'EFFECT_ALLOW' ? 'valid' : effect === 'EFFECT_STEP_UP' ? 'step-up' : 'PERMISSION_MISSING';
};

describe('a required permission', () => {
  it.each(given.tests)('$it', async ({ user, permission, ip, want }) => {
    expect(await validate(user, permission, ip)).toBe(want);
  });

  it('is judged as a check of the token judges it, whosever it is and from wherever', async () => {
    const [told, checked]: [string[], string[]] = [[], []];
    for (const { name } of given.users)
      for (const { name: type, actions } of given.types)
        for (const action of actions)
          for (const ip of ['', '203.0.113.9']) {
            const permission = `${type}:${action}`;
            told.push(`${name} ${permission} ${ip} ${await validate(name, permission, ip)}`);
            checked.push(`${name} ${permission} ${ip} ${await check(name, permission, ip)}`);
          }
    expect(told).toEqual(checked);
    expect(new Set(told.map((line) => line.split(' ').at(-1)))).toEqual(new Set(['valid', 'step-up', 'PERMISSION_MISSING']));
  });

  it('is judged so of an API key, within its list', async () => {
    const { secret } = await world.make('securityhub.v1.ApiKeyService/CreateApiKey', {
      name: 'painter',
      permissions: ['rockets:paint', 'rockets:inspect'],
    });
    for (const permission of ['rockets:paint', 'rockets:inspect', 'rockets:fuel']) {
      tokens.set('key', text(secret));
      expect([permission, await validate('key', permission)]).toEqual([permission, await check('key', permission)]);
    }
  });
});
