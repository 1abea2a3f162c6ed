// Tokens of trusted issuers through the whole hub: accepted, mapped, decided, revoked, on real stores and real servers.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { selfSigned } from '../../wire/self-signed.ts';
import { DISCOVERY, type IssuerServer, issuerServer, JWKS, jwt, keyPair } from './issuer-server.ts';

let database: FreshDatabase;
let hub: Hub;
let keycloak: IssuerServer;

const put = (issuer: JsonObject) => hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { audiences: ['orders'], ...issuer } });
const validate = (token: string, over: JsonObject = {}) => hub.ask('SecurityHub/ValidateToken', { token, audience: 'orders', ...over });
const codes = (answer: JsonObject): unknown[] => (answer['reasons'] as JsonObject[]).map((reason) => reason['code']);
const check = (token: string, action: string) =>
  hub.ask('SecurityHub/CheckPermission', { token, action, resource: { type: 'conversations', id: 'c1' } });

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri });
  keycloak = await issuerServer();
  await put({
    name: 'keycloak',
    issuer: keycloak.url,
    mapping: { rolesClaim: '/realm_access/roles', roles: { staff: 'member', boss: 'manager' }, defaultRoles: ['viewer'] },
  });
});
afterAll(async () => {
  await hub.stop();
  await keycloak.stop();
  await database.close();
});

const realm = (...roles: string[]) => ({ realm_access: { roles }, azp: 'web', sid: 'kc-session', scope: 'openid profile email' });

describe('a token of a Keycloak realm', () => {
  it('is valid, with its claims, a subject of its own and the roles it maps to', async () => {
    const answer = await validate(keycloak.token(realm('staff', 'unheard-of')));
    expect(answer).toMatchObject({ valid: true, verdict: 'VERDICT_VALID', tokenType: 'TOKEN_TYPE_ACCESS', reasons: [], warnings: [] });
    expect(answer['claims']).toMatchObject({
      issuer: keycloak.url,
      subject: 'f-anna',
      audience: ['orders'],
      clientId: 'web',
      sessionId: 'kc-session',
      tenantId: 'dev',
      authMethod: 'sso',
    });
    expect(answer['subject']).toMatchObject({
      type: 'user',
      id: 'keycloak:f-anna',
      tenantId: 'dev',
      status: 'active',
      roles: ['member', 'viewer'],
    });
    expect((answer['subject'] as JsonObject)['permissions']).toContain('conversations:write');
  });

  it('carries a decision: what its roles allow, and nothing else', async () => {
    const token = keycloak.token(realm('staff'));
    expect(await check(token, 'write')).toMatchObject({ allowed: true });
    expect(await check(token, 'delete')).toMatchObject({ allowed: false, reasonCode: 'DENIED_DEFAULT' });
    expect(await check(keycloak.token(realm('boss')), 'delete')).toMatchObject({ allowed: true });
  });

  it('is explained and replayed with the roles it brought along', async () => {
    const { decisionId } = await check(keycloak.token({ ...realm('staff'), sub: 'f-dora' }), 'write');
    const rules = [{ name: 'none', effect: 'deny', actions: ['write'], roles: ['member'] }];
    const spec = { resource: 'conversations', rules };
    const content = JSON.stringify({ apiVersion: 'securityhub/v1', kind: 'ResourcePolicy', metadata: { name: 'none' }, spec });
    const replayed = await hub.ask('AuthorizationService/ReplayPolicies', { sources: [{ name: 'none.json', content }], samples: 100 });
    expect(replayed['samples']).toContainEqual(
      expect.objectContaining({
        decision: expect.objectContaining({ decisionId }),
        before: expect.objectContaining({ allowed: true }),
        after: expect.objectContaining({ allowed: false, reasonCode: 'DENIED_EXPLICIT' }),
      }),
    );
    expect(await hub.ask('AuthorizationService/ExplainDecision', { decisionId: decisionId ?? '' })).toMatchObject({
      today: { allowed: true },
    });
  });

  it('keeps live rights: a role assigned to its subject here counts with the next call', async () => {
    const token = keycloak.token({ ...realm(), sub: 'f-bert' });
    expect(codes(await validate(token, { requiredPermissions: ['conversations:write'] }))).toEqual(['PERMISSION_MISSING']);
    await hub.ask('AuthorizationService/AssignRole', { subject: { type: 'user', id: 'keycloak:f-bert' }, role: 'member' });
    expect(await validate(token, { requiredPermissions: ['conversations:write'] })).toMatchObject({ valid: true });
  });

  it('is capped by its scopes as soon as they are more than an identity', async () => {
    const token = keycloak.token({ ...realm('staff'), scope: 'openid conversations:read' });
    expect(codes(await validate(token, { requiredPermissions: ['conversations:write'] }))).toEqual(['PERMISSION_MISSING']);
    expect(await validate(token, { requiredPermissions: ['conversations:read'], requiredScopes: ['conversations:read'] })).toMatchObject({
      valid: true,
    });
  });

  it('is for its audience: another caller’s is refused, and its claims are hidden from whoever may not inspect', async () => {
    expect(codes(await validate(keycloak.token(), { audience: 'billing' }))).toEqual(['AUDIENCE_MISMATCH']);
    expect(codes(await validate(keycloak.token({ aud: ['account'] }), { audience: 'account' }))).toEqual(['AUDIENCE_MISMATCH']);
  });

  it('is refused when it has expired, and counts within grace', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    const token = keycloak.token({ iat: seconds - 600, exp: seconds - 10 });
    expect(codes(await validate(token))).toEqual(['TOKEN_EXPIRED']);
    expect(await validate(token, { grace: '30s' })).toMatchObject({ valid: true, warnings: [{ code: 'TOKEN_EXPIRED_IN_GRACE' }] });
  });
});

describe('a Kubernetes service account', () => {
  it('is the registered workload of its namespace, over https with the cluster’s own authority', async () => {
    const tls = selfSigned('cluster');
    const cluster = await issuerServer({ tls });
    cluster.keys = [keyPair('k8s', 'RS256')];
    await put({
      name: 'cluster',
      issuer: cluster.url,
      jwksUri: `${cluster.url}${JWKS}`,
      caCertificates: tls.ca,
      mapping: { subjectKind: 'workload' },
    });
    await hub.ask('WorkloadService/PutWorkload', {
      workload: { namespace: 'default', name: 'billing', permissions: ['conversations:read'], calls: ['ValidateToken'] },
    });
    const sub = 'system:serviceaccount:default:billing';
    const account = { namespace: 'default', serviceaccount: { name: 'billing', uid: 'u1' } };
    const token = cluster.token({ sub, aud: ['orders'], 'kubernetes.io': account }, undefined, { typ: undefined });
    const answer = await validate(token, { requiredPermissions: ['conversations:read'] });
    expect(answer).toMatchObject({ valid: true, subject: { type: 'service', id: 'default/billing', permissions: ['conversations:read'] } });
    expect(cluster.asked.get(DISCOVERY)).toBeUndefined();
    const abroad = cluster.token({ sub: 'system:serviceaccount:elsewhere:billing' });
    expect(codes(await validate(abroad))).toEqual(['CLAIM_INVALID']);
    await cluster.stop();
  });
});

describe('a JWT-SVID', () => {
  it('is accepted from its trust domain’s keys, without iss, and from no other trust domain', async () => {
    const key = keyPair('svid', 'ES256', { use: 'jwt-svid', alg: undefined });
    const bundle = { keys: [key.jwk, { ...keyPair('x509').jwk, use: 'x509-svid' }] };
    await put({
      name: 'spire',
      issuer: 'spiffe://prod.example',
      jwks: JSON.stringify(bundle),
      mapping: { subjectKind: 'foreign_service' },
    });
    const seconds = Math.floor(Date.now() / 1000);
    const svid = (sub: string) => jwt(key, { sub, aud: ['orders'], iat: seconds, exp: seconds + 300 });
    const sub = 'spiffe://prod.example/ns/shop/sa/cart';
    expect(await validate(svid(sub))).toMatchObject({ valid: true, subject: { type: 'service', id: `spire:${sub}` } });
    expect(codes(await validate(svid('spiffe://other.example/ns/shop/sa/cart')))).toEqual(['TOKEN_TYPE_WRONG']);
  });
});

describe('the keys of an issuer', () => {
  it('are fetched once however many tokens arrive at once', async () => {
    const fresh = await issuerServer();
    await put({ name: 'busy', issuer: fresh.url });
    const answers = await Promise.all(Array.from({ length: 50 }, () => validate(fresh.token())));
    expect(answers.every((answer) => answer['valid'] === true)).toBe(true);
    expect([fresh.asked.get(DISCOVERY), fresh.asked.get(JWKS)]).toEqual([1, 1]);
    const listed = await hub.ask('TrustedIssuerService/ListTrustedIssuers', {});
    const entry = (listed['issuers'] as JsonObject[]).find((issuer) => issuer['name'] === 'busy');
    expect(entry).toMatchObject({ keys: { kids: ['first'], problem: '' } });
    await fresh.stop();
  });
});

describe('a registration', () => {
  it('that is deleted takes its tokens with it at once', async () => {
    const gone = await issuerServer();
    await put({ name: 'gone', issuer: gone.url });
    const token = gone.token();
    expect(await validate(token)).toMatchObject({ valid: true });
    await hub.ask('TrustedIssuerService/DeleteTrustedIssuer', { name: 'gone' });
    await waitFor(async () => (await validate(token))['valid'] === false, 2000, 'the refusal');
    await expect(hub.ask('TrustedIssuerService/DeleteTrustedIssuer', { name: 'gone' })).rejects.toMatchObject({
      reason: 'ISSUER_NOT_FOUND',
    });
    await gone.stop();
  });
});
