// A second factor that policies ask for, on the built hub: from each layer, in every call that decides, with a token that proves one and
// with one that does not.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signingKey, signTokens } from '../bench/sign-tokens.ts';
import { createWorld, object, text, type World } from './access-callers.ts';

const HUB = 'securityhub.v1.SecurityHub';
const AUTHORIZATION = 'securityhub.v1.AuthorizationService';
const resource = { type: 'letters', id: 'l1' };
const asked = { action: 'read', resource };

let world: World;
let plain: string;
let proven: string;

beforeAll(async () => {
  const key = signingKey();
  world = await createWorld({ JWT_PRIVATE_KEY_PATH: key });
  await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType: { name: 'letters', actions: ['read', 'burn'] } });
  await world.make(`${AUTHORIZATION}/PutRole`, { role: { name: 'reader', permissions: ['letters:*'] } });
  await world.make(`${AUTHORIZATION}/AssignRole`, { subject: { type: 'user', id: world.userId }, role: 'reader' });
  plain = text((await world.newSession())['accessToken']);
  const [signed] = signTokens(key, plain, 1, { mfa: true, acr: 'aal2', amr: ['pwd', 'mfa'], auth_method: 'mfa' });
  proven = (signed as Buffer).toString();
}, 60_000);
afterAll(() => world.close());

const policy = (resourceType: string): string => `
apiVersion: securityhub/v1
kind: SecurityPolicy
metadata: { name: factor }
spec: { resource: ${resourceType}, actions: [read], requireMfa: true }
`;

/** Where it is applied, what it is about, and how its layer is named. */
const LAYERS = [
  ['installation', 'letters', true],
  ['tenant', '"*"', false],
  ['resource_type', 'letters', false],
] as const;

describe.each(LAYERS)('a second factor that the layer %s asks for', (layer, about, installation) => {
  const rule = expect.stringMatching(new RegExp(`^policy:${layer}/factor@\\d+/requirements$`));

  beforeAll(async () => {
    const sources = [{ name: 'factor.yaml', content: policy(about) }];
    await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources, installation });
  });
  afterAll(() => world.make(`${AUTHORIZATION}/ApplyPolicies`, { deleteNames: ['factor'], installation, acknowledgeRisk: true }));

  it('is missing in a check, which names the layer, and allows with it', async () => {
    const refused = await world.make(`${HUB}/CheckPermission`, { token: plain, ...asked });
    expect(refused).toMatchObject({ allowed: false, effect: 'EFFECT_STEP_UP', reasonCode: 'MFA_REQUIRED', appliedPolicies: [rule] });
    expect(object(refused['stepUp'])['acrValues']).toEqual(['aal2']);
    expect(await world.make(`${HUB}/CheckPermission`, { token: proven, ...asked })).toMatchObject({
      allowed: true,
      effect: 'EFFECT_ALLOW',
    });
  });

  it('is missing where a subject is only named, whatever is said of it', async () => {
    const subject = { id: world.userId, mfaVerified: true };
    expect(await world.make(`${HUB}/CheckPermission`, { subject, ...asked })).toMatchObject({ reasonCode: 'MFA_REQUIRED' });
  });

  it('is asked of whoever asks for himself', async () => {
    const outcomes = await Promise.all([plain, proven].map((token) => world.as(token)(`${HUB}/CheckPermission`, asked)));
    expect(outcomes.map(({ answer }) => [answer['allowed'] ?? false, answer['reasonCode']])).toEqual([
      [false, 'MFA_REQUIRED'],
      [true, 'ALLOWED'],
    ]);
  });

  it('counts in a batch, for what it is about and nothing else', async () => {
    const checks = [
      { id: 'read', ...asked },
      { id: 'burn', action: 'burn', resource },
    ];
    const codes = async (token: string) =>
      ((await world.make(`${HUB}/BatchCheck`, { token, checks }))['results'] as JsonObject[]).map(({ reasonCode }) => reasonCode);
    expect([await codes(plain), await codes(proven)]).toEqual([
      ['MFA_REQUIRED', 'ALLOWED'],
      ['ALLOWED', 'ALLOWED'],
    ]);
  });

  it('counts for rows', async () => {
    const rows = (token: string) => world.make(`${AUTHORIZATION}/EnforceDataAccess`, { token, resourceType: 'letters', action: 'read' });
    expect(await rows(plain)).toMatchObject({ allowed: false, reasonCode: 'MFA_REQUIRED', appliedPolicies: [rule] });
    expect(await rows(proven)).toMatchObject({ allowed: true });
  });

  it('counts where a token must have permissions', async () => {
    const validate = (token: string) =>
      world.make(`${HUB}/ValidateToken`, { token, audience: 'security-hub', requiredPermissions: ['letters:read'] });
    const refused = await validate(plain);
    expect([refused['valid'] ?? false, (refused['reasons'] as JsonObject[]).map(({ code }) => code)]).toEqual([false, ['MFA_REQUIRED']]);
    expect(await validate(proven)).toMatchObject({ valid: true });
  });
});

describe('all layers together', () => {
  it('name the outermost that is not met', async () => {
    for (const [layer, about, installation] of LAYERS.toReversed()) {
      const content = policy(about).replace('name: factor', `name: factor-${layer.replace('_', '-')}`);
      await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources: [{ name: 'factor.yaml', content }], installation });
      const { appliedPolicies } = await world.make(`${HUB}/CheckPermission`, { token: plain, ...asked });
      expect(text((appliedPolicies as string[])[0])).toContain(`policy:${layer}/`);
    }
    expect(await world.make(`${HUB}/CheckPermission`, { token: proven, ...asked })).toMatchObject({ allowed: true });
  });
});
