// The data-file cases of policies over the wire: applied to the built hub, asked like anything else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withoutVersion } from '../../src/authorization/policy/run-suite.ts';
import { readSource } from '../../src/authorization/policy/source.yaml.ts';
import { type PolicyTest, readSuite } from '../../src/authorization/policy/suite.ts';
import { createWorld, object, text, type World } from './access-callers.ts';

const folder = join(import.meta.dirname, '../cases/authorization/policies');
const [document] = readSource(readFileSync(join(folder, 'platform.test.yaml'), 'utf8'));
if (document === undefined || 'message' in document) throw new Error('no suite');
const { suite } = readSuite(document.node, 0);
if (suite === null) throw new Error('no suite');

const AUTHORIZATION = 'securityhub.v1.AuthorizationService';
/** The hub's clock is its own, and a subject that is named has shown no second factor. */
const anytime = ({ question, situation, sources }: PolicyTest): boolean =>
  !['create', 'approve'].includes(question.action) &&
  !situation.mfaVerified &&
  sources.groups.length === 0 &&
  sources.rows.clearance === null;
const cases = suite.tests.filter(anytime);

let world: World;
const ids = new Map<string, string>();

beforeAll(async () => {
  world = await createWorld();
  for (const { name, actions, ownerActions, attributes } of suite.types)
    await world.make(`${AUTHORIZATION}/PutResourceType`, {
      resourceType: { name, actions: [...actions], ownerActions: [...ownerActions], attributes },
    });
  for (const { name, permissions } of suite.roles)
    await world.make(`${AUTHORIZATION}/PutRole`, { role: { name, permissions: [...permissions] } });
  for (const { sources } of cases) {
    const { subject, assignments, grants } = sources.rows;
    if (ids.has(subject.id)) continue;
    const id = await world.newUser(subject.id);
    ids.set(subject.id, id);
    const ref = { type: 'user', id };
    for (const { role } of assignments) if (role !== 'owner') await world.make(`${AUTHORIZATION}/AssignRole`, { subject: ref, role });
    for (const { permission, effect } of grants)
      await world.make(`${AUTHORIZATION}/PutGrant`, {
        subject: ref,
        permission,
        effect: effect === 'deny' ? 'EFFECT_DENY' : 'EFFECT_ALLOW',
      });
  }
  const content = readFileSync(join(folder, 'platform.yaml'), 'utf8');
  await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources: [{ name: 'platform.yaml', content }], acknowledgeRisk: true });
});
afterAll(() => world.close());

describe('policies over the wire', () => {
  for (const test of cases.filter(({ sources }) => sources.rows.assignments.every(({ role }) => role !== 'owner')))
    it(`${test.name} (${test.asked})`, async () => {
      const { question, situation, sources } = test;
      const answer = await world.make('securityhub.v1.SecurityHub/CheckPermission', {
        subject: { id: ids.get(sources.rows.subject.id) ?? '' },
        action: question.action,
        resource: { type: question.type, id: question.resourceId, attributes: situation.resource as JsonObject },
        environment: situation.environment,
        context: situation.context as JsonObject,
      });
      const effect = text(answer['effect']);
      const word = effect === 'EFFECT_ALLOW' ? 'allow' : effect === 'EFFECT_STEP_UP' ? 'step_up' : 'deny';
      expect(/^[a-z]/.test(test.want) ? word : answer['reasonCode']).toBe(test.want);
      const rules = (answer['appliedPolicies'] as string[]).map(withoutVersion);
      if (test.rules !== null) expect(rules).toEqual(expect.arrayContaining([...test.rules]));
    });

  it('are told again by the id of the decision', async () => {
    const check = { subject: { id: ids.get('usr_olga') ?? '' }, action: 'read', resource: { type: 'deployments' } };
    const { decisionId } = await world.make('securityhub.v1.SecurityHub/CheckPermission', check);
    const explained = await world.make(`${AUTHORIZATION}/ExplainDecision`, { decisionId: decisionId ?? '' });
    expect(object(object(explained['decision'])['outcome'])['reasonCode']).toBe('DENIED_CONDITION');
  });
});
