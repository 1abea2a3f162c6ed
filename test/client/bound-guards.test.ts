// Tokens that are bound to a key, shown to guarded services over real mTLS: by whoever they were given to, and by a thief.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get as httpsGet } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client as GrpcClient, credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeCertificate } from '../../src/base/peer-certificate.ts';
import type { Fault } from '../../src/base/fault.ts';
import type { Client } from '../../src/client/client.ts';
import { expressGuard } from '../../src/client/express.ts';
import { grpcGuard } from '../../src/client/guard.grpc.ts';
import { principalOf } from '../../src/client/guard.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { type DpopKey, dpopKey } from '../dpop-key.ts';
import { waitFor } from '../harness.ts';
import { rawMethod } from '../raw-method.ts';
import { selfSigned } from '../wire/self-signed.ts';
import { createWorld, type World } from './world.ts';

interface Files {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const PASSWORD = 'Corr3ct-horse battery!';
const NAME = 'orders.shop.example';
const ORIGIN = 'https://orders.test';
const close: (() => void)[] = [];

let world: World;
let key: DpopKey;
let orders: Files;
let web: Files;
let renewed: Files;
let mail: Files;
let hub: Client;

const issue = async (service: string): Promise<Files> => {
  const { certificatePem, privateKeyPem, trustBundlePem } = await world.admin.issueServiceCert({
    namespace: 'default',
    service,
    dnsNames: service === 'orders' ? [NAME] : [],
    generateKey: {},
  });
  const folder = mkdtempSync(join(tmpdir(), `security-hub-${service}-`));
  const files = { ca: join(folder, 'ca.pem'), cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  writeFileSync(files.ca, trustBundlePem);
  writeFileSync(files.cert, certificatePem);
  writeFileSync(files.key, privateKeyPem);
  return files;
};
const read = ({ ca, cert, key: secret }: Files) => ({ ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(secret) });

/** What the service's answer to a call is. */
type Call = (by: Files | null, token: string, proof?: { readonly scheme: string; readonly dpop: string }) => Promise<string>;
const calls: Record<string, Call> = {};

const serveHttps = async (): Promise<Call> => {
  const guard = expressGuard(hub, { audience: 'security-hub' }, { origin: ORIGIN });
  const server = createServer({ ...read(orders), requestCert: true, rejectUnauthorized: false }, (request, response) =>
    guard(request, response, () => response.end(principalOf(request)?.id)),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  close.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return (by, token, proof) =>
    new Promise((resolve, reject) => {
      const tls = by === null ? { ca: readFileSync(orders.ca) } : read(by);
      const agent = new Agent({ ...tls, servername: NAME, keepAlive: false });
      const headers = { authorization: `${proof?.scheme ?? 'Bearer'} ${token}`, ...(proof === undefined ? {} : { dpop: proof.dpop }) };
      httpsGet({ host: '127.0.0.1', port, path: '/orders?x=1', agent, headers }, (answer) => {
        let body = '';
        answer.on('data', (part: Buffer) => (body += String(part)));
        answer.on('end', () => resolve(answer.statusCode === 200 ? body : (JSON.parse(body) as { reason: string }).reason));
      }).on('error', reject);
    });
};

const serveGrpc = async (): Promise<Call> => {
  const method = rawMethod('/shop.Orders/Get');
  const server = new Server({ interceptors: [grpcGuard(hub, { audience: 'security-hub' })] });
  server.addService(
    { get: method },
    { get: (call: object, callback: (error: null, value: Buffer) => void) => callback(null, Buffer.from(principalOf(call)?.id ?? '')) },
  );
  const { ca, cert, key: secret } = read(orders);
  const own = ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: secret }], true);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', own, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  close.push(() => server.forceShutdown());
  return (by, token) => {
    const shown = read(by ?? mail);
    const caller = new GrpcClient(`127.0.0.1:${port}`, credentials.createSsl(shown.ca, shown.key, shown.cert), {
      'grpc.ssl_target_name_override': NAME,
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    return new Promise<string>((resolve) => {
      caller.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, Buffer.alloc(0), metadata, (error, value) =>
        resolve(error === null ? String(value) : faultOf(error as ServiceError).reason),
      );
    }).finally(() => caller.close());
  };
};

const login = async (by: Files, binding: string): Promise<string> => {
  const client = world.anonymous({ tls: by });
  const { tokens } = await client.authentication.login({
    tenantId: world.bootstrap.tenant_id,
    username: 'anna',
    password: PASSWORD,
    binding,
  });
  return tokens?.accessToken ?? '';
};

let anna: string;
beforeAll(async () => {
  world = await createWorld({ TLS: 'on' });
  key = await dpopKey(() => Date.now());
  for (const name of ['orders', 'web', 'mail'])
    await world.admin.workload.putWorkload({
      workload: {
        namespace: 'default',
        name,
        audiences: ['security-hub'],
        calls: ['ValidateToken'],
        ...(name === 'orders' ? { dnsNames: [NAME] } : {}),
      },
    });
  [orders, web, renewed, mail] = [await issue('orders'), await issue('web'), await issue('web'), await issue('mail')];
  anna = (await world.admin.user.createUser({ username: 'anna', password: PASSWORD, roles: ['member'] })).user?.id ?? '';
  hub = world.anonymous({ tls: orders });
  calls['HTTPS'] = await serveHttps();
  calls['gRPC'] = await serveGrpc();
}, 60_000);
afterAll(async () => {
  for (const one of close) one();
  await world.close();
});

describe.each(['HTTPS', 'gRPC'])('a service that is guarded over %s', (transport) => {
  const call: Call = (...asked) => (calls[transport] as Call)(...asked);

  it.each(['certificate', 'public_key', 'spiffe'])('takes a token bound to a %s from its owner alone', async (binding) => {
    const token = await login(web, binding);
    expect(await call(web, token)).toBe(anna);
    expect(await call(mail, token)).toBe('BINDING_MISMATCH');
  });

  it('takes a token bound to a SPIFFE id after the certificate and its key were renewed, one bound to those not', async () => {
    expect(await call(renewed, await login(web, 'spiffe'))).toBe(anna);
    expect(await call(renewed, await login(web, 'public_key'))).toBe('BINDING_MISMATCH');
    expect(await call(renewed, await login(web, 'certificate'))).toBe('BINDING_MISMATCH');
  });
});

describe('a service that is guarded over HTTPS', () => {
  const call: Call = (...asked) => (calls['HTTPS'] as Call)(...asked);

  it('believes no name in a certificate that nobody vouches for', async () => {
    const token = await login(web, 'spiffe');
    const { spiffeId } = describeCertificate(new X509Certificate(readFileSync(web.cert)));
    const { chain, key: secret } = selfSigned('web', { spiffeId: spiffeId ?? '' });
    const forged = { ...mail, cert: join(dirname(mail.cert), 'forged.crt'), key: join(dirname(mail.cert), 'forged.key') };
    writeFileSync(forged.cert, chain);
    writeFileSync(forged.key, secret);
    expect(await call(web, token)).toBe(anna);
    expect(await call(forged, token)).toBe('BINDING_MISSING');
    expect(await call(null, token)).toBe('BINDING_MISSING');
  });

  it('takes a token bound to a DPoP key with a proof for this very request, under that scheme alone', async () => {
    const client = world.anonymous({ tls: web });
    const address = 'https://web.test/login';
    let token = '';
    // The memory of used proofs begins with the hub: older proofs do not count.
    await waitFor(
      async () => {
        const context = { dpopProof: await key.proof(address), httpMethod: 'POST', httpUri: address };
        const asked = { tenantId: world.bootstrap.tenant_id, username: 'anna', password: PASSWORD, binding: 'dpop', context };
        const answer = await client.authentication.login(asked).catch(({ reason }: Fault) => reason);
        if (answer === 'DPOP_PROOF_EXPIRED') {
          // Strangers have a budget of logins.
          await pause(200);
          return false;
        }
        if (typeof answer === 'string') throw new Error(answer);
        token = answer.tokens?.accessToken ?? '';
        return true;
      },
      15_000,
      'a login with a proof',
    );
    const proof = (of: DpopKey, over: object = {}) => of.proof(`${ORIGIN}/orders`, token, { htm: 'GET', ...over });
    const first = await proof(key);
    expect(await call(null, token, { scheme: 'DPoP', dpop: first })).toBe(anna);
    expect(await call(null, token, { scheme: 'DPoP', dpop: first })).toBe('DPOP_PROOF_REPLAYED');
    expect(await call(null, token, { scheme: 'DPoP', dpop: await proof(await dpopKey()) })).toBe('BINDING_MISMATCH');
    expect(await call(null, token, { scheme: 'DPoP', dpop: await proof(key, { htm: 'POST' }) })).toBe('DPOP_METHOD_MISMATCH');
    expect(await call(null, token, { scheme: 'Bearer', dpop: await proof(key) })).toBe('BINDING_MISSING');
    expect(await call(null, token)).toBe('BINDING_MISSING');
  });
});
