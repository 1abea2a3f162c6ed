// Walls and rights around trusted issuers: whose registrations count for whom, and what nobody may give to an issuer.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ValidateTokenRequest, ValidateTokenResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { tcpProxy, through } from '../../storage/tcp-proxy.ts';
import { type IssuerServer, issuerServer } from './issuer-server.ts';

const PASSWORD = 'quite a Long passw0rd!';
let database: FreshDatabase;
let hub: Hub;
let shared: IssuerServer;
let olga: string;

const user = async (tenantId: string, username: string, roles: string[]): Promise<string> => {
  await hub.ask('UserService/CreateUser', { tenantId, username, password: PASSWORD, roles });
  const answer = await hub.ask('AuthenticationService/Login', { tenantId, username, password: PASSWORD }, '');
  return (answer['tokens'] as { accessToken: string }).accessToken;
};
const put = (issuer: JsonObject, credential?: string) =>
  hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { issuer: shared.url, audiences: ['orders'], ...issuer } }, credential);
const validate = (token: string, credential?: string) => hub.ask('SecurityHub/ValidateToken', { token, audience: 'orders' }, credential);
const codes = (answer: JsonObject): unknown[] => (answer['reasons'] as JsonObject[]).map((reason) => reason['code']);

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri });
  shared = await issuerServer();
  await hub.ask('TenantService/CreateTenant', { id: 'acme', namespaces: ['acme-ns'] });
  olga = await user('acme', 'olga', ['owner']);
});
afterAll(async () => {
  await Promise.all([hub.stop(), shared.stop()]);
  await database.close();
});

describe('between tenants', () => {
  it('a registration counts for its own tenant alone, and speaks of it alone', async () => {
    const token = shared.token();
    await put({ name: 'shared' });
    expect(await validate(token)).toMatchObject({ valid: true, subject: { tenantId: 'dev', id: 'shared:f-anna' } });
    expect((await validate(token, olga))['valid']).toBe(false);
    await put({ name: 'theirs' }, olga);
    expect(await validate(token, olga)).toMatchObject({ valid: true, subject: { tenantId: 'acme', id: 'theirs:f-anna' } });
    expect(await validate(token)).toMatchObject({ valid: true, subject: { tenantId: 'dev' } });
  });

  it('nobody registers, lists or deletes for another one without rights over the installation', async () => {
    await expect(put({ tenantId: 'dev', name: 'intruder' }, olga)).rejects.toMatchObject({ reason: 'TENANT_FORBIDDEN' });
    await expect(hub.ask('TrustedIssuerService/ListTrustedIssuers', { tenantId: 'dev' }, olga)).rejects.toMatchObject({
      reason: 'TENANT_FORBIDDEN',
    });
    const { issuers } = await hub.ask('TrustedIssuerService/ListTrustedIssuers', {}, olga);
    expect((issuers as JsonObject[]).map(({ name, tenantId }) => [name, tenantId])).toEqual([['theirs', 'acme']]);
  });

  it('a required claim tells them apart at one issuer, and two registrations of one tenant from one another', async () => {
    await put({ name: 'people', mapping: { requiredClaims: { kind: 'person' }, defaultRoles: ['viewer'] }, audiences: ['apart'] });
    await put({ name: 'robots', mapping: { requiredClaims: { kind: 'robot' }, subjectKind: 'foreign_service' }, audiences: ['apart'] });
    const asked = (kind: string) =>
      hub.ask('SecurityHub/ValidateToken', { token: shared.token({ kind, aud: 'apart' }), audience: 'apart' });
    expect(await asked('person')).toMatchObject({ valid: true, subject: { id: 'people:f-anna', type: 'user', roles: ['viewer'] } });
    expect(await asked('robot')).toMatchObject({ valid: true, subject: { id: 'robots:f-anna', type: 'service', roles: [] } });
    expect((await asked('ghost'))['valid']).toBe(false);
  });

  it('lists go on where a page ended', async () => {
    const first = await hub.ask('TrustedIssuerService/ListTrustedIssuers', { pageSize: 2 });
    const second = await hub.ask('TrustedIssuerService/ListTrustedIssuers', { pageSize: 2, pageToken: first['nextPageToken'] ?? '' });
    const names = [first, second].flatMap(({ issuers }) => (issuers as JsonObject[]).map(({ name }) => name));
    expect([names, second['nextPageToken']]).toEqual([['people', 'robots', 'shared'], '']);
    await expect(
      hub.ask('TrustedIssuerService/ListTrustedIssuers', { pageToken: first['nextPageToken'] ?? '' }, olga),
    ).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });
});

describe('nobody gives an issuer', () => {
  it('roles beyond his own, or roles that are none', async () => {
    const admin = await user('dev', 'adam', ['admin']);
    const mapping = { rolesClaim: 'groups', roles: { bosses: 'owner' } };
    await expect(put({ name: 'bosses', mapping }, admin)).rejects.toMatchObject({ code: 'PERMISSION_DENIED', reason: 'ESCALATION' });
    await expect(put({ name: 'bosses', mapping: { defaultRoles: ['no-such-role'] } }, admin)).rejects.toMatchObject({
      reason: 'ROLE_NOT_FOUND',
    });
    expect(await put({ name: 'staff', mapping: { rolesClaim: 'groups', roles: { staff: 'viewer' } } }, admin)).toMatchObject({
      issuer: { name: 'staff' },
    });
  });

  it('the word of users or workloads without holding everything himself', async () => {
    const admin = await user('dev', 'eve', ['admin']);
    for (const subjectKind of ['user', 'workload'])
      await expect(put({ name: 'spoof', mapping: { subjectKind } }, admin)).rejects.toMatchObject({ reason: 'PERMISSION_MISSING' });
  });

  it('a workload of a namespace that belongs to another tenant', async () => {
    await put({ name: 'cluster', audiences: ['pods'], mapping: { subjectKind: 'workload' } });
    const asked = (sub: string) => hub.ask('SecurityHub/ValidateToken', { token: shared.token({ sub, aud: 'pods' }), audience: 'pods' });
    expect(await asked('system:serviceaccount:default:web')).toMatchObject({
      valid: true,
      subject: { id: 'default/web', permissions: [] },
    });
    expect(codes(await asked('system:serviceaccount:acme-ns:web'))).toContain('CLAIM_INVALID');
  });
});

describe('a token that speaks for a user of the tenant', () => {
  it('has that user’s live rights and status, not more', async () => {
    const { user: made } = (await hub.ask('UserService/CreateUser', { username: 'linked', roles: ['member'] })) as { user: { id: string } };
    await put({ name: 'links', audiences: ['links'], mapping: { subjectKind: 'user', subjectClaim: 'hub_user' } });
    const token = shared.token({ aud: 'links', hub_user: made.id });
    const ask = () => hub.ask('SecurityHub/ValidateToken', { token, audience: 'links' });
    expect(await ask()).toMatchObject({ valid: true, subject: { id: made.id, roles: ['member'] }, claims: { subject: 'f-anna' } });
    await hub.ask('UserService/SuspendUser', { userId: made.id });
    expect(codes(await ask())).toEqual(['SUBJECT_SUSPENDED']);
  });

  it('who does not exist is refused', async () => {
    const token = shared.token({ aud: 'links', hub_user: 'usr_nobody' });
    expect(codes(await hub.ask('SecurityHub/ValidateToken', { token, audience: 'links' }))).toEqual(['SUBJECT_SUSPENDED']);
  });
});

describe('a verified token of a trusted issuer', () => {
  it('is answered at once: no query, no fetch, no promise, as long as nothing changed', async () => {
    const bytes = ValidateTokenRequest.encode(ValidateTokenRequest.fromPartial({ token: shared.token(), audience: 'orders' })).finish();
    const ask = () =>
      hub.app.invoker.invoke('/securityhub.v1.SecurityHub/ValidateToken', bytes, {
        peer: { transport: 'tcp', address: '127.0.0.1', loopback: true, certificate: null },
        deadline: Number.POSITIVE_INFINITY,
        header: (name) => (name === 'authorization' ? `Bearer ${hub.bootstrap.access_token}` : ''),
        onCancel: () => {},
      });
    expect(ValidateTokenResponse.decode(await ask()).valid).toBe(true);
    const again = ask();
    expect(again).toBeInstanceOf(Buffer);
    expect(ValidateTokenResponse.decode(again as Buffer).valid).toBe(true);
  });

  it('gives no verdict while the database that knows its revocations is away, unless it was seen before', async () => {
    const { hostname, port } = new URL(database.uri);
    const wire = await tcpProxy(hostname, Number(port));
    const apart = await openHub({ POSTGRES_URI: through(wire, database.uri) });
    const ask = (token: string) => apart.ask('SecurityHub/ValidateToken', { token, audience: 'orders' });
    // Issued so long ago that a watermark may have come after it, each in a second that nobody has asked about.
    let age = 100;
    const late = () => shared.token({ iat: Math.floor(Date.now() / 1000) - (age += 10) });
    try {
      const seen = late();
      expect(await ask(seen)).toMatchObject({ valid: true });
      wire.cut();
      await expect(ask(late())).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' });
      expect(await ask(seen)).toMatchObject({ valid: true });
    } finally {
      wire.mend();
      await apart.stop();
      await wire.close();
    }
  });
});
