// `explain` on the built hub: what a newcomer is told of a denial, as data-file cases.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { createWorld, object, text, type World } from './access-callers.ts';

interface Case {
  readonly it: string;
  readonly ask: JsonObject;
  readonly want: string;
  readonly tells: readonly { readonly rule: string; readonly holds: readonly string[] }[];
}

const given = parse(readFileSync(join(import.meta.dirname, '../cases/authorization/explanations.yaml'), 'utf8')) as {
  readonly type: JsonObject;
  readonly roles: readonly (JsonObject & { readonly name: string })[];
  readonly grants: readonly JsonObject[];
  readonly policy: string;
  readonly tests: readonly Case[];
};

const AUTHORIZATION = 'securityhub.v1.AuthorizationService';

let world: World;
let id: string;

beforeAll(async () => {
  world = await createWorld();
  id = await world.newUser('explained');
  const subject = { type: 'user', id };
  await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType: given.type });
  for (const role of given.roles) {
    await world.make(`${AUTHORIZATION}/PutRole`, { role });
    await world.make(`${AUTHORIZATION}/AssignRole`, { subject, role: role.name });
  }
  for (const grant of given.grants) await world.make(`${AUTHORIZATION}/PutGrant`, { subject, effect: 'EFFECT_ALLOW', ...grant });
  const sources = [{ name: 'bills.yaml', content: given.policy }];
  await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources, acknowledgeRisk: true });
}, 60_000);
afterAll(() => world.close());

describe('explain', () => {
  it.each(given.tests)('$it', async ({ ask, want, tells }) => {
    const resource = { type: 'bills', id: 'b1', ...(ask['resource'] === undefined ? {} : object(ask['resource'])) };
    const answer = await world.make('securityhub.v1.SecurityHub/CheckPermission', { subject: { id }, explain: true, ...ask, resource });
    expect([answer['reasonCode'], answer['allowed']]).toEqual([want, false]);
    const steps = (object(answer['trace'])['steps'] as JsonObject[]).map((step) => [text(step['rule']), text(step['detail'])] as const);
    for (const { rule, holds } of tells) {
      const fitting = steps.filter(([name]) => (rule === '' ? name === '' : name.includes(rule))).map(([, detail]) => detail);
      const found = fitting.find((detail) => holds.every((words) => detail.includes(words)));
      expect({ rule, holds, found: found !== undefined, among: found === undefined ? fitting : [] }).toEqual({
        rule,
        holds,
        found: true,
        among: [],
      });
    }
  });
});
