// A caller of the hub over gRPC: typed by the generated services, one connection, refusals as their code and reason.
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { faultOf } from '../../src/server/grpc/status.ts';

export interface Rpc<Q, S> {
  readonly path: string;
  /** Of a stream the first answer counts. */
  readonly responseStream?: boolean;
  readonly requestSerialize: (value: Q) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Q;
  readonly responseDeserialize: (bytes: Buffer) => S;
}

export interface Said<S> {
  /** OK, or the gRPC code's name. */
  readonly code: string;
  /** '' with OK. */
  readonly reason: string;
  readonly message: string;
  readonly answer: S | null;
  readonly milliseconds: number;
}

export interface Caller {
  /** Throws what is not OK, with code and reason in the message. What the request leaves out has its default; nested messages are whole. */
  ask<Q extends object, S>(rpc: Rpc<Q, S>, request: Partial<Q>, bearer?: string): Promise<S>;
  /** Never throws. */
  tell<Q extends object, S>(rpc: Rpc<Q, S>, request: Partial<Q>, bearer?: string): Promise<Said<S>>;
  close(): void;
}

const PATIENCE = 15_000;

/** `bearer` of a call wins over the caller's own. */
export const openCaller = (grpc: string, bearer = '', tls: ChannelCredentials = credentials.createInsecure()): Caller => {
  const client = new Client(grpc, tls, {
    // Two callers are two connections, and one that lost its server comes back soon.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
    'grpc.service_config_disable_resolution': 1,
  });
  const tell = <Q extends object, S>(rpc: Rpc<Q, S>, request: Partial<Q>, as = bearer): Promise<Said<S>> => {
    const metadata = new Metadata();
    if (as !== '') metadata.set('authorization', `Bearer ${as}`);
    const began = performance.now();
    const whole = { ...rpc.requestDeserialize(Buffer.alloc(0)), ...request };
    return new Promise((resolve) => {
      const options = { deadline: Date.now() + PATIENCE };
      const serialize = (value: Q): Buffer => rpc.requestSerialize(value);
      const deserialize = (bytes: Buffer): S => rpc.responseDeserialize(bytes);
      const settle = (error: ServiceError | null, answer?: S): void => {
        const milliseconds = performance.now() - began;
        if (error === null) return resolve({ code: 'OK', reason: '', message: '', answer: answer ?? null, milliseconds });
        const { code, reason } = faultOf(error);
        resolve({ code, reason, message: error.details, answer: null, milliseconds });
      };
      if (rpc.responseStream !== true)
        return void client.makeUnaryRequest(rpc.path, serialize, deserialize, whole, metadata, options, settle);
      const stream = client.makeServerStreamRequest(rpc.path, serialize, deserialize, whole, metadata, options);
      stream.on('error', (error) => settle(error as ServiceError));
      stream.once('data', (answer: S) => {
        settle(null, answer);
        stream.cancel();
      });
    });
  };
  return {
    tell,
    async ask(rpc, request, as) {
      const said = await tell(rpc, request, as);
      if (said.answer === null) throw new Error(`${rpc.path}: ${said.code} ${said.reason} ${said.message}`);
      return said.answer;
    },
    close: () => client.close(),
  };
};

/** The value below which this share of them lies, by nearest rank. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
};

/** Figures for whoever reads the run. */
export const report = (line: string): void => void process.stdout.write(`  ${line}\n`);

export const figures = (name: string, values: readonly number[]): string =>
  `${name}: ${values.length} × p50 ${percentile(values, 0.5).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(1)} ms, max ${Math.max(...values).toFixed(1)} ms`;
