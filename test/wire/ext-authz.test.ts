// Envoy's ext_authz over the wire on the built hub, asked by a client made from Envoy's proto alone, with the certificate of a gateway.
import { join } from 'node:path';
import { Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { type FreshDatabase, freshDatabase, waitFor } from '../harness.ts';
import { type DpopKey, dpopKey } from '../dpop-key.ts';
import { LoginResponse } from '../../src/gen/securityhub/v1/authentication.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { type Environment, hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { freePort } from '../stores.ts';
import { object, PASSWORD, text } from './access-callers.ts';
import { type JsonClient, openJsonClient, requestBytes } from './json-client.ts';

const V1 = 'securityhub.v1';
const UPSTREAM = 'spiffe://company.internal/ns/default/sa/orders';
const SUBJECT = 'x-securityhub-subject';

interface Header {
  readonly header: { readonly key: string; readonly value: string };
  readonly appendAction: string;
}
interface Response {
  readonly status: { readonly code?: number };
  readonly okResponse?: { readonly headers: readonly Header[]; readonly headersToRemove: readonly string[] };
  readonly deniedResponse?: { readonly status: { readonly code: string }; readonly headers: readonly Header[]; readonly body: string };
  readonly dynamicMetadata: { readonly fields: Readonly<Record<string, { readonly stringValue?: string; readonly boolValue?: boolean }>> };
}
interface Gateway {
  Check(
    request: object,
    metadata: Metadata,
    options: { readonly deadline: number },
    done: (error: ServiceError | null, answer: Response) => void,
  ): void;
  close(): void;
}

/** Knows nothing but the proto. */
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [join(import.meta.dirname, '../../third_party/proto')],
  enums: String,
});
const { envoy } = loadPackageDefinition(definition) as unknown as {
  readonly envoy: { service: { auth: { v3: { Authorization: new (...given: unknown[]) => Gateway } } } };
};
const TARGET = { 'grpc.ssl_target_name_override': 'localhost' };

let database: FreshDatabase;
let hub: HubProcess;
let roots: Buffer;
let admin: JsonClient;
let gateway: Gateway;
let stranger: Gateway;
let token: string;
let probe: number;
const open: Gateway[] = [];
let env: Environment;

const make = (rpc: string, request: JsonObject): Promise<JsonObject> => admin.ask(`${V1}.${rpc}`, request, hub.bootstrap().access_token);
const login = async (username: string): Promise<string> =>
  text(object((await make('AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD }))['tokens'])['accessToken']);
const LOGIN = `${V1}.AuthenticationService/Login`;
const loginBound = async (key: DpopKey): Promise<string> => {
  const metadata = new Metadata();
  metadata.set('dpop', await key.proof(`https://${hub.grpc}/${LOGIN}`));
  const client = new Client(hub.grpc, credentials.createSsl(roots), TARGET);
  const raw = (bytes: Buffer): Buffer => bytes;
  const request = requestBytes(LOGIN, { tenantId: 'dev', username: 'ann', password: PASSWORD });
  const bytes = await new Promise<Buffer>((resolve, reject) =>
    client.makeUnaryRequest(`/${LOGIN}`, raw, raw, request, metadata, (error, answer) =>
      error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
    ),
  );
  client.close();
  return LoginResponse.decode(bytes).tokens?.accessToken ?? '';
};
const gatewayOf = async (name: string, over: JsonObject): Promise<Gateway> => {
  await make('WorkloadService/PutWorkload', { workload: { namespace: 'default', name, ...over } });
  const issued = await make('SecurityHub/IssueServiceCert', { namespace: 'default', service: name, generateKey: {} });
  const pair = [Buffer.from(text(issued['privateKeyPem'])), Buffer.from(text(issued['certificatePem']))];
  const made = new envoy.service.auth.v3.Authorization(hub.grpc, credentials.createSsl(roots, ...pair), TARGET);
  open.push(made);
  return made;
};

beforeAll(async () => {
  database = await freshDatabase();
  probe = await freePort();
  // The proofs' memory in the process: nothing to wait for.
  const stores = { POSTGRES_URI: database.uri, PROBE_PORT: String(probe) };
  env = { ...hubHome().env, ...stores, TLS: 'on' };
  hub = await startHub(env);
  const anybody = openJsonClient(hub.grpc, credentials.createSsl(null, null, null, { rejectUnauthorized: false }));
  roots = Buffer.from(text((await anybody.ask(`${V1}.CertificateService/GetTrustBundle`, {}))['trustBundlePem']));
  anybody.close();
  admin = openJsonClient(hub.grpc, credentials.createSsl(roots));
  await make('AuthorizationService/PutResourceType', { resourceType: { name: 'orders', actions: ['read', 'write', 'delete', 'refund'] } });
  await make('AuthorizationService/PutRole', { role: { name: 'clerk', permissions: ['orders:read'] } });
  await make('UserService/CreateUser', { username: 'ann', password: PASSWORD, roles: ['clerk'] });
  const entry = { audiences: ['security-hub'], resourceTypes: ['orders', 'ghosts'] };
  gateway = await gatewayOf('edge', { ...entry, calls: ['Check'] });
  stranger = await gatewayOf('no-edge', { ...entry, calls: ['ValidateToken'] });
  token = await login('ann');
});
afterAll(async () => {
  for (const one of open) one.close();
  admin.close();
  await hub.stop();
  await database.close();
});

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly says?: Readonly<Record<string, string>>;
  readonly http?: object;
  /** Of a connection, not of a request. */
  readonly empty?: boolean;
}

const requestOf = ({
  method = 'GET',
  path = '/orders/42',
  headers = { authorization: `Bearer ${token}` },
  says = {},
  http = {},
}: Asked) => ({
  attributes: {
    source: { address: { socketAddress: { address: '203.0.113.7' } } },
    destination: { principal: UPSTREAM },
    request: { http: { id: 'req-1', method, path, host: 'shop.example', scheme: 'https', headers, ...http } },
    contextExtensions: says,
  },
});

const call = (asked: Asked, by = gateway, metadata = new Metadata()): Promise<Response> =>
  new Promise((resolve, reject) => {
    by.Check(asked.empty === true ? { attributes: {} } : requestOf(asked), metadata, { deadline: Date.now() + 10_000 }, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  });

const valueOf = (headers: readonly Header[], name: string): string => headers.find(({ header }) => header.key === name)?.header.value ?? '';

/** `200`, or the status and reason of the refusal. */
const said = ({ okResponse, deniedResponse }: Response): string =>
  okResponse === undefined ? `${deniedResponse?.status.code} ${valueOf(deniedResponse?.headers ?? [], 'x-securityhub-reason')}` : '200';
const failure = async (asked: Asked, by?: Gateway, metadata?: Metadata): Promise<string> => {
  const error = await call(asked, by, metadata).catch((thrown: unknown) => thrown as ServiceError);
  if (!('details' in error)) throw new Error(`answered ${said(error)}`);
  const { code, reason } = faultOf(error);
  return `${code} ${reason}`;
};

const keys = async () => createLocalJWKSet((await make('TokenService/GetJwks', {})) as unknown as JSONWebKeySet);

describe('ext_authz in enforce mode', () => {
  it('lets through what the token may do, and says who calls in a header that we signed', async () => {
    const answer = await call({});
    expect([said(answer), answer.status.code ?? 0]).toEqual(['200', 0]);
    const { headers = [] } = answer.okResponse ?? {};
    expect(headers.map(({ appendAction }) => appendAction)).toEqual(['OVERWRITE_IF_EXISTS_OR_ADD']);
    const { payload } = await jwtVerify(valueOf(headers, SUBJECT), await keys(), { typ: 'subject+jwt', audience: UPSTREAM });
    expect(payload).toMatchObject({ subject_type: 'user', tenant_id: 'dev', roles: ['clerk'], mfa: false });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(60);
    expect(answer.dynamicMetadata.fields['decision_id']?.stringValue).not.toBe('');
  });

  it('signs a word that is no access token', async () => {
    const statement = valueOf((await call({})).okResponse?.headers ?? [], SUBJECT);
    expect(said(await call({ headers: { authorization: `Bearer ${statement}` } }))).toBe('Unauthorized TOKEN_TYPE_WRONG');
  });

  it('names the upstream of the route before the one of the connection', async () => {
    const answer = await call({ says: { upstream: 'billing' } });
    const { payload } = await jwtVerify(valueOf(answer.okResponse?.headers ?? [], SUBJECT), await keys());
    expect(payload.aud).toBe('billing');
  });

  it('takes away what the client put into our headers, under any spelling', async () => {
    const spoofed = {
      authorization: `Bearer ${token}`,
      [SUBJECT]: 'forged',
      'x-securityhub-shadow': 'ALLOWED',
      x_securityhub_subject: 'forged',
    };
    const { headers = [], headersToRemove = [] } = (await call({ headers: spoofed })).okResponse ?? {};
    expect(valueOf(headers, SUBJECT)).toMatch(/^ey/);
    expect(headersToRemove.toSorted()).toEqual(['x-securityhub-reason', 'x-securityhub-shadow', 'x_securityhub_subject']);
  });

  it('refuses what the token may not do, with the reason and nothing of ours to be taken for a pass', async () => {
    const answer = await call({ method: 'DELETE' });
    expect([said(answer), answer.status.code ?? 0, answer.okResponse]).toEqual(['Forbidden DENIED_DEFAULT', 7, undefined]);
    expect(JSON.parse(answer.deniedResponse?.body ?? '')).toMatchObject({ reason: 'DENIED_DEFAULT' });
    expect(valueOf(answer.deniedResponse?.headers ?? [], SUBJECT)).toBe('');
  });

  it('asks for a credential where none is shown, as RFC 6750 says', async () => {
    const answer = await call({ headers: {} });
    expect([said(answer), answer.status.code ?? 0]).toEqual(['Unauthorized CREDENTIALS_MISSING', 16]);
    expect(valueOf(answer.deniedResponse?.headers ?? [], 'www-authenticate')).toBe('Bearer');
  });

  it.each([
    ['another scheme', 'Basic YTpi', 'CREDENTIALS_MALFORMED'],
    ['two credentials in one header', 'Bearer a,Bearer b', 'CREDENTIALS_MALFORMED'],
    ['what is no token', 'Bearer nonsense', 'TOKEN_MALFORMED'],
  ])('refuses %s', async (_, authorization, reason) => {
    const answer = await call({ headers: { authorization } });
    expect(said(answer)).toBe(`Unauthorized ${reason}`);
    expect(valueOf(answer.deniedResponse?.headers ?? [], 'www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('refuses a revoked token, warm as it may be', async () => {
    const gone = await login('ann');
    const asked = { headers: { authorization: `Bearer ${gone}` } };
    expect(said(await call(asked))).toBe('200');
    await make('TokenService/RevokeToken', { token: gone });
    expect(said(await call(asked))).toBe('Unauthorized TOKEN_REVOKED');
  });

  it('counts a request once, and says 429 where the session is used more often than its tenant allows', async () => {
    const often = { authorization: `Bearer ${await login('ann')}` };
    await make('TenantService/UpdateTenant', { sessionPolicy: { requestsPerMinute: 3, onExcess: 'block' } });
    const answers: string[] = [];
    for (let n = 0; n < 4; n += 1) answers.push(said(await call({ headers: often })));
    await make('TenantService/UpdateTenant', { sessionPolicy: {} });
    expect(answers).toEqual(['200', '200', '200', 'TooManyRequests RATE_LIMITED']);
  });

  it('takes a token that is bound to a DPoP key with the scheme and a proof, and no other under that scheme', async () => {
    const key = await dpopKey();
    const url = 'https://shop.example/orders/42';
    const bound = await loginBound(key);
    const show = async (scheme: string, shown: string): Promise<readonly string[]> => {
      const dpop = await key.proof(url, shown, { htm: 'GET' });
      const answer = await call({ headers: { authorization: `${scheme} ${shown}`, dpop } });
      return [said(answer), valueOf(answer.deniedResponse?.headers ?? [], 'www-authenticate')];
    };
    expect(await show('DPoP', bound)).toEqual(['200', '']);
    expect(await show('Bearer', bound)).toEqual(['Unauthorized BINDING_MISSING', 'DPoP error="invalid_token"']);
    expect(await show('DPoP', token)).toEqual(['Unauthorized BINDING_MISMATCH', 'Bearer error="invalid_token"']);
    const denied = await call({ headers: { authorization: `DPoP ${bound}`, dpop: await key.proof(url, bound) } });
    expect([said(denied), valueOf(denied.deniedResponse?.headers ?? [], 'www-authenticate')]).toEqual([
      'Unauthorized DPOP_METHOD_MISMATCH',
      'DPoP error="invalid_dpop_proof"',
    ]);
  });

  it('takes an API key as well', async () => {
    const { secret } = await make('ApiKeyService/CreateApiKey', { name: 'reader', permissions: ['orders:read'] });
    const headers = { authorization: `Bearer ${text(secret)}` };
    expect([said(await call({ headers })), said(await call({ headers, method: 'POST' }))]).toEqual(['200', 'Forbidden PERMISSION_MISSING']);
  });

  it('reads headers that come as a list', async () => {
    const list = [{ key: 'authorization', rawValue: Buffer.from(`Bearer ${token}`) }];
    const answer = await call({
      headers: {},
      http: { headerMap: { headers: [...list, { key: 'X_SecurityHub_Subject', rawValue: Buffer.from('x') }] } },
    });
    expect([said(answer), answer.okResponse?.headersToRemove]).toEqual(['200', expect.arrayContaining(['x_securityhub_subject'])]);
  });

  it.each<[string, Asked, string]>([
    ['a type that nobody declared', { path: '/ghosts/1' }, 'Forbidden RESOURCE_TYPE_UNKNOWN'],
    ['a path with dots', { path: '/public/../orders/42' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path with encoded dots', { path: '/orders/%2e%2e' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path with an encoded slash', { path: '/orders%2f42' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path with an empty segment', { path: '/orders//42' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path with parameters', { path: '/orders;a=1/42' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path encoded twice', { path: '/orders/%2542' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a path in bad encoding', { path: '/orders/%ff' }, 'Forbidden ROUTE_UNMAPPED'],
    ['no path', { path: '*', method: 'OPTIONS' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a method that means nothing', { method: 'BREW' }, 'Forbidden ROUTE_UNMAPPED'],
    ['a place beyond the path', { says: { resource_type: '{4}' } }, 'Forbidden ROUTE_UNMAPPED'],
    ['a resource whose id says nothing else', { path: '/orders/42?x=../../1#y' }, '200'],
    ['a path that ends in a slash', { path: '/orders/' }, '200'],
    ['the places that a route names', { path: '/v1/orders/42', says: { resource_type: '{2}', resource_id: '{3}' } }, '200'],
    ['an action that a route names', { method: 'POST', says: { action: 'read' } }, '200'],
    ['another action that a route names', { says: { action: 'refund' } }, 'Forbidden DENIED_DEFAULT'],
    [
      'a resource that a route names, whatever the path',
      { path: '/..//x', says: { resource_type: 'orders', resource_id: '42', action: 'read' } },
      '200',
    ],
  ])('maps %s', async (_, asked, wanted) => {
    expect(said(await call(asked))).toBe(wanted);
  });

  it('checks the very resource that the path names: a deny on one order holds', async () => {
    const { user } = await make('UserService/CreateUser', { username: 'bo', password: PASSWORD, roles: ['clerk'] });
    const grant = {
      subject: { type: 'user', id: object(user)['id'] ?? '' },
      permission: 'orders:read',
      effect: 'EFFECT_DENY',
      resourceId: '43',
    };
    await make('AuthorizationService/PutGrant', grant);
    const headers = { authorization: `Bearer ${await login('bo')}` };
    const paths = ['/orders/42', '/orders/43', '/orders/%34%33'];
    const outcomes = await Promise.all(paths.map(async (path) => said(await call({ path, headers }))));
    expect(outcomes).toEqual(['200', 'Forbidden DENIED_EXPLICIT', 'Forbidden DENIED_EXPLICIT']);
  });

  it('tells the gateway its own mistakes as errors, which Envoy refuses by', async () => {
    expect(await failure({ says: { mode: 'maybe' } })).toBe('INVALID_ARGUMENT REQUEST_INVALID');
    expect(await failure({ says: { action: 'Not An Action' } })).toBe('INVALID_ARGUMENT REQUEST_INVALID');
    expect(await failure({ says: { audience: 'somebody-else' } })).toBe('PERMISSION_DENIED AUDIENCE_FORBIDDEN');
    expect(await failure({ empty: true })).toBe('INVALID_ARGUMENT REQUEST_INVALID');
  });

  it('answers gateways only', async () => {
    expect(await failure({}, stranger)).toBe('PERMISSION_DENIED CALL_NOT_ALLOWED');
    const nobody = new envoy.service.auth.v3.Authorization(hub.grpc, credentials.createSsl(roots), TARGET);
    open.push(nobody);
    expect(await failure({}, nobody)).toBe('UNAUTHENTICATED CREDENTIALS_MISSING');
    const herself = new Metadata();
    herself.set('authorization', `Bearer ${token}`);
    expect(await failure({}, nobody, herself)).toBe('PERMISSION_DENIED PERMISSION_MISSING');
    const { secret } = await make('ApiKeyService/CreateApiKey', { name: 'edge', permissions: ['authz:check'] });
    const keyed = new Metadata();
    keyed.set('authorization', `Bearer ${text(secret)}`);
    expect(said(await call({}, nobody, keyed))).toBe('200');
  });
});

describe('ext_authz in shadow mode', () => {
  const says = { mode: 'shadow' };
  it.each<[string, Asked, string]>([
    ['allowed', {}, 'ALLOWED'],
    ['denied', { method: 'DELETE' }, 'DENIED_DEFAULT'],
    ['without a credential', { headers: {} }, 'CREDENTIALS_MISSING'],
    ['unmapped', { path: '//' }, 'ROUTE_UNMAPPED'],
    ['of an unknown type', { path: '/ghosts/1' }, 'RESOURCE_TYPE_UNKNOWN'],
  ])('lets through what would have been %s, and says so', async (_, asked, wanted) => {
    const answer = await call({ ...asked, says });
    expect([said(answer), answer.status.code ?? 0, valueOf(answer.okResponse?.headers ?? [], 'x-securityhub-shadow')]).toEqual([
      '200',
      0,
      wanted,
    ]);
    const { allowed, mode, reason } = answer.dynamicMetadata.fields;
    expect([allowed?.boolValue, mode?.stringValue, reason?.stringValue]).toEqual([wanted === 'ALLOWED', 'shadow', wanted]);
  });

  it('says who calls where that is known, and takes forged words away where it is not', async () => {
    const denied = (await call({ method: 'DELETE', says })).okResponse;
    expect(valueOf(denied?.headers ?? [], SUBJECT)).toMatch(/^ey/);
    const unknown = (await call({ headers: { [SUBJECT]: 'forged' }, says })).okResponse;
    expect([valueOf(unknown?.headers ?? [], SUBJECT), unknown?.headersToRemove]).toEqual(['', expect.arrayContaining([SUBJECT])]);
  });

  it('EXT_AUTHZ_MODE is the mode of routes that name none', async () => {
    const replica = await startHub({ ...env, EXT_AUTHZ_MODE: 'shadow', PROBE_PORT: String(await freePort()) });
    try {
      const there = new envoy.service.auth.v3.Authorization(replica.grpc, credentials.createSsl(roots), TARGET);
      open.push(there);
      const administrator = new Metadata();
      administrator.set('authorization', `Bearer ${hub.bootstrap().access_token}`);
      expect(said(await call({ method: 'DELETE' }, there, administrator))).toBe('200');
      expect(said(await call({ method: 'DELETE', says: { mode: 'enforce' } }, there, administrator))).toBe('Forbidden DENIED_DEFAULT');
    } finally {
      await replica.stop();
    }
  });

  it('leaves an event that carries the id of the request that Envoy got', async () => {
    const headers = { authorization: `Bearer ${token}`, 'x-request-id': '7a1b-of-envoy' };
    expect(said(await call({ path: '/orders/its-own', headers }))).toBe('200');
    const found = async (): Promise<boolean> => {
      const { events } = await make('AuditService/SearchEvents', { requestId: '7a1b-of-envoy' });
      return (events as readonly JsonObject[]).some((one) => one['resource'] === 'orders:its-own');
    };
    await waitFor(found, 10_000, 'an event');
  });

  it('leaves an event and a number', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${probe}/metrics`)).text();
    expect(metrics).toMatch(/securityhub_ext_authz_total\{[^}]*mode="shadow"[^}]*outcome="denied"[^}]*\} [1-9]/);
    const found: JsonObject[] = [];
    const search = async (): Promise<boolean> => {
      const { events } = await make('AuditService/SearchEvents', { eventTypes: ['gateway.shadowed'], action: 'delete' });
      found.push(...(events as JsonObject[]).filter((one) => object(one['details'])['mode'] === 'shadow'));
      return found.length > 0;
    };
    await waitFor(search, 10_000, 'an event');
    expect(found[0]).toMatchObject({ resource: 'orders:42', action: 'delete', result: 'failure', reason: 'DENIED_DEFAULT' });
  });
});

it('passes over what Envoy says besides, by the numbers that Envoy gives', async () => {
  const text = (writer: BinaryWriter, field: number, value: string): BinaryWriter => writer.uint32(field * 8 + 2).string(value);
  const inner = (writer: BinaryWriter, field: number, fill: (inside: BinaryWriter) => unknown): BinaryWriter => {
    fill(writer.uint32(field * 8 + 2).fork());
    return writer.join();
  };
  const http = (to: BinaryWriter): void => {
    text(to, 2, 'GET');
    inner(to, 3, (entry) => text(text(entry, 1, 'authorization'), 2, `Bearer ${token}`));
    text(to, 4, '/v1/orders/42');
    to.uint32(9 * 8).int64(-1);
    text(text(to, 10, 'HTTP/2'), 11, 'a body');
    to.uint32(12 * 8 + 2).bytes(Uint8Array.of(0xff, 0xfe));
  };
  const request = inner(new BinaryWriter(), 1, (attributes) => {
    inner(attributes, 1, (peer) => text(peer, 2, 'some-cluster'));
    inner(attributes, 4, (asked) =>
      inner(
        inner(asked, 1, () => {}),
        2,
        http,
      ),
    );
    for (const [name, value] of [
      ['resource_type', '{2}'],
      ['resource_id', '{3}'],
      ['upstream', 'orders'],
    ] as const)
      inner(attributes, 10, (entry) => text(text(entry, 1, name), 2, value));
    inner(
      inner(attributes, 11, () => {}),
      12,
      (session) => text(session, 1, 'shop.example'),
    );
  }).finish();
  const raw = gateway as unknown as Client;
  const asIs = (bytes: Buffer): Buffer => bytes;
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const path = '/envoy.service.auth.v3.Authorization/Check';
    raw.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), (error, bytes) =>
      error === null ? resolve(bytes ?? Buffer.alloc(0)) : reject(error),
    );
  });
  const reader = new BinaryReader(answer);
  const fields: number[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    fields.push(field);
    reader.skip(type);
  }
  expect(fields).toEqual([1, 3, 4]);
});
