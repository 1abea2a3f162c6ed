// The guards inside Express and Fastify themselves, over real sockets.
import { createServer, type IncomingMessage, request as requestHttp, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Fastify, { type FastifyInstance } from 'fastify';
import { expressGuard } from '../../src/client/express.ts';
import { fastifyGuard } from '../../src/client/fastify.ts';
import { principalOf } from '../../src/client/guard.ts';
import { hub, outcomes } from './guarded-hub.ts';

/** Express brings no types along; this is what is used of it. */
interface ExpressApp {
  (request: object, response: object): void;
  set(name: string, value: unknown): void;
  use(...handlers: unknown[]): void;
  get(path: string, handler: (request: object, response: { json(body: unknown): void }) => void): void;
}
const express = createRequire(import.meta.url)('express') as () => ExpressApp;

const asked = hub();
let server: Server;
let fastify: FastifyInstance;
const urls: Record<string, string> = {};

beforeAll(async () => {
  const app = express();
  app.set('trust proxy', true);
  app.use('/closed', expressGuard(asked.client, { audience: 'orders' }));
  app.get('/closed/orders', (request, response) => response.json({ who: principalOf(request)?.id ?? null }));
  app.get('/open', (_request, response) => response.json({ who: null }));
  server = createServer(app as never);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  urls['Express'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  fastify = Fastify();
  await fastify.register(async (closed) => {
    closed.addHook('onRequest', fastifyGuard(asked.client, { audience: 'orders' }) as never);
    closed.get('/closed/orders', async (request) => ({ who: principalOf(request)?.id ?? null }));
  });
  fastify.get('/open', async () => ({ who: null }));
  urls['Fastify'] = await fastify.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  server.close();
  await fastify.close();
});

describe.each(['Express', 'Fastify'])('in %s', (framework) => {
  const get = (path: string, authorization: string): Promise<Response> =>
    fetch(`${urls[framework]}${path}`, { headers: authorization === '' ? {} : { authorization } });

  it.each(outcomes)('"%s" gets %s %s', async (authorization, status, reason) => {
    const answer = await get('/closed/orders', authorization);
    const body = (await answer.json()) as { reason?: string; who?: string };
    expect([answer.status, body.reason ?? '', body.who ?? '']).toEqual([status, reason, status === 200 ? 'usr_anna' : '']);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  /** As `fetch` cannot: each in a header of its own. */
  const show = async (credentials: readonly string[]): Promise<readonly unknown[]> => {
    const shown = credentials.flatMap((one, at) => [at === 0 ? 'authorization' : 'Authorization', one]);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      requestHttp(`${urls[framework]}/closed/orders`, { headers: ['host', 'localhost', ...shown] }, resolve)
        .on('error', reject)
        .end();
    });
    return [answer.statusCode, ((await json(answer)) as { reason?: string }).reason ?? ''];
  };

  it.each([
    ['a good one before a bad one', ['Bearer good', 'Bearer expired']],
    ['a bad one before a good one', ['Bearer expired', 'Bearer good']],
    ['the same one twice', ['Bearer good', 'Bearer good']],
    ['a good one and an empty one', ['Bearer good', '']],
    ['an empty one and a good one', ['', 'Bearer good']],
  ])('two credentials are refused, and nobody is asked: %s', async (_which, credentials) => {
    const before = asked.asked.length;
    expect(await show(credentials)).toEqual([401, 'CREDENTIALS_MALFORMED']);
    expect(asked.asked.length).toBe(before);
    expect(await show(['Bearer good'])).toEqual([200, '']);
  });

  it('what stands outside the guard is open, and asks nobody', async () => {
    const before = asked.asked.length;
    expect([(await get('/open', 'Bearer expired')).status, asked.asked.length]).toEqual([200, before]);
  });

  it('the route of a guarded call is told to the hub', async () => {
    await get('/closed/orders?secret=1', 'Bearer good');
    expect(asked.asked.at(-1)?.context).toMatchObject({ ipAddress: '127.0.0.1', endpoint: 'GET /closed/orders' });
  });
});
