import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { expressGuard } from '../../src/client/express.ts';
import { type FastifyReply, type FastifyRequest, fastifyGuard } from '../../src/client/fastify.ts';
import { grpcGuard } from '../../src/client/guard.grpc.ts';
import { principalOf, type Requirements } from '../../src/client/guard.ts';
import type { HttpGuardOptions, HttpRequest } from '../../src/client/http-guard.ts';
import { SECURITY_HEADERS } from '../../src/client/http-guard.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { hub, outcomes } from './guarded-hub.ts';

const close: (() => void)[] = [];
afterEach(() => {
  for (const one of close.splice(0)) one();
});

describe('the guard of Express', () => {
  const serve = async (requirements: Requirements<HttpRequest> = {}, options: HttpGuardOptions = {}) => {
    const { client, asked } = hub();
    const guard = expressGuard(client, requirements, options);
    const server: HttpServer = createServer((request: IncomingMessage, response) => {
      response.setHeader('x-powered-by', 'Express');
      guard(request, response, (error) => {
        response.statusCode = error === undefined ? 200 : 500;
        response.end(JSON.stringify({ who: principalOf(request) }));
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    close.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const get = (authorization: string, path = '/', headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${url}${path}`, { headers: { ...headers, ...(authorization === '' ? {} : { authorization }) } });
    return { get, asked };
  };

  it.each(outcomes)('answers "%s" with %s %s', async (authorization, status, reason) => {
    const { get } = await serve();
    const answer = await get(authorization);
    const body = (await answer.json()) as { reason?: string; who?: unknown };
    expect([answer.status, body.reason ?? '']).toEqual([status, reason]);
    if (status === 200)
      expect(body.who).toMatchObject({
        type: 'user',
        id: 'usr_anna',
        tenantId: 'acme',
        scopes: ['orders:read'],
        live: { roles: ['member'] },
      });
  });

  it.each([
    ['', 'Bearer'],
    ['Bearer expired', `Bearer error="invalid_token", error_description="because of  TOKEN_EXPIRED "`],
    ['DPoP expired', `DPoP error="invalid_token", error_description="because of  TOKEN_EXPIRED ", algs="ES256 EdDSA PS256 RS256"`],
    [
      'DPoP replayed',
      `DPoP error="invalid_dpop_proof", error_description="because of  DPOP_PROOF_REPLAYED ", algs="ES256 EdDSA PS256 RS256"`,
    ],
    ['Bearer weak', `Bearer error="insufficient_scope", error_description="because of  SCOPE_MISSING ", scope="a b"`],
    [
      'Bearer stepup',
      `Bearer error="insufficient_user_authentication", error_description="because of  MFA_REQUIRED ", acr_values="aal2", max_age="300"`,
    ],
  ])('challenges "%s" in the words of the RFCs', async (authorization, challenge) => {
    const { get } = await serve({ scopes: ['a', 'b'] });
    expect((await get(authorization)).headers.get('www-authenticate')).toBe(challenge);
  });

  it('says when to come back while there is no verdict', async () => {
    const { get } = await serve();
    const answer = await get('Bearer away');
    expect([answer.headers.get('retry-after'), answer.headers.get('www-authenticate')]).toEqual(['3', null]);
  });

  it('asks for what the route needs, and tells the circumstances', async () => {
    const { get, asked } = await serve({ audience: 'orders', permissions: ['orders:read'], scopes: ['s'], maxStaleness: 1500 });
    await get('Bearer good', '/orders/7?secret=1', {
      'user-agent': 'tests',
      'x-request-id': 'req-1',
      origin: 'https://shop.example',
      'x-forwarded-for': '6.6.6.6',
    });
    expect(asked[0]).toMatchObject({
      token: 'good',
      audience: 'orders',
      requiredPermissions: ['orders:read'],
      requiredScopes: ['s'],
      maxStaleness: { seconds: 1, nanos: 5e8 },
      context: {
        ipAddress: '127.0.0.1',
        userAgent: 'tests',
        requestId: 'req-1',
        origin: 'https://shop.example',
        endpoint: 'GET /orders/7',
        dpopProof: '',
      },
    });
  });

  it('hands a DPoP proof on with the address that clients see', async () => {
    const { get, asked } = await serve({}, { origin: 'https://api.example' });
    expect((await get('DPoP bound', '/orders?x=1', { dpop: 'proof' })).status).toBe(200);
    expect(asked[0]?.context).toMatchObject({ dpopProof: 'proof', httpMethod: 'GET', httpUri: 'https://api.example/orders' });
  });

  it('lets a route be open, or open to nobody in particular', async () => {
    const { get, asked } = await serve((request) => (request.url === '/healthz' ? null : { optional: true }));
    expect((await get('Bearer expired', '/healthz')).status).toBe(200);
    expect(asked).toEqual([]);
    expect(await (await get('', '/')).json()).toEqual({ who: null });
    expect((await get('Bearer expired', '/')).status).toBe(401);
  });

  it('lets nobody in when the requirements themselves fail', async () => {
    const { get } = await serve(() => {
      throw new Error('a bug');
    });
    const answer = await get('Bearer good');
    expect([answer.status, await answer.json()]).toEqual([500, { who: null }]);
  });

  it('sets the security headers on every answer, refusals included', async () => {
    const { get } = await serve();
    for (const authorization of ['Bearer good', 'Bearer expired']) {
      const { headers } = await get(authorization);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect([name, headers.get(name)]).toEqual([name, value]);
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });

  it('sets those that the service wants', async () => {
    const own = await serve({}, { headers: { 'content-security-policy': "default-src 'self'", 'cache-control': false } });
    const { headers } = await own.get('Bearer good');
    expect([headers.get('content-security-policy'), headers.get('cache-control'), headers.get('x-frame-options')]).toEqual([
      "default-src 'self'",
      null,
      'DENY',
    ]);
    const none = await serve({}, { headers: false });
    expect((await none.get('Bearer good')).headers.get('x-frame-options')).toBeNull();
  });
});

describe('the guard of Fastify', () => {
  /** Fastify as far as a hook sees it: a reply that was sent is not sent again. */
  const pass = async (authorization: string) => {
    const { client, asked } = hub();
    const hook = fastifyGuard(client, { audience: 'orders' });
    const sent: { status: number; headers: Record<string, string>; body: unknown } = { status: 200, headers: {}, body: null };
    const reply: FastifyReply = {
      code: (status) => (sent.status = status),
      headers: (values) => Object.assign(sent.headers, values),
      send: (body) => (sent.body = body),
    };
    const raw: HttpRequest = { headers: authorization === '' ? {} : { authorization }, method: 'GET', url: '/orders', socket: {} };
    const request: FastifyRequest = { raw, ip: '10.1.2.3' };
    const answered = await hook(request, reply);
    return { sent, asked, who: principalOf(request), stopped: answered === reply };
  };

  it.each(outcomes)('answers "%s" with %s %s', async (authorization, status, reason) => {
    const { sent, who, stopped } = await pass(authorization);
    expect([sent.status, (sent.body as { reason?: string } | null)?.reason ?? '', stopped]).toEqual([status, reason, status !== 200]);
    expect(who?.id ?? '').toBe(status === 200 ? 'usr_anna' : '');
    expect(sent.headers['x-content-type-options']).toBe('nosniff');
  });

  it('tells the address that Fastify believes', async () => {
    expect((await pass('Bearer good')).asked[0]?.context).toMatchObject({ ipAddress: '10.1.2.3', endpoint: 'GET /orders' });
  });
});

describe('the guard of grpc-js', () => {
  const raw = (value: Buffer): Buffer => value;
  const method = (name: string, responseStream: boolean) => ({
    path: `/shop.v1.Orders/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  });

  const serve = async (requirements: Parameters<typeof grpcGuard>[1] = {}) => {
    const { client, asked } = hub();
    const server = new Server({ interceptors: [grpcGuard(client, requirements)] });
    server.addService(
      { get: method('Get', false), watch: method('Watch', true) },
      {
        get: (call: object, callback: (error: null, value: Buffer) => void) =>
          callback(null, Buffer.from(principalOf(call)?.id ?? 'nobody')),
        watch: (call: { write(value: Buffer): void; end(): void }) => {
          call.write(Buffer.from(principalOf(call)?.id ?? 'nobody'));
          call.end();
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const caller = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    close.push(() => {
      caller.close();
      server.forceShutdown();
    });
    const metadataOf = (authorization: string): Metadata => {
      const metadata = new Metadata();
      if (authorization !== '') metadata.set('authorization', authorization);
      return metadata;
    };
    const get = (authorization: string): Promise<string> =>
      new Promise((resolve, reject) => {
        caller.makeUnaryRequest('/shop.v1.Orders/Get', raw, raw, Buffer.alloc(3), metadataOf(authorization), (error, value) =>
          error === null ? resolve(String(value)) : reject(error),
        );
      });
    const watch = async (authorization: string): Promise<string[]> => {
      const found: string[] = [];
      const stream = caller.makeServerStreamRequest('/shop.v1.Orders/Watch', raw, raw, Buffer.alloc(0), metadataOf(authorization));
      for await (const one of stream) found.push(String(one));
      return found;
    };
    return { get, watch, asked };
  };

  const CODES: Readonly<Record<number, string>> = {
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    429: 'RESOURCE_EXHAUSTED',
    503: 'UNAVAILABLE',
  };

  it.each(outcomes)('answers "%s" with %s %s', async (authorization, status, reason) => {
    const { get, watch } = await serve({ audience: 'orders' });
    for (const call of [get(authorization).then((who) => [who]), watch(authorization)]) {
      const outcome = await call.catch((error: unknown) => faultOf(error as ServiceError));
      expect(Array.isArray(outcome) ? outcome : [outcome.code, outcome.reason]).toEqual(
        status === 200 ? ['usr_anna'] : [CODES[status], reason],
      );
    }
  });

  it('asks for what the method needs, and tells the circumstances', async () => {
    const { get, asked } = await serve(({ path }) => (path.endsWith('/Get') ? { permissions: ['orders:read'] } : null));
    await get('Bearer good');
    expect(asked[0]).toMatchObject({
      requiredPermissions: ['orders:read'],
      context: { ipAddress: '127.0.0.1', endpoint: '/shop.v1.Orders/Get' },
    });
  });

  it('lets a method be open, or open to nobody in particular', async () => {
    const { get, watch, asked } = await serve(({ path }) => (path.endsWith('/Get') ? null : { optional: true }));
    expect([await get('Bearer expired'), await watch('')]).toEqual(['nobody', ['nobody']]);
    expect(asked).toEqual([]);
  });

  it('lets nobody in when the requirements themselves fail', async () => {
    const { get } = await serve(() => {
      throw new Error('a bug');
    });
    expect(await get('Bearer good').catch((error: unknown) => (error as ServiceError).code)).toBe(13);
  });
});
