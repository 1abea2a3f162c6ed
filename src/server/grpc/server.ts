// The gRPC server: listens, sorts connections into near and far ones, hands calls to the invoker, and leaves without losing any.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { type ConnectionInjector, Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js';
import { isLoopback } from '../../base/address.ts';
import { mib } from '../../base/bytes.ts';
import type { Millis } from '../../base/time.ts';
import { listen } from '../listen.ts';
import type { Log } from '../platform.ts';
import type { Invoker } from '../rpc/invoke.ts';
import type { Route } from '../rpc/live-call.ts';
import { showAllCredentials } from './credentials-shown.ts';
import { type Begun, beginning, createBegun, wholeAt } from './begun.ts';
import { createTls, type TlsSource } from './credentials.ts';
import { type Distance, limitHttp2, serverOptions } from './options.ts';
import { createPeers, type PeerOf } from './peer.ts';
import { letPiecesGo } from './pieces.ts';
import { replying } from './reply.ts';
import { dieYoung } from './stream-table.ts';
import { bidiStream, clientStream, serverStream } from './stream.ts';
import { keepLongDeadlines } from './timeouts.ts';
import { runUnary, unary } from './unary.ts';
import { createUnfinished, type Unfinished, watching } from './unfinished.ts';
import { unpacking } from './unpacking.ts';

export interface GrpcServerDeps {
  readonly invoker: Invoker;
  readonly log: Log;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Path of a Unix socket that speaks gRPC in the clear, '' for none. */
  readonly socket: string;
  /** null: in the clear. The composition root has seen to it that this is allowed. */
  readonly tls: TlsSource | null;
  readonly maxConnections: number;
}

export interface GrpcServer {
  /** Resolves with the TCP port. */
  start(): Promise<number>;
  /** No new connections; streams end, those connected are told to go elsewhere; resolves when the last call has ended or `grace` is over. */
  stop(grace: Millis): Promise<void>;
}

const HANDLERS = { unary, server_stream: serverStream, client_stream: clientStream, bidi_stream: bidiStream } as const;
const TYPES = { unary: 'unary', server_stream: 'serverStream', client_stream: 'clientStream', bidi_stream: 'bidi' } as const;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Of messages still coming in, on all connections together: a hundred callers who send the largest plaintext at the same moment. */
const UNFINISHED = mib(96);

/** And their number, however small: more than are ever answered at the same time. */
const BEGUN = 8192;

interface Bounds {
  readonly unfinished: Unfinished;
  readonly begun: Begun;
}

const createHttp2 = (distance: Distance, invoker: Invoker, peerOf: PeerOf, { unfinished, begun }: Bounds): Server => {
  const interceptors = [beginning(begun), watching(unfinished), unpacking, replying];
  const server = new Server({ ...serverOptions(distance), interceptors });
  const whole = wholeAt(begun);
  limitHttp2(server, distance);
  keepLongDeadlines();
  letPiecesGo();
  runUnary(server);
  const add = ({ path, type }: Route): void => {
    const handler = HANDLERS[type](invoker, path, peerOf) as (call: object, respond: unknown) => void;
    const answer = (call: object, respond: unknown): void => {
      whole(call);
      handler(call, respond);
    };
    server.register(path, answer as UntypedHandleCall, asIs, asIs, TYPES[type]);
  };
  invoker.routes.forEach(add);
  return server;
};

/** Resolves when the last of its connections has closed. */
const emptied = (server: NetServer | null): Promise<void> =>
  new Promise((resolve) => {
    if (server === null || !server.listening) resolve();
    else server.close(() => resolve());
  });

export const createGrpcServer = (deps: GrpcServerDeps): GrpcServer => {
  const { invoker, log } = deps;
  const peerOf = createPeers();
  const bounds = { unfinished: createUnfinished(UNFINISHED), begun: createBegun(BEGUN) };
  const servers = { near: createHttp2('near', invoker, peerOf, bounds), far: createHttp2('far', invoker, peerOf, bounds) };
  const tls = deps.tls === null ? null : createTls(deps.tls, log);
  const clear = ServerCredentials.createInsecure();
  const tcp = {
    near: servers.near.createConnectionInjector(tls?.credentials ?? clear),
    far: servers.far.createConnectionInjector(tls?.credentials ?? clear),
  };
  const local = servers.near.createConnectionInjector(clear);
  for (const server of [servers.near, servers.far]) {
    dieYoung(server);
    showAllCredentials(server);
  }

  const sockets = new Set<Socket>();
  const listener = (injectorOf: (socket: Socket) => ConnectionInjector): NetServer => {
    const server = createServer({ noDelay: true }, (socket) => {
      // Whoever resets before the handshake is nobody's error.
      socket.on('error', () => {});
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      injectorOf(socket).injectConnection(socket);
    });
    server.maxConnections = deps.maxConnections;
    return server;
  };
  const overTcp = listener((socket) => (isLoopback(socket.remoteAddress ?? '') ? tcp.near : tcp.far));
  const overUnix = deps.socket === '' ? null : listener(() => local);

  return {
    async start() {
      await listen(overTcp, { host: deps.host, port: deps.port }, 'GRPC_PORT or GRPC_HOST');
      if (overUnix !== null) {
        // A socket left behind by a killed process would refuse us for ever.
        rmSync(deps.socket, { force: true });
        await listen(overUnix, { path: deps.socket }, 'GRPC_SOCKET');
        chmodSync(deps.socket, 0o660);
      }
      const { port } = overTcp.address() as { port: number };
      log.info({ address: deps.host, port, tls: tls !== null, path: deps.socket }, 'gRPC listens');
      return port;
    },
    async stop(grace) {
      const closed = Promise.all([emptied(overTcp), emptied(overUnix)]);
      tls?.stop();
      invoker.endStreams();
      // Sends GOAWAY. Its callback is not to be relied on: since Node 24 it comes at once, with an open stream it never came.
      for (const server of [servers.near, servers.far]) server.tryShutdown(() => {});
      let timer: NodeJS.Timeout | undefined;
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, grace);
      });
      await Promise.race([closed, over]);
      clearTimeout(timer);
      // Nor is forceShutdown: it knows the sessions only while channelz is on.
      for (const socket of sockets) socket.destroy();
    },
  };
};
