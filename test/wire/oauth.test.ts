// What other software reads of us over HTTP: keys, discovery, introspection and revocation, asked of a whole hub on real sockets.
import type { webcrypto } from 'node:crypto';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { allowInsecureRequests, ClientSecretBasic, discovery, tokenIntrospection, tokenRevocation } from 'openid-client';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { jwt, keyPair } from '../rpc/issuers/issuer-server.ts';
import { freePort } from '../stores.ts';
import { ask } from './http-toy.ts';

let database: FreshDatabase;
let hub: Hub;
let port: number;
let issuer: string;

beforeAll(async () => {
  database = await freshDatabase();
  port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  hub = await openHub({ POSTGRES_URI: database.uri, HTTP_PORT: String(port), JWT_ISSUER: issuer });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

interface Pair {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly sessionId: string;
}
const login = async (): Promise<Pair> => {
  const { tenant_id: tenantId, username, password } = hub.bootstrap;
  return (await hub.ask('AuthenticationService/Login', { tenantId, username, password }, ''))['tokens'] as unknown as Pair;
};
const bearer = () => ({ authorization: `Bearer ${hub.bootstrap.access_token}` });
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});

const form = async (path: string, parameters: Record<string, string> | string, headers: Record<string, string> = bearer()) => {
  const body = typeof parameters === 'string' ? parameters : new URLSearchParams(parameters).toString();
  const answer = await ask(port, path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body), ...headers },
    body,
  });
  return { ...answer, json: answer.text === '' ? {} : (JSON.parse(answer.text) as JsonObject) };
};
const introspect = (token: string, headers?: Record<string, string>) => form('/oauth2/introspect', { token }, headers);
const revoke = (token: string, headers?: Record<string, string>) => form('/oauth2/revoke', { token }, headers);

describe('the keys', () => {
  it('verify our tokens in another JOSE library', async () => {
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
    const { accessToken } = await login();
    const { payload, protectedHeader } = await jwtVerify(accessToken, keys, {
      issuer,
      audience: 'security-hub',
      typ: 'at+jwt',
      algorithms: ['ES256'],
    });
    expect(protectedHeader.kid).toBe((await hub.ask('TokenService/GetJwks', {}, ''))['keys']?.[0 as never]?.['kid' as never]);
    expect(payload['tenant_id']).toBe('dev');
    await expect(jwtVerify(`${accessToken.slice(0, -4)}AAAA`, keys)).rejects.toThrow('signature');
  });

  it('are found by an OpenID Connect verifier through discovery, and verify with WebCrypto alone', async () => {
    const document = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;
    expect(document['issuer']).toBe(issuer);
    expect(document['id_token_signing_alg_values_supported']).toEqual(['ES256']);
    expect(document['dpop_signing_alg_values_supported']).toEqual(['ES256', 'EdDSA', 'PS256', 'RS256']);
    const { keys } = (await (await fetch(String(document['jwks_uri']))).json()) as { keys: (webcrypto.JsonWebKey & { kid: string })[] };
    const [header = '', payload = '', signature = ''] = (await login()).accessToken.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const jwk = keys.find((key) => key.kid === kid) as webcrypto.JsonWebKey;
    const curve = { name: 'ECDSA', namedCurve: 'P-256' };
    const key = await crypto.subtle.importKey('jwk', jwk, curve, false, ['verify']);
    const bytes = Buffer.from(`${header}.${payload}`);
    const verify = (over: Uint8Array<ArrayBuffer>) => crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, over, bytes);
    expect(await verify(Uint8Array.from(Buffer.from(signature, 'base64url')))).toBe(true);
    expect(await verify(new Uint8Array(64).fill(1))).toBe(false);
  });

  it.each(['oauth2', 'oidc'] as const)('are found where %s clients look for the document of an issuer', async (algorithm) => {
    const config = await discovery(new URL(issuer), 'orders', undefined, ClientSecretBasic(hub.bootstrap.api_key), {
      algorithm,
      execute: [allowInsecureRequests],
    });
    expect(config.serverMetadata()).toMatchObject({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json` });
  });

  it('serve a certified OpenID Connect client: it discovers us, introspects a token and revokes it', async () => {
    const config = await discovery(new URL(issuer), 'orders', undefined, ClientSecretBasic(hub.bootstrap.api_key), {
      execute: [allowInsecureRequests],
    });
    expect(config.serverMetadata().jwks_uri).toBe(`${issuer}/.well-known/jwks.json`);
    const { accessToken, sessionId } = await login();
    expect(await tokenIntrospection(config, accessToken)).toMatchObject({ active: true, sid: sessionId, iss: issuer });
    await tokenRevocation(config, accessToken);
    expect(await tokenIntrospection(config, accessToken)).toEqual({ active: false });
  });

  it('say how long they may be kept, and are not sent again to whoever has them', async () => {
    const first = await ask(port, '/.well-known/jwks.json');
    const { etag = '', 'cache-control': kept } = first.headers;
    expect(kept).toBe('public, max-age=300');
    const again = await ask(port, '/.well-known/jwks.json', { headers: { 'if-none-match': `"other", W/${etag}` } });
    expect([again.status, again.text, again.headers.etag, again.headers['content-length']]).toEqual([304, '', etag, undefined]);
    expect((await ask(port, '/.well-known/jwks.json', { headers: { 'if-none-match': '"other"' } })).text).toBe(first.text);
  });

  it('come with a discovery document in which every address answers', async () => {
    const document = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, string>;
    for (const name of ['introspection_endpoint', 'revocation_endpoint']) {
      const answer = await fetch(document[name] ?? '', { method: 'POST', body: new URLSearchParams({ token: 'x' }) });
      expect([name, answer.status]).toEqual([name, 401]);
    }
    expect(Object.keys(document).filter((name) => name.endsWith('_endpoint'))).toEqual(['introspection_endpoint', 'revocation_endpoint']);
  });
});

describe('introspection (RFC 7662)', () => {
  it('says what a living token says, under the names of the RFC', async () => {
    const { accessToken, sessionId } = await login();
    const { status, json, headers } = await introspect(accessToken);
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, 'application/json', 'no-store']);
    expect(json).toMatchObject({
      active: true,
      iss: issuer,
      aud: 'security-hub',
      token_type: 'Bearer',
      tenant_id: 'dev',
      sid: sessionId,
      subject_type: 'user',
      acr: 'aal1',
    });
    expect(Number(json['exp'])).toBeGreaterThan(Number(json['iat']));
  });

  it('takes an API key as the client secret', async () => {
    const { accessToken } = await login();
    expect((await introspect(accessToken, basic('any id', hub.bootstrap.api_key))).json).toMatchObject({ active: true });
    const wrong = await introspect(accessToken, basic('any id', 'a password'));
    expect([wrong.status, wrong.json['error'], wrong.headers['www-authenticate']]).toEqual([
      401,
      'invalid_client',
      'Basic realm="security-hub"',
    ]);
  });

  it('of a token that is bound to a key says so, for the resource server to compare', async () => {
    const key = keyPair('idp');
    const jwks = JSON.stringify({ keys: [key.jwk] });
    const trusted = { name: 'idp', issuer: 'https://idp.example', jwks, audiences: ['orders'] };
    await hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: trusted });
    const at = Math.floor(Date.now() / 1000);
    const claims = { iss: trusted.issuer, sub: 'anna', aud: 'orders', iat: at, exp: at + 60, cnf: { jkt: 'thumbprint' } };
    expect((await introspect(jwt(key, claims))).json).toMatchObject({
      active: true,
      sub: 'anna',
      token_type: 'DPoP',
      cnf: { jkt: 'thumbprint' },
    });
    expect((await introspect(jwt(key, { ...claims, exp: at - 1, iat: at - 60 }))).json).toEqual({ active: false });
  });

  it('of a token that counts at one address is told where it was shown, by whoever is believed', async () => {
    await hub.ask('TenantService/UpdateTenant', { sessionPolicy: { bindAddressFrom: 'low' } });
    const { tenant_id: tenantId, username, password, api_key: edge } = hub.bootstrap;
    const asked = { tenantId, username, password, context: { ipAddress: '192.0.2.7' } };
    const { accessToken } = (await hub.ask('AuthenticationService/Login', asked, edge))['tokens'] as unknown as Pair;
    const plain = { tenantId: 'dev', username: 'petra', password: 'quite a Long passw0rd!' };
    await hub.ask('UserService/CreateUser', { ...plain, roles: ['viewer'] });
    await hub.ask('TenantService/UpdateTenant', { sessionPolicy: {} });
    const petra = (await hub.ask('AuthenticationService/Login', plain, ''))['tokens'] as unknown as Pair;
    const active = async (parameters: Record<string, string>, credential = edge) =>
      (await form('/oauth2/introspect', { token: accessToken, ...parameters }, { authorization: `Bearer ${credential}` })).json['active'];
    expect(await active({})).toBe(false);
    expect(await active({ ip_address: '192.0.2.7' })).toBe(true);
    expect(await active({ ip_address: '192.0.2.8' })).toBe(false);
    expect(await active({ ip_address: '192.0.2.7' }, petra.accessToken)).toBe(false);
  });

  it('of an API key says whose it is', async () => {
    expect((await introspect(hub.bootstrap.api_key)).json).toMatchObject({ active: true, tenant_id: 'dev', subject_type: 'api_key' });
  });

  it.each<[string, () => Promise<string> | string]>([
    ['rubbish', () => 'rubbish'],
    ['a refresh token', async () => (await login()).refreshToken],
    ['a token with a broken signature', async () => `${(await login()).accessToken.slice(0, -6)}AAAAAA`],
    [
      'a revoked token',
      async () => {
        const { accessToken } = await login();
        await revoke(accessToken);
        return accessToken;
      },
    ],
  ])('of %s is active: false and nothing else', async (_, token) => {
    const { status, json } = await introspect(await token());
    expect([status, json]).toEqual([200, { active: false }]);
  });

  it('tells a foreign tenant’s caller nothing about a token', async () => {
    await hub.ask('TenantService/CreateTenant', { id: 'acme' });
    const olaf = { tenantId: 'acme', username: 'olaf', password: 'quite a Long passw0rd!' };
    await hub.ask('UserService/CreateUser', { ...olaf, roles: ['viewer'] });
    const pair = (await hub.ask('AuthenticationService/Login', olaf, ''))['tokens'] as unknown as Pair;
    const { json } = await introspect((await login()).accessToken, { authorization: `Bearer ${pair.accessToken}` });
    expect(json).toEqual({ active: false });
  });
});

describe('revocation (RFC 7009)', () => {
  it('ends an access token with its session', async () => {
    const { accessToken, refreshToken } = await login();
    expect(await revoke(accessToken)).toMatchObject({ status: 200, text: '' });
    expect((await introspect(accessToken)).json).toEqual({ active: false });
    await expect(hub.ask('TokenService/RefreshToken', { refreshToken }, '')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('ends a refresh token with its family, and by whoever shows it', async () => {
    const { accessToken, refreshToken } = await login();
    expect((await revoke(refreshToken, {})).status).toBe(200);
    expect((await introspect(accessToken)).json).toEqual({ active: false });
    const other = await login();
    expect((await revoke(other.refreshToken)).status).toBe(200);
    await expect(hub.ask('TokenService/RefreshToken', { refreshToken: other.refreshToken }, '')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it.each([
    ['rubbish', 'rubbish'],
    ['a refresh token that is none', 'shr_nothing'],
    ['a token with a foreign signature', 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImEifQ.e30.AAAA'],
  ])('of %s is 200: there is nothing left to revoke', async (_, token) => {
    expect((await revoke(token)).status).toBe(200);
    if (token.startsWith('shr_')) expect((await revoke(token, {})).status).toBe(200);
  });

  it('of an API key is refused: nobody is to believe that it is gone', async () => {
    const { status, json } = await revoke(hub.bootstrap.api_key);
    expect([status, json['error']]).toEqual([400, 'unsupported_token_type']);
    expect((await introspect(hub.bootstrap.api_key)).json).toMatchObject({ active: true });
  });
});

describe('what both refuse', () => {
  const endpoints = ['/oauth2/introspect', '/oauth2/revoke'];
  it.each(endpoints)('%s without a credential: 401 invalid_client', async (path) => {
    const { status, json, headers } = await form(path, { token: (await login()).accessToken }, {});
    expect([status, json['error'], headers['www-authenticate']]).toEqual([401, 'invalid_client', 'Bearer']);
  });

  it.each(
    endpoints.flatMap((path): [string, string, Record<string, string> | string, Record<string, string>][] => [
      [path, 'no token', {}, {}],
      [path, 'an empty token', { token: '' }, {}],
      [path, 'a token twice', 'token=a&token=b', {}],
      [path, 'JSON', '{"token":"a"}', { 'content-type': 'application/json' }],
      [path, 'bytes that are no UTF-8 text', 'token=%ff', {}],
    ]),
  )('%s with %s: 400 invalid_request', async (path, _, body, headers) => {
    const { status, json } = await form(path, body, { ...bearer(), ...headers });
    expect([status, json['error'], typeof json['error_description']]).toEqual([400, 'invalid_request', 'string']);
  });

  it.each(endpoints)('%s by GET, or from a page that rebound its name', async (path) => {
    expect((await ask(port, path)).status).toBe(405);
    expect((await form(path, { token: 'a' }, { ...bearer(), host: 'evil.example' })).status).toBe(403);
  });
});
