// The built hub on embedded stores, a service, and a real Envoy between its callers and it, set up as examples/envoy/envoy.yaml has it.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { JsonObject } from '@bufbuild/protobuf';
import type { DpopKey } from '../dpop-key.ts';
import { type Environment, hubHome, type HubProcess, startHub } from '../hub-process.ts';
import { LoginResponse } from '../../src/gen/securityhub/v1/authentication.ts';
import { freePort } from '../stores.ts';
import { object, PASSWORD, text } from '../wire/access-callers.ts';
import { openJsonClient, requestBytes } from '../wire/json-client.ts';
import { type Bootstrap, type EnvoyProcess, startEnvoy } from './envoy-process.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const V1 = 'securityhub.v1';
const LOGIN = `${V1}.AuthenticationService/Login`;
const EXAMPLE = readFileSync(join(import.meta.dirname, '../../examples/envoy/envoy.yaml'), 'utf8');

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  /** Values in a list come as so many headers. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** The address to come from. */
  readonly from?: string;
  /** Over TLS, with a certificate where one is named. */
  readonly tls?: Pair | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Pair {
  readonly key: string;
  readonly certificate: string;
}

export interface World {
  readonly hub: HubProcess;
  readonly upstream: Upstream;
  readonly roots: string;
  /** host:port of Envoy, in the clear and with client certificates. */
  readonly plain: string;
  readonly tls: string;
  readonly bootstraps: readonly Bootstrap[];
  /** As the administrator, who must succeed. */
  make(rpc: string, request: JsonObject): Promise<JsonObject>;
  login(username: string): Promise<string>;
  /** Of ann, with a token bound to that key. */
  loginBound(key: DpopKey): Promise<string>;
  certificateOf(name: string): Promise<Pair>;
  ask(asked: Asked): Promise<Answer>;
  /** Envoy's, by the port that it listens on: all lines of the access log so far. */
  log(): readonly Readonly<Record<string, unknown>>[];
  restartHub(): Promise<void>;
  close(): Promise<void>;
}

const COMMENTED =
  /^( +)# ?((?: *)(?:transport_socket|name|typed_config|"@type"|common_tls_context|alpn_protocols|tls_certificates|- certificate_chain|private_key|validation_context|trusted_ca):)/gm;

interface Places {
  readonly directory: string;
  readonly hub: string;
  readonly upstream: Upstream;
}

/** Nothing of the example is changed but where things are; `tls`: what stands there as a comment is in force. */
const adapted = async ({ directory, hub, upstream }: Places, tls: boolean) => {
  const [adminPort, port] = [await freePort(), await freePort()];
  const places: readonly (readonly [string, string])[] = [
    ['/etc/envoy/hub', directory],
    ['port_value: 9901', `port_value: ${adminPort}`],
    ['address: 0.0.0.0, port_value: 8080', `address: 127.0.0.1, port_value: ${port}`],
    ['address: security-hub, port_value: 50052', `address: 127.0.0.1, port_value: ${hub.split(':')[1]}`],
    ['address: orders, port_value: 8081', `address: 127.0.0.1, port_value: ${upstream.httpPort}`],
    ['address: orders, port_value: 8082', `address: 127.0.0.1, port_value: ${upstream.grpcPort}`],
  ];
  let yaml = EXAMPLE;
  for (const [from, to] of places) {
    if (!yaml.includes(from)) throw new Error(`the example no longer says ${from}`);
    yaml = yaml.replaceAll(from, to);
  }
  return { yaml: tls ? yaml.replaceAll(COMMENTED, '$1$2') : yaml, adminPort, address: `127.0.0.1:${port}` };
};

export const createWorld = async (): Promise<World> => {
  const home = hubHome();
  const ports: Environment = { GRPC_PORT: String(await freePort()), HTTP_PORT: String(await freePort()) };
  const env = { ...home.env, ...ports, TLS: 'on' };
  let hub = await startHub(env);
  const { access_token: administrator } = hub.bootstrap();
  const stranger = openJsonClient(hub.grpc, credentials.createSsl(null, null, null, { rejectUnauthorized: false }));
  const roots = text((await stranger.ask(`${V1}.CertificateService/GetTrustBundle`, {}))['trustBundlePem']);
  stranger.close();
  const admin = openJsonClient(hub.grpc, credentials.createSsl(Buffer.from(roots)));
  const make: World['make'] = (rpc, request) => admin.ask(`${V1}.${rpc}`, request, administrator);
  const certificateOf: World['certificateOf'] = async (name) => {
    const issued = await make('SecurityHub/IssueServiceCert', { namespace: 'default', service: name, generateKey: {} });
    return { key: text(issued['privateKeyPem']), certificate: text(issued['certificatePem']) };
  };

  await make('AuthorizationService/PutResourceType', { resourceType: { name: 'orders', actions: ['read', 'write', 'delete', 'refund'] } });
  await make('AuthorizationService/PutRole', { role: { name: 'clerk', permissions: ['orders:read', 'orders:write'] } });
  await make('AuthorizationService/PutRole', { role: { name: 'teller', permissions: ['orders:refund'], requireMfa: true } });
  await make('UserService/CreateUser', { username: 'ann', password: PASSWORD, roles: ['clerk', 'teller'] });
  const edge = {
    namespace: 'default',
    name: 'edge',
    calls: ['Check'],
    audiences: ['security-hub'],
    resourceTypes: ['orders'],
    permissions: ['context:assert'],
  };
  await make('WorkloadService/PutWorkload', { workload: edge });
  const directory = mkdtempSync(join(tmpdir(), 'envoy-hub-'));
  const { key, certificate } = await certificateOf('edge');
  for (const [file, pem] of [
    ['tls.key', key],
    ['tls.crt', certificate],
    ['ca.crt', roots],
  ] as const)
    writeFileSync(join(directory, file), pem);

  const upstream = await startUpstream();
  const places = { directory, hub: hub.grpc, upstream };
  const [open, closed] = [await adapted(places, false), await adapted(places, true)];
  const running: EnvoyProcess[] = [await startEnvoy(open), await startEnvoy(closed)];
  const agent = new Agent({ keepAlive: false });

  const ask: World['ask'] = ({ method = 'GET', path = '/v1/orders/42', token, headers = {}, from, tls }) => {
    const [host, port] = (tls === undefined ? open : closed).address.split(':');
    const all = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), host: 'shop.example', ...headers };
    const common = {
      host,
      port,
      method,
      path,
      headers: all as Record<string, string>,
      ...(from === undefined ? {} : { localAddress: from }),
    };
    const secured = { ...common, ca: roots, checkServerIdentity: () => undefined, ...(tls ? { key: tls.key, cert: tls.certificate } : {}) };
    return new Promise((resolve, reject) => {
      const sent = tls === undefined ? plainRequest({ ...common, agent }) : tlsRequest({ ...secured, agent: false });
      sent.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers as Record<string, string>, body }));
      });
      sent.on('error', reject).end();
    });
  };

  return {
    get hub() {
      return hub;
    },
    upstream,
    roots,
    plain: open.address,
    tls: closed.address,
    bootstraps: [open, closed],
    make,
    async login(username) {
      const answer = await make('AuthenticationService/Login', { tenantId: 'dev', username, password: PASSWORD });
      return text(object(answer['tokens'])['accessToken']);
    },
    async loginBound(key) {
      const metadata = new Metadata();
      metadata.set('dpop', await key.proof(`https://${hub.grpc}/${LOGIN}`));
      const client = new Client(hub.grpc, credentials.createSsl(Buffer.from(roots)), { 'grpc.ssl_target_name_override': 'localhost' });
      const request = requestBytes(LOGIN, { tenantId: 'dev', username: 'ann', password: PASSWORD });
      const raw = (bytes: Buffer): Buffer => bytes;
      const bytes = await new Promise<Buffer>((resolve, reject) =>
        client.makeUnaryRequest(`/${LOGIN}`, raw, raw, request, metadata, (error, answer) =>
          error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
        ),
      );
      client.close();
      return LoginResponse.decode(bytes).tokens?.accessToken ?? '';
    },
    certificateOf,
    ask,
    log: () =>
      running.flatMap((one) =>
        one
          .output()
          .split('\n')
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
      ),
    async restartHub() {
      hub = await startHub(env);
    },
    async close() {
      await Promise.all(running.map((one) => one.stop()));
      await upstream.close();
      admin.close();
      await hub.stop();
    },
  };
};
