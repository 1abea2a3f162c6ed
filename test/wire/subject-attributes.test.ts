// What a token says of its subject is there for conditions; of a subject that is only named it is unknown.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, text, type World } from './access-callers.ts';

const CHECK = 'securityhub.v1.SecurityHub/CheckPermission';
const AUTHORIZATION = 'securityhub.v1.AuthorizationService';
const resource = { type: 'letters', id: 'l1' };
const POLICY = `
apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: letters }
spec:
  resource: letters
  rules:
    - { name: calm, effect: allow, actions: [read], condition: 'subject.auth_method == "password" && subject.risk_score < 0.5' }
    - { name: alarmed, effect: allow, actions: [burn], condition: subject.risk_score >= 0.5 }
    - { name: keyed, effect: allow, actions: [sign], condition: 'subject.auth_method == "webauthn"' }
`;

let world: World;
let token: string;
beforeAll(async () => {
  world = await createWorld();
  await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType: { name: 'letters', actions: ['read', 'burn', 'sign'] } });
  await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources: [{ name: 'letters.yaml', content: POLICY }], acknowledgeRisk: true });
  token = text((await world.newSession())['accessToken']);
}, 60_000);
afterAll(() => world.close());

describe('subject.auth_method and subject.risk_score', () => {
  it.each([
    ['read', 'ALLOWED', true],
    ['burn', 'DENIED_CONDITION', false],
    ['sign', 'DENIED_CONDITION', false],
  ])('of a token’s subject are what the token says: %s is %s', async (action, reasonCode, allowed) => {
    const { allowed: found, reasonCode: why } = await world.make(CHECK, { token, action, resource });
    expect([found, allowed ? 'ALLOWED' : why]).toEqual([allowed, reasonCode]);
    // Whoever asks for himself shows his token to the hub.
    const own = await world.as(token)(CHECK, { action, resource });
    expect([own.code, own.answer['allowed'], allowed ? 'ALLOWED' : own.answer['reasonCode']]).toEqual(['OK', allowed, reasonCode]);
  });

  it('of a subject that is only named are missing, which allows nothing and is named', async () => {
    const answer = await world.make(CHECK, { subject: { id: world.userId }, action: 'read', resource });
    expect(answer).toMatchObject({ allowed: false, reasonCode: 'DENIED_CONDITION_ERROR', missingAttributes: ['subject.auth_method'] });
  });
});
