// Tokens bound to keys on the built hub: proofs in the metadata and in headers, certificates on the connection, verdicts about a peer.
import { createHash, X509Certificate } from 'node:crypto';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { fromBinary, type JsonObject, toJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { type DpopKey, dpopKey } from '../dpop-key.ts';
import { freshDatabase, type FreshDatabase } from '../harness.ts';
import { hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { object, text } from './access-callers.ts';
import { type JsonClient, openJsonClient, requestBytes } from './json-client.ts';

const V1 = 'securityhub.v1';
const LOGIN = `${V1}.AuthenticationService/Login`;
const VALIDATE = `${V1}.SecurityHub/ValidateToken`;
const REFRESH = `${V1}.TokenService/RefreshToken`;
const ORDERS = 'https://orders.test/shop.Orders/Place';

let database: FreshDatabase;
let hub: HubProcess;
let roots: Buffer;
let key: DpopKey;
let billing: { readonly client: JsonClient; readonly leaf: X509Certificate };
let admin = '';
const closing: (() => void)[] = [];
const { registry, method } = descriptors();

/** With any metadata; the answer, or the reason of the refusal. */
const send = (
  rpc: string,
  request: JsonObject,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<JsonObject | string> => {
  const client = new Client(hub.grpc, credentials.createSsl(roots), { 'grpc.ssl_target_name_override': 'localhost' });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) for (const one of [value].flat()) metadata.add(name, one);
  const output = method(rpc)?.output;
  if (output === undefined) throw new Error(`no ${rpc}`);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      `/${rpc}`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      requestBytes(rpc, request),
      metadata,
      (error: ServiceError | null, bytes?: Buffer) => {
        client.close();
        resolve(
          error === null
            ? (toJson(output, fromBinary(output, bytes ?? Buffer.alloc(0)), { registry }) as JsonObject)
            : faultOf(error).reason,
        );
      },
    );
  });
};
const at = (rpc: string): string => `https://${hub.grpc}/${rpc}`;
const tokensOf = (answer: JsonObject | string): JsonObject => {
  if (typeof answer === 'string') throw new Error(answer);
  return object(answer['tokens']);
};
const credentialsOf = () => {
  const { tenant_id: tenantId, username, password } = hub.bootstrap();
  return { tenantId, username, password };
};
const login = async (by = key): Promise<JsonObject> => tokensOf(await send(LOGIN, credentialsOf(), { dpop: await by.proof(at(LOGIN)) }));
const verdictOf = (answer: JsonObject | string): string => {
  if (typeof answer === 'string') return answer;
  if (answer['valid'] === true) return 'VALID';
  return text(object((answer['reasons'] as readonly JsonObject[])[0])['code']);
};

beforeAll(async () => {
  database = await freshDatabase();
  const home = hubHome();
  // The proofs' memory in the process: nothing to wait for.
  hub = await startHub({ ...home.env, POSTGRES_URI: database.uri, TLS: 'on' });
  key = await dpopKey();
  admin = hub.bootstrap().access_token;
  const stranger = openJsonClient(hub.grpc, credentials.createSsl(null, null, null, { rejectUnauthorized: false }));
  roots = Buffer.from(text((await stranger.ask(`${V1}.CertificateService/GetTrustBundle`, {}))['trustBundlePem']));
  stranger.close();
  const plain = openJsonClient(hub.grpc, credentials.createSsl(roots));
  closing.push(() => plain.close());
  const workload = {
    namespace: 'default',
    name: 'billing',
    audiences: ['security-hub'],
    calls: ['ValidateToken', 'CheckPermission', 'BatchCheck'],
    resourceTypes: ['users'],
  };
  await plain.ask(`${V1}.WorkloadService/PutWorkload`, { workload }, admin);
  const issued = await plain.ask(
    `${V1}.SecurityHub/IssueServiceCert`,
    { namespace: 'default', service: 'billing', generateKey: {} },
    admin,
  );
  const pem = text(issued['certificatePem']);
  const client = openJsonClient(hub.grpc, credentials.createSsl(roots, Buffer.from(text(issued['privateKeyPem'])), Buffer.from(pem)));
  closing.push(() => client.close());
  billing = { client, leaf: new X509Certificate(pem) };
});
afterAll(async () => {
  for (const close of closing) close();
  await hub.stop();
  await database.close();
});

describe('DPoP over gRPC', () => {
  it('binds a login to the proof in its metadata, and refreshes with another proof of the same key', async () => {
    const tokens = await login();
    expect(tokens['tokenType']).toBe('DPoP');
    const request = { refreshToken: text(tokens['refreshToken']) };
    expect(await send(REFRESH, request, {})).toBe('BINDING_MISSING');
    expect(tokensOf(await send(REFRESH, request, { dpop: await key.proof(at(REFRESH)) }))['tokenType']).toBe('DPoP');
  });

  it('takes the bound token of a caller with a proof for this very call, once', async () => {
    const token = text((await login())['accessToken']);
    const headers = { authorization: `DPoP ${token}`, dpop: await key.proof(at(VALIDATE), token) };
    expect(verdictOf(await send(VALIDATE, { token }, headers))).toBe('VALID');
    expect(await send(VALIDATE, { token }, headers)).toBe('DPOP_PROOF_REPLAYED');
  });

  it.each<[string, string, (token: string) => Promise<Readonly<Record<string, string | readonly string[]>>>]>([
    ['as a bearer token', 'BINDING_MISSING', async (token) => ({ authorization: `Bearer ${token}` })],
    [
      'as a bearer token with a good proof',
      'BINDING_MISSING',
      async (token) => ({ authorization: `Bearer ${token}`, dpop: await key.proof(at(VALIDATE), token) }),
    ],
    ['without a proof', 'BINDING_MISSING', async (token) => ({ authorization: `DPoP ${token}` })],
    [
      'with a proof for another method of ours',
      'DPOP_URI_MISMATCH',
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await key.proof(at(LOGIN), token) }),
    ],
    [
      'with a proof that names no token',
      'DPOP_TOKEN_MISMATCH',
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await key.proof(at(VALIDATE)) }),
    ],
    [
      'with two proofs',
      'DPOP_PROOF_INVALID',
      async (token) => ({
        authorization: `DPoP ${token}`,
        dpop: [await key.proof(at(VALIDATE), token), await key.proof(at(VALIDATE), token)],
      }),
    ],
    [
      'with somebody else’s proof',
      'BINDING_MISMATCH',
      async (token) => ({ authorization: `DPoP ${token}`, dpop: await (await dpopKey()).proof(at(VALIDATE), token) }),
    ],
  ])('refuses it %s: %s', async (_, reason, headers) => {
    const token = text((await login())['accessToken']);
    expect(await send(VALIDATE, { token }, await headers(token))).toBe(reason);
  });

  it('refuses an unbound token under the scheme DPoP', async () => {
    expect(await send(VALIDATE, { token: admin }, { authorization: `DPoP ${admin}`, dpop: await key.proof(at(VALIDATE), admin) })).toBe(
      'BINDING_MISMATCH',
    );
  });

  it('is the same over HTTP', async () => {
    const token = text((await login())['accessToken']);
    const url = `${hub.http.replace(/^http:/, 'https:')}/${VALIDATE}`;
    const { host } = new URL(url);
    const { Agent, request } = await import('node:https');
    const agent = new Agent({ ca: roots, servername: 'localhost' });
    const post = async (dpop: string): Promise<string> => {
      const body = JSON.stringify({ token });
      return new Promise((resolve, reject) => {
        const sent = request(
          url,
          { agent, method: 'POST', headers: { 'content-type': 'application/json', authorization: `DPoP ${token}`, dpop } },
          (answer) => {
            let said = '';
            answer.setEncoding('utf8').on('data', (part: string) => (said += part));
            answer.on('end', () => resolve(said));
          },
        );
        sent.on('error', reject).end(body);
      });
    };
    expect(JSON.parse(await post(await key.proof(`https://${host}/${VALIDATE}`, token)))).toMatchObject({ valid: true });
    expect(await post(await key.proof(`https://other.test/${VALIDATE}`, token))).toContain('DPOP_URI_MISMATCH');
    agent.destroy();
  });
});

describe('a workload about the token of its own peer', () => {
  it('passes the proof on: once for a verdict, once for all decisions', async () => {
    const token = text((await login())['accessToken']);
    const context = { dpopProof: await key.proof(ORDERS, token), httpMethod: 'POST', httpUri: ORDERS };
    const { client } = billing;
    expect(verdictOf(await client.ask(VALIDATE, { token, context }))).toBe('VALID');
    expect(verdictOf(await client.ask(VALIDATE, { token, context }))).toBe('DPOP_PROOF_REPLAYED');
    const check = { action: 'read', resource: { type: 'users' } };
    const batch = { token, tokenContext: context, checks: Array.from({ length: 50 }, () => check) };
    const { results } = (await client.ask(`${V1}.SecurityHub/BatchCheck`, batch)) as unknown as { results: readonly JsonObject[] };
    expect(new Set(results.map((one) => one['reasonCode']))).toEqual(new Set(['ALLOWED']));
    const again = await client.ask(`${V1}.SecurityHub/CheckPermission`, { token, tokenContext: context, ...check });
    expect(again['reasonCode']).toBe('DPOP_PROOF_REPLAYED');
  });

  it('compares the certificate its peer showed, not its own', async () => {
    const { client, leaf } = billing;
    const tokens = tokensOf(await client.ask(LOGIN, { ...credentialsOf(), binding: 'certificate' }));
    const token = text(tokens['accessToken']);
    const sha256 = createHash('sha256').update(leaf.raw).digest('hex');
    expect(verdictOf(await client.ask(VALIDATE, { token }))).toBe('BINDING_MISSING');
    expect(verdictOf(await client.ask(VALIDATE, { token, context: { peerCertificateSha256: sha256 } }))).toBe('VALID');
    expect(verdictOf(await client.ask(VALIDATE, { token, context: { peerCertificateSha256: 'a'.repeat(64) } }))).toBe('BINDING_MISMATCH');
    // As a credential of a call it is measured by the connection itself.
    expect((await client.call(VALIDATE, { token }, token)).code).toBe('OK');
    expect(await send(VALIDATE, { token }, { authorization: `Bearer ${token}` })).toBe('BINDING_MISSING');
  });

  it('keeps a token bound to its SPIFFE id through a renewal of its certificate', async () => {
    const { client } = billing;
    const tokens = tokensOf(await client.ask(LOGIN, { ...credentialsOf(), binding: 'spiffe' }));
    const renewed = await client.ask(`${V1}.CertificateService/RenewServiceCert`, { generateKey: {} });
    const next = openJsonClient(
      hub.grpc,
      credentials.createSsl(roots, Buffer.from(text(renewed['privateKeyPem'])), Buffer.from(text(renewed['certificatePem']))),
    );
    closing.push(() => next.close());
    expect((await next.call(VALIDATE, { token: text(tokens['accessToken']) }, text(tokens['accessToken']))).code).toBe('OK');
    expect((await next.call(REFRESH, { refreshToken: text(tokens['refreshToken']) })).code).toBe('OK');
  });
});
