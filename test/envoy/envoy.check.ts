// The Envoy example run by a real Envoy: what reaches the service behind it, and what its callers are told.
import { connect } from 'node:http2';
import { request as tlsRequest } from 'node:https';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { dpopKey } from '../dpop-key.ts';
import { waitFor } from '../harness.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { object, PASSWORD, text } from '../wire/access-callers.ts';
import { openJsonClient } from '../wire/json-client.ts';
import { problemsOf } from './envoy-process.ts';
import type { Arrived } from './upstream.ts';
import { type Answer, type Asked, createWorld, type Pair, type World } from './world.ts';

const SUBJECT = 'x-securityhub-subject';
const ORDER = '/v1/orders/42';

let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  token = await world.login('ann');
}, 60_000);
afterAll(() => world.close());

const ask = (asked: Asked = {}): Promise<Answer> => world.ask({ token, ...asked });
/** `200`, or the status and our reason; Envoy's own refusals have none. */
const said = ({ status, headers }: Answer): string => `${status} ${headers['x-securityhub-reason'] ?? ''}`.trim();
const arrivedOf = ({ body }: Answer): Arrived => JSON.parse(body) as Arrived;

const jwks = (): Promise<JSONWebKeySet> =>
  new Promise((resolve, reject) => {
    const url = `${world.hub.http.replace(/^http:/, 'https:')}/.well-known/jwks.json`;
    const sent = tlsRequest(url, { ca: world.roots, servername: 'localhost' }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => (body += part));
      answer.on('end', () => resolve(JSON.parse(body) as JSONWebKeySet));
    });
    sent.on('error', reject).end();
  });
const subjectOf = async (statement: string | undefined) =>
  (await jwtVerify(statement ?? '', createLocalJWKSet(await jwks()), { typ: 'subject+jwt', audience: 'orders' })).payload;

it('is a configuration that Envoy takes, with and without what stands there as a comment', () => {
  const [open, closed] = world.bootstraps;
  expect([open, closed].map((one) => (one === undefined ? 'missing' : problemsOf(one)))).toEqual(['', '']);
  expect(closed?.yaml).toContain('\n          transport_socket:');
});

describe('who comes through', () => {
  it('reaches the upstream with a header that our JWKS proves', async () => {
    const answer = await ask();
    expect(said(answer)).toBe('200');
    expect(await subjectOf(arrivedOf(answer).headers[SUBJECT])).toMatchObject({ subject_type: 'user', tenant_id: 'dev' });
  });

  it('cannot bring a header of ours along', async () => {
    const forged = { [SUBJECT]: ['forged', 'twice'], 'x-securityhub-shadow': 'ALLOWED', 'X-SecurityHub-Reason': 'forged' };
    const { headers } = arrivedOf(await ask({ headers: forged }));
    expect(headers[SUBJECT]).toMatch(/^ey[^,]+$/);
    expect(Object.keys(headers).filter((name) => name.startsWith('x-securityhub'))).toEqual([SUBJECT]);
    expect(said(await ask({ headers: { x_securityhub_subject: 'forged' } }))).toBe('400');
  });

  it('may send headers as large as Envoy takes', async () => {
    expect(said(await ask({ headers: { big: 'x'.repeat(50_000) } }))).toBe('200');
  });

  it('needs no credential where the route is open', async () => {
    expect(said(await world.ask({ path: '/healthz' }))).toBe('200');
  });
});

describe('who does not', () => {
  it('is told why, in a header and a body that nobody keeps', async () => {
    const answer = await ask({ method: 'DELETE' });
    expect([said(answer), answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      '403 DENIED_DEFAULT',
      'application/json',
      'no-store',
    ]);
    expect(JSON.parse(answer.body)).toEqual({ reason: 'DENIED_DEFAULT', message: 'nothing allows it' });
  });

  it.each<[string, Asked, string, string | undefined]>([
    ['without a credential', { headers: {} }, '401 CREDENTIALS_MISSING', 'Bearer'],
    ['with a bad one', { token: 'nonsense' }, '401 TOKEN_MALFORMED', 'Bearer error="invalid_token"'],
    ['with a huge one', { token: 'a'.repeat(20_000) }, '401 TOKEN_TOO_LARGE', 'Bearer error="invalid_token"'],
    ['with two', { headers: { authorization: ['Bearer a', 'Bearer b'] } }, '401 CREDENTIALS_MALFORMED', 'Bearer error="invalid_token"'],
  ])('comes %s', async (_, asked, wanted, challenge) => {
    const answer = await world.ask(asked);
    expect([said(answer), answer.headers['www-authenticate']]).toEqual([wanted, challenge]);
  });

  it('is asked for a second factor where only that is missing, however the path is spelt', async () => {
    for (const path of ['/refund', '/refund/', '/refund?x', '//refund', '/./refund', '/%72efund']) {
      const answer = await ask({ method: 'POST', path: `${ORDER}${path}` });
      expect([path, said(answer)]).toEqual([path, '401 MFA_REQUIRED']);
      expect(answer.headers['www-authenticate']).toBe('Bearer error="insufficient_user_authentication", acr_values="aal2"');
    }
  });

  it('stays out with a token that was revoked', async () => {
    const gone = await world.login('ann');
    expect(said(await ask({ token: gone }))).toBe('200');
    await world.make('TokenService/RevokeToken', { token: gone });
    expect(said(await ask({ token: gone }))).toBe('401 TOKEN_REVOKED');
  });
});

describe('a path', () => {
  it.each([
    ['/healthz/../v1/orders/42', ORDER],
    ['/v1/orders/%2e%2e/orders/42', ORDER],
    ['/v1/orders/7/../42', ORDER],
    ['//v1//orders//42', ORDER],
    ['/v1/orders\\42', ORDER],
    ['/reports/..;/v1/orders/42', ORDER],
    ['/v1/orders/42/', '/v1/orders/42/'],
    ['/v1/orders/42?x=/../..', '/v1/orders/42?x=/../..'],
  ])('%s is checked as it arrives', async (path, arrives) => {
    const denied = await ask({ method: 'DELETE', path });
    const before = world.upstream.arrived.length;
    expect([said(denied), world.upstream.arrived.length]).toEqual(['403 DENIED_DEFAULT', before]);
    const answer = await ask({ path });
    expect([said(answer), arrivedOf(answer).path]).toEqual(['200', arrives]);
  });

  it.each([
    ['/v1/orders%2f42', '400'],
    ['/v1/orders/42%5c43', '400'],
    ['/v1/orders/42%00', '400'],
    ['/reports%2f..%2fv1/orders/42', '400'],
    ['/v1/orders/42;a=1', '403 ROUTE_UNMAPPED'],
    ['/v1/orders/42/refund;x', '404'],
    ['/v1/orders/42/refund%20', '404'],
    ['/v1/orders/42/Refund', '404'],
    ['/V1/orders/42', '404'],
    ['/healthz/', '404'],
  ])('%s reaches nobody', async (path, wanted) => {
    const before = world.upstream.arrived.length;
    expect(said(await ask({ method: 'POST', path }))).toBe(wanted);
    expect(world.upstream.arrived.length).toBe(before);
  });
});

describe('a route in shadow', () => {
  it('lets everybody through, and says what it would have done', async () => {
    const denied = arrivedOf(await ask({ path: '/reports/7' }));
    expect(denied.headers['x-securityhub-shadow']).toBe('RESOURCE_TYPE_UNKNOWN');
    expect(await subjectOf(denied.headers[SUBJECT])).toMatchObject({ tenant_id: 'dev' });
    const nobody = arrivedOf(await world.ask({ path: '/reports/7', headers: { [SUBJECT]: 'forged' } }));
    expect([nobody.headers['x-securityhub-shadow'], nobody.headers[SUBJECT]]).toEqual(['CREDENTIALS_MISSING', undefined]);
  });
});

it('leaves lines in the access log, whose decisions can be explained', async () => {
  await ask({ method: 'DELETE' });
  await ask();
  const lineOf = (request: string) => world.log().findLast((line) => line['request'] === request);
  await waitFor(() => lineOf(`DELETE ${ORDER}`) !== undefined && lineOf(`GET ${ORDER}`) !== undefined, 5000, 'both lines');
  expect(lineOf(`DELETE ${ORDER}`)).toMatchObject({ status: 403, allowed: false, reason: 'DENIED_DEFAULT', details: 'ext_authz_denied' });
  const line = lineOf(`GET ${ORDER}`);
  expect(line).toMatchObject({ status: 200, allowed: true, reason: 'ALLOWED' });
  const explain = () => world.make('AuthorizationService/ExplainDecision', { decisionId: text(line?.['decision']) });
  await waitFor(() => explain().then(Boolean, () => false), 10_000, 'a recorded decision');
});

it('gives its event the id that Envoy gave the request', async () => {
  // Events of the same question are counted together: one that nobody else asks.
  const id = arrivedOf(await ask({ path: '/v1/orders/of-its-own' })).headers['x-request-id'] ?? '';
  expect(id).not.toBe('');
  const found = async (): Promise<boolean> => {
    const { events } = await world.make('AuditService/SearchEvents', { eventTypes: ['gateway.checked'], requestId: id });
    return (events as readonly JsonObject[]).length > 0;
  };
  await waitFor(found, 15_000, 'an event of the request');
});

describe('the client’s address', () => {
  const login = async (from: string): Promise<string> => {
    const credential = { tenantId: 'dev', username: 'bound', password: PASSWORD, context: { ipAddress: from } };
    return text(object((await world.make('AuthenticationService/Login', credential))['tokens'])['accessToken']);
  };

  it('is the one that Envoy saw, whatever the client says of it', async () => {
    await world.make('TenantService/UpdateTenant', { tenantId: 'dev', sessionPolicy: { bindAddressFrom: 'low' } });
    await world.make('UserService/CreateUser', { username: 'bound', password: PASSWORD, roles: ['clerk'] });
    const bound = await login('127.0.0.2');
    expect(said(await ask({ token: bound, from: '127.0.0.2' }))).toBe('200');
    expect(said(await ask({ token: bound, from: '127.0.0.1' }))).toBe('401 IP_MISMATCH');
    const lies = { 'x-forwarded-for': '127.0.0.2', 'x-real-ip': '127.0.0.2', 'x-envoy-external-address': '127.0.0.2' };
    expect(said(await ask({ token: bound, from: '127.0.0.1', headers: lies }))).toBe('401 IP_MISMATCH');
  });
});

describe('a client certificate', () => {
  it('is passed on: a token bound to it counts over its own connection only', async () => {
    await world.make('WorkloadService/PutWorkload', { workload: { namespace: 'default', name: 'shop', calls: ['Login'] } });
    const [own, other]: readonly Pair[] = [await world.certificateOf('shop'), await world.certificateOf('edge')];
    if (own === undefined || other === undefined) throw new Error('no certificates');
    const shop = openJsonClient(
      world.hub.grpc,
      credentials.createSsl(Buffer.from(world.roots), Buffer.from(own.key), Buffer.from(own.certificate)),
    );
    const login = { tenantId: 'dev', username: 'ann', password: PASSWORD, binding: 'certificate' };
    const bound = text(object((await shop.ask('securityhub.v1.AuthenticationService/Login', login))['tokens'])['accessToken']);
    shop.close();
    expect(said(await ask({ token: bound, tls: own }))).toBe('200');
    expect(said(await ask({ token: bound, tls: other }))).toBe('401 BINDING_MISMATCH');
    expect(said(await ask({ token: bound, tls: null }))).toBe('401 BINDING_MISSING');
    const told = { 'x-forwarded-client-cert': `Cert="${encodeURIComponent(own.certificate)}"` };
    expect(said(await ask({ token: bound, headers: told }))).toBe('401 BINDING_MISSING');
  });
});

describe('a DPoP proof', () => {
  const URL_OF_ORDER = `http://shop.example${ORDER}`;
  const GET = { htm: 'GET' };

  it('is checked against the request that Envoy got, and counts once', async () => {
    const key = await dpopKey();
    const bound = await world.loginBound(key);
    const send = (dpop: string | readonly string[], scheme = 'DPoP', path = ORDER) =>
      world.ask({ path, headers: { authorization: `${scheme} ${bound}`, dpop } });
    const proof = await key.proof(URL_OF_ORDER, bound, GET);
    expect(said(await send(proof))).toBe('200');
    expect(said(await send(await key.proof(URL_OF_ORDER, bound, GET), 'DPoP', `${ORDER}?x=1`))).toBe('200');
    const replayed = await send(proof);
    expect([said(replayed), replayed.headers['www-authenticate']]).toEqual(['401 DPOP_PROOF_REPLAYED', 'DPoP error="invalid_dpop_proof"']);
    expect(said(await send(await key.proof(`${URL_OF_ORDER}/43`, bound, GET)))).toBe('401 DPOP_URI_MISMATCH');
    expect(said(await send(await key.proof(URL_OF_ORDER, bound)))).toBe('401 DPOP_METHOD_MISMATCH');
    const two = [await key.proof(URL_OF_ORDER, bound, GET), await key.proof(URL_OF_ORDER, bound, GET)];
    expect(said(await send(two))).toBe('401 DPOP_PROOF_INVALID');
    const bearer = await send(await key.proof(URL_OF_ORDER, bound, GET), 'Bearer');
    expect([said(bearer), bearer.headers['www-authenticate']]).toEqual(['401 BINDING_MISSING', 'DPoP error="invalid_token"']);
  });
});

describe('over HTTP/2', () => {
  it('everything is the same', async () => {
    const session = connect(`https://${world.tls}`, { ca: world.roots, checkServerIdentity: () => undefined });
    const send = (headers: Readonly<Record<string, string | string[]>>): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':authority': 'shop.example', ':path': ORDER, ...headers });
        let [body, status] = ['', 0];
        let got: Record<string, string> = {};
        stream.on('response', ({ ':status': code, ...rest }) => {
          status = code ?? 0;
          got = rest as Record<string, string>;
        });
        stream.setEncoding('utf8').on('data', (part: string) => (body += part));
        stream.on('end', () => resolve({ status, headers: got, body }));
        stream.on('error', reject).end();
      });
    const authorization = `Bearer ${token}`;
    const allowed = await send({ authorization, [SUBJECT]: ['a', 'b'] });
    expect([said(allowed), arrivedOf(allowed).headers[SUBJECT]]).toEqual(['200', expect.stringMatching(/^ey[^,]+$/)]);
    expect(said(await send({}))).toBe('401 CREDENTIALS_MISSING');
    expect(said(await send({ authorization, ':method': 'DELETE', ':path': '/healthz/../v1/orders/42' }))).toBe('403 DENIED_DEFAULT');
    session.close();
  });
});

const raw = (bytes: Buffer): Buffer => bytes;
/** What arrived, or the code and the reason that Envoy put into the message. */
const getOrder = (authorization?: string): Promise<Arrived | string> =>
  new Promise((resolve) => {
    const client = new Client(world.plain, credentials.createInsecure());
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set('authorization', authorization);
    const deadline = Date.now() + 10_000;
    const done = (error: ServiceError | null, bytes?: Buffer): void => {
      client.close();
      if (error === null) return resolve(JSON.parse(String(bytes)) as Arrived);
      resolve(`${faultOf(error).code} ${String(error.metadata.get('x-securityhub-reason')[0] ?? '')}`.trim());
    };
    client.makeUnaryRequest('/shop.Orders/GetOrder', raw, raw, Buffer.from('42'), metadata, { deadline }, done);
  });

describe('a gRPC call', () => {
  it('reaches the upstream with our header, or ends with the code of the refusal', async () => {
    const arrived = await getOrder(`Bearer ${token}`);
    if (typeof arrived === 'string') throw new Error(arrived);
    expect(await subjectOf(arrived.headers[SUBJECT])).toMatchObject({ tenant_id: 'dev' });
    expect(await getOrder()).toBe('UNAUTHENTICATED CREDENTIALS_MISSING');
    await world.make('UserService/CreateUser', { username: 'cy', password: PASSWORD, roles: [] });
    expect(await getOrder(`Bearer ${await world.login('cy')}`)).toBe('PERMISSION_DENIED DENIED_DEFAULT');
  });
});

it('is refused while the hub is away, and asks it again as soon as it is back', async () => {
  await world.hub.stop();
  const before = world.upstream.arrived.length;
  expect([said(await ask()), said(await ask({ path: '/reports/7' })), await getOrder(`Bearer ${token}`)]).toEqual([
    '503',
    '503',
    'UNAVAILABLE',
  ]);
  expect(world.upstream.arrived.length).toBe(before);
  expect(said(await world.ask({ path: '/healthz' }))).toBe('200');
  await world.restartHub();
  await waitFor(async () => said(await ask()) === '200', 15_000, 'the hub again');
});
