// The HTTP side port over the real onion, with rows that answer as the test wants: what the HTTP and reflection tests stand on.
import { readdirSync } from 'node:fs';
import { type IncomingHttpHeaders, request, type RequestOptions } from 'node:http';
import type { Call } from '../../src/base/call.ts';
import type { Caller } from '../../src/base/caller.ts';
import { Fault } from '../../src/base/fault.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/time.ts';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { createValidator } from '../../src/server/descriptors/validate.ts';
import { jsonRoutes } from '../../src/server/http/json.ts';
import { oauthRoutes } from '../../src/server/http/oauth.ts';
import { probeRoutes, publicRoutes } from '../../src/server/http/probes.ts';
import type { HttpRoute } from '../../src/server/http/route.ts';
import { createHttpServer, type HttpServerDeps } from '../../src/server/http/server.ts';
import { createMetrics } from '../../src/server/observability/metrics.ts';
import type { Log } from '../../src/server/platform.ts';
import type { AnyRow, Method, Service } from '../../src/server/rpc/define.ts';
import { createInvoker } from '../../src/server/rpc/invoke.ts';
import type { OnionPorts } from '../../src/server/rpc/onion.ts';

export type Handle = (call: Call, request: Record<string, unknown>) => unknown;

const open = { access: 'anonymous', audit: 'none', limit: 'manage', deadline: 10_000, idempotency: 'safe' } as const;
const folder = new URL('../../src/gen/securityhub/v1/', import.meta.url);

/** Every service of the contract; each method is answered by `handle`, an empty message where it answers nothing. */
export const everyService = async (handle: Handle): Promise<Service[]> => {
  const definitions: Record<string, Method>[] = [];
  for (const file of readdirSync(folder)) {
    const generated = (await import(new URL(file, folder).href)) as Record<string, Record<string, Method>>;
    for (const [name, value] of Object.entries(generated))
      if (name.endsWith('Service') && typeof value === 'object') definitions.push(value);
  }
  return definitions.map((definition) => ({
    methods: Object.values(definition).map((method) => {
      const row: AnyRow = method.responseStream
        ? { ...open, stream: async function* () {} }
        : { ...open, handle: (request: Record<string, unknown>, call: Call) => handle(call, request) ?? Buffer.alloc(0) };
      return { method, row };
    }),
  }));
};

export interface ToyOptions extends Partial<Pick<HttpServerDeps, 'host' | 'tls' | 'hosts'>> {
  readonly handle?: Handle;
  readonly ports?: Partial<OnionPorts>;
  readonly services?: readonly Service[];
  readonly withheld?: readonly string[];
  readonly missing?: () => readonly string[];
  readonly routes?: readonly HttpRoute[];
}

export const toyInvoker = async (options: ToyOptions, log: Log) => {
  const metrics = createMetrics('toy');
  const services = options.services ?? (await everyService(options.handle ?? (() => undefined)));
  const ports: OnionPorts = {
    clock: systemClock,
    random: systemRandom,
    log,
    metrics,
    recorder: { required: async () => {}, refused: () => {}, sampled: () => {} },
    authenticate: ({ authorization }): Caller => {
      if (authorization !== 'Bearer good') throw new Fault('UNAUTHENTICATED', 'TOKEN_MALFORMED', 'this is no token');
      return { kind: 'api_key', tenantId: 'acme', keyId: 'key_1', ownerId: 'usr_1', permissions: [], scopes: [] };
    },
    holds: () => false,
    validate: createValidator(),
    pay: () => {},
    shed: () => false,
    ...options.ports,
  };
  return {
    invoker: createInvoker({ services, caps: { inFlight: 100, streams: 10, streamsPerCaller: 10, batches: 10, waits: 10 }, ports }),
    metrics,
  };
};

export const startHttp = async (options: ToyOptions = {}) => {
  const errors: unknown[] = [];
  const log: Log = { info: () => {}, warn: () => {}, error: (fields, message) => errors.push({ ...fields, message }) };
  const { invoker, metrics } = await toyInvoker(options, log);
  const server = createHttpServer({
    log,
    host: options.host ?? '127.0.0.1',
    port: 0,
    tls: options.tls ?? null,
    hosts: options.hosts ?? [],
    makeRequestId: () => 'made-here',
    recognises: invoker.recognises,
    routes: [
      ...probeRoutes({ missing: options.missing ?? (() => []), metrics }),
      ...publicRoutes({
        jwks: () => ({ json: '{"keys":[]}', maxAge: 300 }),
        issuer: 'https://hub.example',
        algorithms: () => ['ES256'],
        oauth: true,
      }),
      ...oauthRoutes({ invoker }),
      ...jsonRoutes({ clock: systemClock, descriptors, invoker, withheld: options.withheld ?? [] }),
      ...(options.routes ?? []),
    ],
  });
  return { server, port: await server.start(), errors, metrics };
};

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Plain node:http, so that Host and every other header are the test's own. */
export const ask = (port: number, path: string, options: RequestOptions & { readonly body?: string | Buffer } = {}): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const sent = request({ host: '127.0.0.1', port, path, agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });

export const post = (port: number, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> =>
  ask(port, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
