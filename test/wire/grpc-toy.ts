// A small service behind the whole gRPC transport, and a client that speaks bytes: what the wire tests and the overhead figures stand on.
import { type CallOptions, type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Call } from '../../src/base/call.ts';
import type { Caller } from '../../src/base/caller.ts';
import type { AuditEntry } from '../../src/base/event.ts';
import { Fault } from '../../src/base/fault.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/time.ts';
import { ErrorInfo, RetryInfo } from '../../src/gen/google/rpc/error_details.ts';
import { createGrpcServer, type GrpcServerDeps } from '../../src/server/grpc/server.ts';
import { createHealth } from '../../src/server/grpc/health.ts';
import { createMetrics } from '../../src/server/observability/metrics.ts';
import type { Log } from '../../src/server/platform.ts';
import { service } from '../../src/server/rpc/define.ts';
import { createInvoker } from '../../src/server/rpc/invoke.ts';
import type { Caps } from '../../src/server/rpc/layers/admit.ts';
import { note } from '../../src/server/rpc/live-call.ts';
import type { OnionPorts } from '../../src/server/rpc/onion.ts';

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

const method = <Q, S, const I extends boolean, const O extends boolean>(
  name: string,
  request: Message<Q>,
  response: Message<S>,
  requestStream: I,
  responseStream: O,
) => ({
  path: `/toy.v1.Toy/${name}`,
  requestStream,
  responseStream,
  requestDeserialize: (bytes: Buffer): Q => request.decode(bytes),
  responseSerialize: (value: S): Buffer => Buffer.from(response.encode(value).finish()),
});

const ToyService = {
  say: method('Say', ErrorInfo, ErrorInfo, false, false),
  echo: method('Echo', ErrorInfo, ErrorInfo, false, false),
  wait: method('Wait', RetryInfo, RetryInfo, false, false),
  fail: method('Fail', ErrorInfo, ErrorInfo, false, false),
  hang: method('Hang', ErrorInfo, ErrorInfo, false, false),
  guarded: method('Guarded', ErrorInfo, ErrorInfo, false, false),
  tick: method('Tick', RetryInfo, RetryInfo, false, true),
  flood: method('Flood', ErrorInfo, ErrorInfo, false, true),
  chat: method('Chat', ErrorInfo, ErrorInfo, true, true),
  join: method('Join', ErrorInfo, ErrorInfo, true, false),
};

const info = (reason: string, metadata: Record<string, string> = {}): ErrorInfo => ({ reason, domain: '', metadata });
export const infoBytes = (reason: string, metadata: Record<string, string> = {}): Buffer =>
  Buffer.from(ErrorInfo.encode(info(reason, metadata)).finish());
export const waitBytes = (milliseconds: number): Buffer =>
  Buffer.from(
    RetryInfo.encode({
      retryDelay: { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1e6 },
    }).finish(),
  );

const millisecondsOf = ({ retryDelay }: RetryInfo): number => (retryDelay?.seconds ?? 0) * 1000 + (retryDelay?.nanos ?? 0) / 1e6;
/** Does not keep the test process alive for a call that was given up. */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });

export interface Seen {
  readonly calls: Call[];
  readonly aborted: unknown[];
  readonly refused: AuditEntry[];
  readonly required: AuditEntry[];
  readonly sampled: AuditEntry[];
  readonly errors: unknown[];
  readonly flooded: number[];
}

const toyRows = (seen: Seen) => {
  const open = { access: 'anonymous', audit: 'none', limit: 'manage', deadline: 10_000, idempotency: 'safe' } as const;
  return service(ToyService, {
    say: { ...open, audit: 'sampled', handle: (request, call) => (seen.calls.push(call), request) },
    echo: { ...open, access: { permission: 'toy:play' }, audit: 'sampled', handle: (request) => request },
    wait: {
      ...open,
      audit: 'required',
      async handle(request, call) {
        note(call, { resource: 'toy:wait' });
        await pause(millisecondsOf(request));
        return request;
      },
    },
    fail: {
      ...open,
      handle({ reason, metadata }) {
        if (reason === 'reject') return Promise.reject(new Error('password=hunter2'));
        if (reason === 'throw') throw new Error('duplicate key value violates unique constraint');
        throw new Fault('FAILED_PRECONDITION', 'TOY_BROKEN', 'the toy is broken \ud800', {
          meta: metadata,
          violations: [{ field: 'reason', description: 'is wrong' }],
          retryAfter: 1500,
          cause: new Error('never shown'),
        });
      },
    },
    hang: {
      ...open,
      deadline: 300,
      handle: (_request, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            seen.aborted.push(signal.reason);
            reject(signal.reason as Error);
          });
        }),
    },
    guarded: { ...open, access: { permission: 'toy:play' }, handle: (request) => request },
    tick: {
      ...open,
      limit: 'stream',
      deadline: Number.POSITIVE_INFINITY,
      async *stream(request, { signal }) {
        signal.addEventListener('abort', () => seen.aborted.push(signal.reason));
        for (;;) {
          yield request;
          await pause(millisecondsOf(request));
        }
      },
    },
    flood: {
      ...open,
      async *stream() {
        const answer = info('x'.repeat(64 * 1024));
        for (;;) {
          seen.flooded.push(seen.flooded.length);
          yield answer;
        }
      },
    },
    chat: {
      ...open,
      async *converse(requests) {
        for await (const request of requests) yield { ...request, reason: request.reason.toUpperCase() };
      },
    },
    join: {
      ...open,
      async collect(requests) {
        const said: string[] = [];
        for await (const { reason } of requests) said.push(reason);
        return info(said.join(' '));
      },
    },
  });
};

export interface ToyOptions extends Partial<Pick<GrpcServerDeps, 'tls' | 'socket' | 'host'>> {
  readonly ports?: Partial<OnionPorts>;
  readonly caps?: Partial<Caps>;
}

export const startToy = async (options: ToyOptions = {}) => {
  const seen: Seen = { calls: [], aborted: [], refused: [], required: [], sampled: [], errors: [], flooded: [] };
  const log: Log = { info: () => {}, warn: () => {}, error: (fields, message) => seen.errors.push({ ...fields, message }) };
  const health = createHealth(['toy.v1.Toy']);
  const metrics = createMetrics('toy');
  const invoker = createInvoker({
    services: [toyRows(seen), health.service],
    caps: { inFlight: 1000, streams: 100, streamsPerCaller: 100, batches: 100, waits: 100, ...options.caps },
    ports: {
      clock: systemClock,
      random: systemRandom,
      log,
      metrics,
      recorder: {
        required: async (entry) => void seen.required.push(entry),
        refused: (entry) => void seen.refused.push(entry),
        sampled: (_kind, entry) => void seen.sampled.push(entry()),
      },
      authenticate: (): Caller => ({ kind: 'anonymous' }),
      holds: () => false,
      validate: () => [],
      pay: () => {},
      shed: () => false,
      ...options.ports,
    },
  });
  const server = createGrpcServer({
    invoker,
    log,
    host: options.host ?? '127.0.0.1',
    port: 0,
    socket: options.socket ?? '',
    tls: options.tls ?? null,
    maxConnections: 1000,
  });
  const port = await server.start();
  return { seen, health, metrics, invoker, server, port, stop: () => server.stop(1000) };
};

export type Toy = Awaited<ReturnType<typeof startToy>>;

export interface Answered {
  readonly bytes: Buffer;
  readonly metadata: Metadata;
}

const asIs = (bytes: Buffer): Buffer => bytes;

const metadataOf = (headers: Readonly<Record<string, string>>): Metadata => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
};

export const connect = (target: string, creds: ChannelCredentials = credentials.createInsecure(), options: object = {}) => {
  const client = new Client(target, creds, { 'grpc.use_local_subchannel_pool': 1, ...options });
  const start = (
    name: string,
    bytes: Buffer,
    headers = {},
    call: CallOptions = {},
    done: (error: ServiceError | null, answer: Answered) => void = () => {},
  ) => {
    let initial = new Metadata();
    const path = name.startsWith('/') ? name : `/toy.v1.Toy/${name}`;
    return client
      .makeUnaryRequest(path, asIs, asIs, bytes, metadataOf(headers), call, (error, answer) =>
        done(error, { bytes: answer ?? Buffer.alloc(0), metadata: initial }),
      )
      .on('metadata', (metadata) => (initial = metadata));
  };
  return {
    client,
    start,
    unary: (name: string, bytes: Buffer, headers = {}, call: CallOptions = {}): Promise<Answered> =>
      new Promise((resolve, reject) => {
        start(name, bytes, headers, call, (error, answer) => (error === null ? resolve(answer) : reject(error)));
      }),
    serverStream: (name: string, bytes: Buffer, call: CallOptions = {}) =>
      client.makeServerStreamRequest(name.startsWith('/') ? name : `/toy.v1.Toy/${name}`, asIs, asIs, bytes, call),
    bidi: (name: string) => client.makeBidiStreamRequest(`/toy.v1.Toy/${name}`, asIs, asIs),
    clientStream: (name: string, done: (error: ServiceError | null, bytes?: Buffer) => void) =>
      client.makeClientStreamRequest(`/toy.v1.Toy/${name}`, asIs, asIs, new Metadata(), {}, done),
    close: () => client.close(),
  };
};

export type ToyClient = ReturnType<typeof connect>;

/** The error of a call that must fail. */
export const failed = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => {
      throw new Error('the call was answered');
    },
    (error: ServiceError) => error,
  );

export const until = async (true_: () => boolean, atMost = 5000): Promise<void> => {
  const end = Date.now() + atMost;
  while (!true_()) {
    if (Date.now() > end) throw new Error('it did not come true in time');
    await pause(5);
  }
};
