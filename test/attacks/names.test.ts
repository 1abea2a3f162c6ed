// Names that every object has by nature, and values nested deeper than anybody reads: kept, refused or ignored, never believed and never a crash.
import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from '@jest/globals';
import { hubOfFile } from '../config/app.ts';
import { outcome } from '../harness.ts';
import { jwt, keyPair } from '../rpc/issuers/issuer-server.ts';

const own = hubOfFile();
const PASSWORD = 'quite a Long passw0rd!';

const NATURAL = ['constructor', 'prototype', 'valueof', 'tostring', 'hasownproperty'];
const EXACT = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', '__lookupSetter__'];

describe('a name that every object has by nature', () => {
  it.each(EXACT)('is no role, type, action, permission or scope that nobody made: %s', async (name) => {
    const ask = (request: JsonObject) =>
      own.hub.ask('SecurityHub/CheckPermission', { subject: { type: 'user', id: 'usr_nobody' }, ...request });
    expect(await outcome(ask({ action: 'read', resource: { type: name } }))).toMatch(
      /^(NOT_FOUND\/RESOURCE_TYPE_UNKNOWN|INVALID_ARGUMENT\/REQUEST_INVALID)$/,
    );
    const { user } = await own.hub.ask('UserService/CreateUser', { username: `none-${name.toLowerCase()}`, password: PASSWORD });
    const subject = { type: 'user', id: (user as { readonly id: string }).id };
    expect(await outcome(own.hub.ask('AuthorizationService/AssignRole', { subject, role: name }))).toMatch(
      /^(NOT_FOUND\/ROLE_NOT_FOUND|INVALID_ARGUMENT\/REQUEST_INVALID)$/,
    );
    const scopes = own.hub.ask('SecurityHub/ValidateToken', {
      token: own.hub.bootstrap.api_key,
      requiredScopes: [name],
      requiredPermissions: [],
    });
    expect(await scopes).toMatchObject({ valid: false, reasons: [{ code: 'SCOPE_MISSING' }] });
  });

  it.each(NATURAL)('is a role, a resource type, an action and an attribute like any other: %s', async (name) => {
    await own.hub.ask('AuthorizationService/PutResourceType', {
      resourceType: { name, actions: [name], attributes: { [name]: 'string' } },
    });
    await own.hub.ask('AuthorizationService/PutRole', { role: { name, permissions: [`${name}:${name}`] } });
    const { user } = await own.hub.ask('UserService/CreateUser', { username: name, password: PASSWORD, roles: [name] });
    const { user: other } = await own.hub.ask('UserService/CreateUser', { username: `not-${name}`, password: PASSWORD, roles: ['viewer'] });
    const check = async (who: unknown, attributes: JsonObject = {}) => {
      const { id = '' } = who as { readonly id?: string };
      const { allowed, reasonCode } = await own.hub.ask('SecurityHub/CheckPermission', {
        subject: { type: 'user', id },
        action: name,
        resource: { type: name, id: name, attributes },
      });
      return [allowed, reasonCode];
    };
    expect(await check(user)).toEqual([true, 'ALLOWED']);
    expect(await check(other)).toEqual([false, 'DENIED_DEFAULT']);
  });

  it.each(EXACT)('comes back from metadata, limits and counts as it was given: %s', async (name) => {
    const metadata = { [name]: name };
    const username = `with-${name.toLowerCase()}`;
    const { user } = await own.hub.ask('UserService/CreateUser', { username, password: PASSWORD, roles: ['viewer'], metadata });
    const { id: userId, metadata: kept } = user as { readonly id: string; readonly metadata: JsonObject };
    expect(Object.entries(kept)).toEqual([[name, name]]);
    await own.hub.ask('UserService/UpdateUser', { userId, constraints: { custom: metadata } });
    const device = { deviceType: name, deviceId: name };
    const { tokens } = await own.hub.ask('AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD, device }, '');
    const { accessToken } = tokens as { readonly accessToken: string };
    const { claims } = await own.hub.ask('SecurityHub/ValidateToken', { token: accessToken });
    expect(Object.entries((claims as { readonly custom: JsonObject }).custom)).toEqual([[name, name]]);
    const { byDeviceType } = await own.hub.ask('TokenService/GetSessionStatistics', {});
    expect(Object.entries(byDeviceType as JsonObject)).toContainEqual([name, '1']);
  });

  it.each([...EXACT, '__proto__'])('in the claims of a trusted issuer maps to nothing: %s', async (name) => {
    const key = keyPair('k');
    const issuer = `https://${name.toLowerCase().replaceAll('_', '')}.example`;
    const registered = {
      name: `idp-${name.toLowerCase().replaceAll('_', '')}`,
      issuer,
      audiences: ['orders'],
      jwks: JSON.stringify({ keys: [key.jwk] }),
      mapping: { rolesClaim: '/realm/roles', roles: { boss: 'owner' } },
    };
    expect(await outcome(own.hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: registered }))).toBe('OK');
    const now = Math.floor(Date.now() / 1000);
    const token = (realm: string) =>
      jwt(key, `{"iss":"${issuer}","sub":"x","aud":"orders","iat":${now},"exp":${now + 300},"realm":${realm}}`);
    for (const realm of [`{"roles":["${name}"]}`, `{"${name}":{"roles":["boss"]}}`, `{"__proto__":{"roles":["boss"]}}`, `"${name}"`]) {
      const answer = await own.hub.ask('SecurityHub/ValidateToken', { token: token(realm), audience: 'orders' });
      const roles = (answer['subject'] as { readonly roles?: readonly string[] } | undefined)?.roles ?? [];
      expect([realm, roles]).toEqual([realm, []]);
    }
  });
});

describe('a value nested deeper than anybody reads', () => {
  const delimited = (number: number, bytes: Uint8Array): Buffer => {
    const length: number[] = [];
    let left = bytes.length;
    for (; left > 127; left >>>= 7) length.push((left & 127) | 128);
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, left]), bytes]);
  };
  /** `{ a: { a: … } }` as google.protobuf.Struct, written by hand: no library would. */
  const nested = (depth: number): Buffer => {
    let struct: Buffer = Buffer.alloc(0);
    for (let at = 0; at < depth; at += 1)
      struct = delimited(1, Buffer.concat([delimited(1, Buffer.from('a')), delimited(2, delimited(5, struct))]));
    return struct;
  };

  it.each<[string, string, JsonObject, readonly number[]]>([
    ['of a question', 'SecurityHub/CheckPermission', { action: 'read', resource: { type: 'users' } }, [8]],
    ['of a resource', 'SecurityHub/CheckPermission', { action: 'read' }, [5, 6]],
    ['of a user', 'UserService/CreateUser', { username: 'deep', password: PASSWORD }, [8]],
    ['of a key', 'ApiKeyService/CreateApiKey', { name: 'deep', permissions: ['users:read'] }, [8]],
    ['of a tenant', 'TenantService/UpdateTenant', { tenantId: 'dev' }, [4, 6]],
  ])('is the mistake of whoever sends it: %s', async (_what, method, request, path) => {
    for (const depth of [20, 150, 3000]) {
      const more = path.reduceRight<Buffer>((bytes, number) => delimited(number, bytes), nested(depth));
      expect([depth, await outcome(own.hub.raw(method, request, more))]).toEqual([depth, expect.stringMatching(/^INVALID_ARGUMENT\//)]);
    }
  });
});
