// The transport as one part: every service behind the onion, over gRPC and over HTTP, with health, reflection and the drain.
import { setTimeout as sleep } from 'node:timers/promises';
import { isLoopbackHost } from '../base/address.ts';
import type { Random } from '../base/random.ts';
import type { Clock } from '../base/time.ts';
import { readProtoFiles } from './descriptors/files.ts';
import { descriptorBytes, descriptors } from './descriptors/registry.ts';
import { createValidator } from './descriptors/validate.ts';
import type { Config } from './config/schema.ts';
import type { TlsSource } from './grpc/credentials.ts';
import { createHealth } from './grpc/health.ts';
import { createReflection, reflectionAllowed } from './grpc/reflection.ts';
import { createGrpcServer } from './grpc/server.ts';
import { authzenRoutes } from './http/authzen.ts';
import { jsonRoutes } from './http/json.ts';
import { oauthRoutes } from './http/oauth.ts';
import { probeRoutes, publicRoutes, type PublicPorts } from './http/probes.ts';
import { createHttpServer } from './http/server.ts';
import type { MetricsRegistry } from './observability/metrics.ts';
import type { Log, Recorder } from './platform.ts';
import { createLagMeter } from './process/lag.ts';
import type { Part } from './process/lifecycle.ts';
import type { Service } from './rpc/define.ts';
import { createInvoker } from './rpc/invoke.ts';
import type { OnionPorts } from './rpc/onion.ts';

export interface TransportDeps {
  readonly config: Pick<Config, 'server' | 'grpc' | 'budgets'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly recorder: Recorder;
  readonly services: readonly Service[];
  readonly authenticate: OnionPorts['authenticate'];
  readonly holds: OnionPorts['holds'];
  readonly pay: OnionPorts['pay'];
  /** null: in the clear. */
  readonly tls: () => { readonly grpc: TlsSource | null; readonly http: TlsSource | null };
  /** What is missing before calls can be answered. */
  readonly missing: () => readonly string[];
  readonly keys: Omit<PublicPorts, 'oauth'>;
}

const SIX_CALLS = 'securityhub.v1.SecurityHub';
const READY_EVERY = 200;

const serviceNames = (services: readonly Service[]): string[] => [
  ...new Set(services.flatMap(({ methods }) => methods.map(({ method }) => method.path.split('/')[1] ?? ''))),
];

export const createTransport = (deps: TransportDeps) => {
  const { clock, random, log, metrics } = deps;
  const { server, grpc, budgets } = deps.config;
  const lag = createLagMeter(clock, grpc.shedLag);
  const names = serviceNames(deps.services);
  const health = createHealth(names);
  const reflection =
    server.reflection === 'off'
      ? []
      : createReflection({
          allowed: reflectionAllowed(server.reflection),
          services: () => serviceNames(services),
          files: () => readProtoFiles(descriptorBytes(), descriptors()),
        });
  const services: readonly Service[] = [...deps.services, health.service, ...reflection];
  const invoker = createInvoker({
    services,
    ports: { ...deps, validate: createValidator(), shed: lag.shed },
    caps: {
      inFlight: grpc.maxInFlight,
      streams: grpc.maxStreams,
      streamsPerCaller: grpc.maxStreamsPerCaller,
      batches: budgets.batches,
      waits: budgets.waits,
    },
  });
  metrics.gauge('securityhub_calls_in_flight', 'Unary calls that wait for something.', {}, () => invoker.load.unary);
  metrics.gauge('securityhub_streams_open', 'Streaming calls.', {}, () => invoker.load.streams);
  metrics.gauge('securityhub_event_loop_lag_seconds', 'Smoothed lag of the event loop.', {}, () => lag.lag / 1000);

  let draining = false;
  const missing = (): readonly string[] => (draining ? ['this replica is shutting down'] : deps.missing());
  const probes = probeRoutes({ missing, metrics });
  const withheld = server.environment === 'production' && !server.httpSixCalls ? [SIX_CALLS] : [];
  const common = {
    log,
    host: server.httpHost,
    hosts: server.httpHosts,
    recognises: invoker.recognises,
    makeRequestId: () => random.id('req'),
  };
  // Made at their start: the certificate they begin with is there only then.
  const createGrpc = () =>
    createGrpcServer({
      invoker,
      log,
      host: server.grpcHost,
      port: server.grpcPort,
      socket: server.grpcSocket,
      tls: deps.tls().grpc,
      maxConnections: grpc.maxConnections,
    });
  const createHttp = () => {
    const tls = deps.tls().http;
    const guarded = tls !== null || isLoopbackHost(server.httpHost);
    return createHttpServer({
      ...common,
      routes: [
        ...probes,
        ...publicRoutes({ ...deps.keys, oauth: guarded }),
        ...oauthRoutes({ invoker }),
        ...authzenRoutes({ invoker, descriptors, base: deps.keys.issuer.replace(/\/$/, ''), served: guarded }),
        ...jsonRoutes({ clock, descriptors, invoker, withheld }),
      ],
      port: server.httpPort,
      tls,
    });
  };
  const probeServer =
    server.probePort === 0
      ? null
      : createHttpServer({ ...common, routes: probes, port: server.probePort, portName: 'PROBE_PORT', tls: null });

  const ports = { grpc: server.grpcPort, http: server.httpPort };
  let grpcServer: ReturnType<typeof createGrpc> | undefined;
  let httpServer: ReturnType<typeof createHttp> | undefined;
  let watch: NodeJS.Timeout | undefined;
  const parts: readonly Part[] = [
    {
      name: 'probes',
      start: async () => {
        await probeServer?.start();
        watch = setInterval(() => health.setReady(missing().length === 0), READY_EVERY);
        watch.unref();
      },
      stop: async () => {
        clearInterval(watch);
        lag.stop();
        await probeServer?.stop(0);
      },
    },
    {
      name: 'grpc',
      start: async () => {
        grpcServer = createGrpc();
        ports.grpc = await grpcServer.start();
      },
      stop: () => grpcServer?.stop(grpc.drain),
    },
    {
      name: 'http',
      start: async () => {
        httpServer = createHttp();
        ports.http = await httpServer.start();
        health.setReady(missing().length === 0);
      },
      stop: () => httpServer?.stop(grpc.drain),
    },
    {
      name: 'readiness',
      // First to stop: balancers learn that we leave while we still answer.
      stop: async () => {
        draining = true;
        health.drain();
        await sleep(grpc.drainDelay);
      },
    },
  ];
  const methods: ReadonlySet<string> = new Set([...invoker.routes.values()].map((route) => route.method));
  return { invoker, parts, ports, methods };
};
