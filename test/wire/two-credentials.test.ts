// A request that shows two credentials: whoever stands in front of us may have looked at the other one, so neither counts.
import { connect, type OutgoingHttpHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Hub, openHub } from '../config/app.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { freePort } from '../stores.ts';
import { ask } from './http-toy.ts';

/** Node's types do not know it for clients. */
const LAX: object = { strictSingleValueFields: false };
const LIST = '/securityhub.v1.ApiKeyService/ListApiKeys';

let database: FreshDatabase;
let hub: Hub;
let port: number;

beforeAll(async () => {
  database = await freshDatabase();
  port = await freePort();
  hub = await openHub({ POSTGRES_URI: database.uri, HTTP_PORT: String(port) });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const overHttp = async (path: string, type: string, body: string, shown: readonly string[]) => {
  const { text } = await ask(port, path, {
    method: 'POST',
    headers: [
      'content-type',
      type,
      'content-length',
      String(body.length),
      'host',
      'localhost',
      ...shown.flatMap((one) => ['authorization', one]),
    ],
    body,
  });
  return text;
};

/** The call's status and what it says; by node:http2 itself, for gRPC clients send one credential. */
const overGrpc = (shown: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${hub.app.ports.grpc}`, LAX).on('error', reject);
    const headers = { ':method': 'POST', ':path': LIST, 'content-type': 'application/grpc', te: 'trailers', authorization: [...shown] };
    const call = session.request(headers as unknown as OutgoingHttpHeaders);
    const close = (told: string): void => session.close(() => resolve(told));
    const told = (answered: Readonly<Record<string, unknown>>): string =>
      `${String(answered['grpc-status'])} ${String(answered['grpc-message'])}`;
    call.on('error', reject);
    call.on('response', (answered) => 'grpc-status' in answered && close(told(answered)));
    call.on('trailers', (answered) => close(told(answered)));
    call.resume();
    call.end(Buffer.alloc(5));
  });

describe('two credentials in one request', () => {
  const good = () => `Bearer ${hub.bootstrap.access_token}`;
  const cases: readonly (readonly [string, () => readonly string[]])[] = [
    ['a good one before a bad one', () => [good(), 'Bearer junk']],
    ['a bad one before a good one', () => ['Bearer junk', good()]],
    ['the same one twice', () => [good(), good()]],
    ['a good one and an API key', () => [good(), `Bearer ${hub.bootstrap.api_key}`]],
  ];

  it('one alone is taken, over gRPC, as JSON and for introspection', async () => {
    const form = `token=${hub.bootstrap.access_token}`;
    expect(await overGrpc([good()])).toMatch(/^0 /);
    expect(JSON.parse(await overHttp(LIST, 'application/json', '{}', [good()]))).toHaveProperty('apiKeys');
    expect(JSON.parse(await overHttp('/oauth2/introspect', 'application/x-www-form-urlencoded', form, [good()]))).toHaveProperty(
      'active',
      true,
    );
  });

  it.each(cases)('over gRPC are refused: %s', async (_which, shown) => {
    expect(decodeURIComponent(await overGrpc(shown()))).toMatch(/^16 authorization must be one credential/);
  });

  it.each(cases)('over HTTP are refused: %s', async (_which, shown) => {
    expect(await overHttp(LIST, 'application/json', '{}', shown())).toContain('CREDENTIALS_MALFORMED');
  });

  it('are refused as client secrets too', async () => {
    const basic = `Basic ${Buffer.from(`any:${hub.bootstrap.api_key}`).toString('base64')}`;
    const answer = await overHttp('/oauth2/introspect', 'application/x-www-form-urlencoded', 'token=x', [basic, basic]);
    expect(JSON.parse(answer)).toMatchObject({
      error: 'invalid_client',
      error_description: expect.stringContaining('CREDENTIALS_MALFORMED'),
    });
  });
});
