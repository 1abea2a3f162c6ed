// The connection of a client: one channel, replaced when its certificate changes, with a deadline, a credential and typed faults for each call.
import { type CallOptions as GrpcOptions, type ChannelOptions, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { mib } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { type Millis, minutes, seconds } from '../base/time.ts';
import { faultOf } from '../server/grpc/status.ts';
import { isLocal } from './address.ts';
import type { Connection, Method } from './calls.ts';
import { sslCredentials, sslOptions } from './credentials.grpc.ts';
import type { CallOptions, ClientOptions } from './options.ts';
import { serviceConfig } from './retries.ts';
import { type Pems, readPems, watchPems } from './tls-files.ts';

export interface OwnConnection extends Connection {
  /** Called when another certificate is in use: long streams should begin anew. Returns the end of it. */
  onReplaced(listener: () => void): () => void;
  /** Ends streams, lets calls under way finish. */
  close(): Promise<void>;
}

const DEADLINE: Millis = seconds(5);
const ATTEMPTS = 3;
const VERSION = '0.1.0';

/** A channel and the calls on it. */
interface Line {
  readonly client: Client;
  readonly streams: Set<{ cancel(): void }>;
  calls: number;
  retired: (() => void) | null;
}

const CLOSED = (): Fault => new Fault('CANCELLED', 'CLIENT_CLOSED', 'this client was closed');

/** Names what nobody of ours has said. */
const faultFrom = (error: ServiceError, address: string): Fault => {
  const fault = faultOf(error);
  if (fault.reason !== '') return fault;
  const reason = fault.code === 'UNAVAILABLE' ? 'HUB_UNREACHABLE' : fault.code === 'INTERNAL' ? 'INTERNAL' : fault.code;
  const message = fault.code === 'UNAVAILABLE' ? `no connection to ${address}: ${fault.message}` : fault.message;
  return new Fault(fault.code, reason, message, { meta: fault.meta, cause: error });
};

const channelOptions = (options: ClientOptions): ChannelOptions => ({
  'grpc.service_config': serviceConfig(options.attempts ?? ATTEMPTS),
  'grpc.service_config_disable_resolution': 1,
  // The hub is inside the company, whatever http_proxy says.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': seconds(30),
  'grpc.keepalive_timeout_ms': seconds(10),
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': seconds(5),
  'grpc.client_idle_timeout_ms': minutes(30),
  'grpc.max_receive_message_length': mib(16),
  'grpc.max_send_message_length': mib(4),
  'grpc.primary_user_agent': `${options.userAgent === undefined ? '' : `${options.userAgent} `}security-hub-client/${VERSION}`,
});

/** @throws Fault INVALID_ARGUMENT: files that cannot be used, or a credential that would go over the network in the clear */
export const openConnection = (options: ClientOptions): OwnConnection => {
  const { address } = options;
  const files = options.tls;
  const plaintext = files === false || (files === undefined && isLocal(address));
  const { serverName } = files === undefined || files === false ? {} : files;

  const open = (pems: Pems): Line => {
    const channel = plaintext ? credentials.createInsecure() : sslCredentials(address, pems, serverName);
    const named = plaintext ? {} : sslOptions(address, serverName);
    return { client: new Client(address, channel, { ...channelOptions(options), ...named }), streams: new Set(), calls: 0, retired: null };
  };

  const first = (): Line => {
    try {
      return open(plaintext || files === undefined ? { ca: null, cert: null, key: null } : readPems(files));
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      const message = `tls: the files must be PEM, and the key the certificate's: ${(cause as Error).message}`;
      throw new Fault('INVALID_ARGUMENT', 'TLS_FILES_INVALID', message, { cause });
    }
  };

  let line = first();
  const lines = new Set([line]);
  let closed = false;
  const replaced = new Set<() => void>();

  const settle = (of: Line): void => {
    if (of.calls > 0 || of.retired === null) return;
    of.client.close();
    lines.delete(of);
    of.retired();
    of.retired = null;
  };
  const retire = (old: Line): Promise<void> =>
    new Promise((resolve) => {
      const before = old.retired;
      old.retired = () => {
        before?.();
        resolve();
      };
      settle(old);
    });

  const replace = (pems: Pems): void => {
    const old = line;
    line = open(pems);
    lines.add(line);
    void retire(old);
    for (const listener of replaced) listener();
  };
  const unwatch = plaintext || files === undefined ? () => {} : watchPems(files, replace, options.onProblem ?? (() => {}));

  const { credential } = options;
  const credentialFor = async (call: CallOptions, refused?: string): Promise<string> => {
    if (call.credential !== undefined) return call.credential;
    if (typeof credential !== 'function') return credential ?? '';
    try {
      return await credential(refused);
    } catch (cause) {
      throw new Fault('UNAVAILABLE', 'CREDENTIAL_PROVIDER_FAILED', 'the provider of this client gave no credential', { cause });
    }
  };

  const metadataOf = (call: CallOptions, token: string): Metadata => {
    const metadata = new Metadata();
    if (token !== '') metadata.set('authorization', `Bearer ${token}`);
    if (call.requestId !== undefined) metadata.set('x-request-id', call.requestId);
    if (call.traceparent !== undefined) metadata.set('traceparent', call.traceparent);
    return metadata;
  };

  const attempt = <Q, S>(method: Method<Q, S>, request: Q, call: CallOptions, token: string, deadline: number): Promise<S> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(CLOSED());
      if (call.signal?.aborted === true) return reject(new Fault('CANCELLED', 'CANCELLED', 'the caller gave up'));
      const on = line;
      on.calls += 1;
      const metadata = metadataOf(call, token);
      const { requestSerialize, responseDeserialize } = method;
      const give = on.client.makeUnaryRequest(
        method.path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, value) => {
          call.signal?.removeEventListener('abort', cancel);
          on.calls -= 1;
          settle(on);
          if (error !== null) reject(faultFrom(error, address));
          else resolve(value as S);
        },
      );
      const cancel = (): void => give.cancel();
      call.signal?.addEventListener('abort', cancel, { once: true });
    });

  async function* streamed<Q, S>(method: Method<Q, S>, request: Q, call: CallOptions): AsyncGenerator<S, void, undefined> {
    const token = await credentialFor(call);
    if (closed) throw CLOSED();
    const on = line;
    const timed: GrpcOptions = call.deadline === undefined ? {} : { deadline: Date.now() + call.deadline };
    const { requestSerialize, responseDeserialize } = method;
    const stream = on.client.makeServerStreamRequest(
      method.path,
      requestSerialize,
      responseDeserialize,
      request,
      metadataOf(call, token),
      timed,
    );
    const cancel = (): void => stream.cancel();
    on.calls += 1;
    on.streams.add(stream);
    call.signal?.addEventListener('abort', cancel, { once: true });
    if (call.signal?.aborted === true) cancel();
    try {
      for await (const message of stream) yield message as S;
    } catch (error) {
      throw error instanceof Fault ? error : faultFrom(error as ServiceError, address);
    } finally {
      call.signal?.removeEventListener('abort', cancel);
      stream.cancel();
      on.streams.delete(stream);
      on.calls -= 1;
      settle(on);
    }
  }

  return {
    async unary(method, request, call = {}) {
      const deadline = Date.now() + (call.deadline ?? options.deadline ?? DEADLINE);
      const token = await credentialFor(call);
      try {
        return await attempt(method, request, call, token, deadline);
      } catch (error) {
        // Nothing was done: whoever is not known can do nothing.
        const own = typeof credential === 'function' && call.credential === undefined;
        if (!own || !(error instanceof Fault) || error.code !== 'UNAUTHENTICATED') throw error;
        const next = await credentialFor(call, token);
        if (next === token) throw error;
        return attempt(method, request, call, next, deadline);
      }
    },
    stream: (method, request, call = {}) => streamed(method, request, call),
    onReplaced(listener) {
      replaced.add(listener);
      return () => void replaced.delete(listener);
    },
    async close() {
      closed = true;
      unwatch();
      for (const { streams } of lines) for (const stream of streams) stream.cancel();
      await Promise.all([...lines].map(retire));
    },
  };
};
