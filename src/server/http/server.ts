// The HTTP side port: what it serves, and how it starts and leaves without losing a request.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { isLoopbackHost } from '../../base/address.ts';
import { toFault } from '../../base/fault.ts';
import type { Millis } from '../../base/time.ts';
import type { TlsSource } from '../grpc/credentials.ts';
import { listen } from '../listen.ts';
import type { Log } from '../platform.ts';
import { givenRequestId } from '../rpc/live-call.ts';
import { answering, headerOf, type Recognises } from './answer.ts';
import { faultReply } from './faults.ts';
import { createListener } from './listener.ts';
import type { HttpRoute, Reply } from './route.ts';

export interface HttpServerDeps {
  readonly routes: readonly HttpRoute[];
  readonly log: Log;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The setting it comes from; default HTTP_PORT. */
  readonly portName?: string;
  /** null: in the clear; then, beyond loopback, guarded routes are not served. */
  readonly tls: TlsSource | null;
  /** Names that Host may carry besides the loopback ones. */
  readonly hosts: readonly string[];
  readonly makeRequestId: () => string;
  readonly recognises: Recognises;
}

export interface HttpServer {
  /** Resolves with the port. */
  start(): Promise<number>;
  /** No new requests; those under way have `grace` to end. */
  stop(grace: Millis): Promise<void>;
}

const send = (message: IncomingMessage, response: ServerResponse, reply: Reply, requestId: string, closing: boolean): void => {
  // What was refused unread is not waited for.
  if (closing || !message.complete) response.shouldKeepAlive = false;
  response.writeHead(reply.status, {
    ...reply.headers,
    // RFC 9110 §8.6: a 304 would have to name the length of what it leaves out.
    ...(reply.status === 304 ? {} : { 'content-length': Buffer.byteLength(reply.body) }),
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
  });
  response.end(message.method === 'HEAD' ? undefined : reply.body);
};

/** Serves `routes`; in the clear beyond loopback only those that hold no secret and need none. */
export const createHttpServer = (deps: HttpServerDeps): HttpServer => {
  const { log, makeRequestId } = deps;
  const open = deps.tls === null && !isLoopbackHost(deps.host);
  const served = deps.routes.filter((route) => !open || route.exposure !== 'guarded');
  const answer = answering(served, deps.hosts, deps.recognises);
  let closing = false;

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = givenRequestId({ header: headerOf(message) }) || makeRequestId();
    let reply: Reply;
    try {
      reply = await answer(message, response, requestId);
    } catch (thrown) {
      // A caller that left while its body was read needs no answer and is nobody's error.
      if (message.destroyed && !message.complete) return;
      const fault = toFault(thrown);
      // The onion has logged what came out of it; the rest is logged here.
      if (fault !== thrown) log.error({ cause: thrown, path: message.url?.split('?', 1)[0] ?? '', requestId }, 'an HTTP route failed');
      reply = faultReply(fault, requestId);
    }
    if (!response.destroyed) send(message, response, reply, requestId, closing);
  };
  const listener: RequestListener = (message, response) => void serve(message, response);
  const { server, stop: stopWatching } = createListener(deps.tls, listener, log);

  return {
    async start() {
      await listen(server, { host: deps.host, port: deps.port }, `${deps.portName ?? 'HTTP_PORT'} or HTTP_HOST`);
      const { port } = server.address() as { readonly port: number };
      log.info({ address: deps.host, port, tls: deps.tls !== null }, 'HTTP listens');
      return port;
    },
    async stop(grace) {
      closing = true;
      stopWatching();
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearTimeout(timer);
    },
  };
};
