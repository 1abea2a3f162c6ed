// Nonces of DPoP proofs on the built hub: asked for, brought by the refusal, over gRPC and over HTTP.
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { faultOf } from '../../src/server/grpc/status.ts';
import { type DpopKey, dpopKey } from '../dpop-key.ts';
import { freshDatabase, type FreshDatabase } from '../harness.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { requestBytes } from './json-client.ts';

const LOGIN = 'securityhub.v1.AuthenticationService/Login';
const LIST = 'securityhub.v1.UserService/ListUsers';

interface Answer {
  readonly reason: string;
  readonly nonce: string;
  readonly challenge: string;
}
type Send = (rpc: string, request: object, headers: Readonly<Record<string, string>>) => Promise<Answer>;

let database: FreshDatabase;
let hub: HubProcess;
let key: DpopKey;
beforeAll(async () => {
  database = await freshDatabase();
  hub = await startHub({ ...hubHome().env, POSTGRES_URI: database.uri, DPOP_NONCES: 'required' });
  key = await dpopKey();
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const overHttp: Send = async (rpc, request, headers) => {
  const answer = await fetch(`${hub.http}/${rpc}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(request),
  });
  const body = (await answer.json()) as { readonly details?: readonly { readonly reason?: string }[] };
  const reason = body.details?.find((detail) => detail.reason !== undefined)?.reason ?? 'OK';
  return { reason, nonce: answer.headers.get('dpop-nonce') ?? '', challenge: answer.headers.get('www-authenticate') ?? '' };
};

const overGrpc: Send = (rpc, request, headers) => {
  const client = new Client(hub.grpc, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null): void => {
      client.close();
      if (error === null) return resolve({ reason: 'OK', nonce: '', challenge: '' });
      const { reason, meta } = faultOf(error);
      const [nonce = ''] = error.metadata.get('dpop-nonce');
      expect(meta['dpop_nonce'] ?? '').toBe(nonce);
      resolve({ reason, nonce: String(nonce), challenge: '' });
    };
    client.makeUnaryRequest(`/${rpc}`, same, same, requestBytes(rpc, request as never), metadata, done);
  });
};

describe.each<[string, () => string, Send]>([
  ['gRPC', () => `https://${hub.grpc}`, overGrpc],
  ['HTTP', () => hub.http, overHttp],
])('over %s', (transport, base, send) => {
  it('refuses a proof without one, and brings it: DPOP_NONCES=required', async () => {
    const { tenant_id: tenantId, username, password } = hub.bootstrap();
    const login = async (nonce?: string) =>
      send(LOGIN, { tenantId, username, password }, { dpop: await key.proof(`${base()}/${LOGIN}`, undefined, { nonce }) });
    const refused = await login();
    expect(refused.reason).toBe('USE_DPOP_NONCE');
    expect(refused.nonce).toMatch(/^[\w-]{22}$/);
    if (transport === 'HTTP') expect(refused.challenge).toBe('DPoP error="use_dpop_nonce"');
    expect((await login('made up')).reason).toBe('USE_DPOP_NONCE');
    expect((await login(refused.nonce)).reason).toBe('OK');
  });

  it('asks for one with every bound token', async () => {
    const { tenant_id: tenantId, username, password } = hub.bootstrap();
    const { nonce } = await send(LOGIN, { tenantId, username, password }, { dpop: await key.proof(`${base()}/${LOGIN}`) });
    const answer = await fetch(`${hub.http}/${LOGIN}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', dpop: await key.proof(`${hub.http}/${LOGIN}`, undefined, { nonce }) },
      body: JSON.stringify({ tenantId, username, password }),
    });
    const token = ((await answer.json()) as { readonly tokens: { readonly accessToken: string } }).tokens.accessToken;
    const list = async (over: object) =>
      (await send(LIST, {}, { authorization: `DPoP ${token}`, dpop: await key.proof(`${base()}/${LIST}`, token, { ...over }) })).reason;
    expect([await list({}), await list({ nonce })]).toEqual(['USE_DPOP_NONCE', 'OK']);
  });
});
