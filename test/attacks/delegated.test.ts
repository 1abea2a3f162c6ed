// What somebody may do who acts for a user by an exchanged token: much, but nothing that outlasts the token. Through the whole hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

let database: FreshDatabase;
let hub: Hub;
/** Of the owner, without scopes. */
let delegated: string;

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri, CERT_ALLOW_GENERATED_KEYS: 'true' });
  const answer = await hub.ask('TokenService/ExchangeToken', { subjectToken: hub.bootstrap.access_token });
  delegated = (answer as { readonly tokens: { readonly accessToken: string } }).tokens.accessToken;
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const issuer = { name: 'own', issuer: 'https://idp.example', audiences: ['orders'], jwks: '{"keys":[]}' };

describe('who acts for a user', () => {
  it('does what the user may do', async () => {
    expect(await hub.outcome('UserService/ListUsers', {}, delegated)).toBe('OK');
  });

  it.each<[string, string, JsonObject]>([
    ['API key', 'ApiKeyService/CreateApiKey', { name: 'kept', permissions: ['users:read'] }],
    ['password', 'UserService/SetPassword', { userId: 'usr_other', newPassword: 'a very good new passphrase 1!' }],
    ['join token', 'CertificateService/CreateJoinToken', { namespace: 'default', service: 'kept' }],
    ['certificate', 'SecurityHub/IssueServiceCert', { namespace: 'default', service: 'kept', generateKey: {} }],
    ['workload', 'WorkloadService/PutWorkload', { workload: { namespace: 'default', name: 'kept' } }],
    ['issuer', 'TrustedIssuerService/PutTrustedIssuer', { issuer }],
  ])('makes no %s', async (_what, method, request) => {
    expect(await hub.outcome(method, request, delegated)).toBe('PERMISSION_DENIED/IN_PERSON_ONLY');
  });

  it.each<[string, string, JsonObject]>([
    ['role', 'AuthorizationService/AssignRole', { subject: { type: 'service', id: 'default/kept' }, role: 'owner' }],
    [
      'grant',
      'AuthorizationService/PutGrant',
      { subject: { type: 'service', id: 'default/kept' }, permission: 'users:read', effect: 'EFFECT_ALLOW' },
    ],
  ])('gives no %s away', async (_what, method, request) => {
    await hub.ask('WorkloadService/PutWorkload', { workload: { namespace: 'default', name: 'kept' } });
    expect(await hub.outcome(method, request, delegated)).toBe('PERMISSION_DENIED/ESCALATION');
  });
});
