// The listening socket of the side port: its limits, and TLS whose certificate is replaced while connections live.
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { kib } from '../../base/bytes.ts';
import { seconds } from '../../base/time.ts';
import { contextOf, type TlsSource } from '../grpc/credentials.ts';
import type { Log } from '../platform.ts';
import { limitPlaces } from './places.ts';

export interface Listener {
  readonly server: Server;
  /** Ends the watch over the certificate. */
  readonly stop: () => void;
}

/** Connections at the same time. */
const PLACES = 512;

const limit = (server: Server): void => {
  server.headersTimeout = seconds(10);
  server.requestTimeout = seconds(30);
  server.keepAliveTimeout = seconds(65);
  server.maxHeadersCount = 64;
  limitPlaces(server, PLACES);
};

const OPTIONS = {
  maxHeaderSize: kib(16),
  noDelay: true,
  // Headers that stand twice are joined, not dropped: two hosts, types or credentials are none that anybody knows.
  joinDuplicateHeaders: true,
  // Node looks every half minute whether somebody is over its time.
  connectionsCheckingInterval: seconds(1),
} as const;

const createTls = (source: TlsSource, listener: RequestListener, log: Log): Listener => {
  const contextual = { ...OPTIONS, requestCert: true, rejectUnauthorized: false, handshakeTimeout: seconds(10) };
  const server = createTlsServer({ ...contextual, ...contextOf(source.current()) }, listener);
  const stop = source.onChange(() => {
    try {
      const context = contextOf(source.current());
      createSecureContext(context);
      server.setSecureContext(context);
    } catch (cause) {
      log.error({ cause }, 'the new HTTPS certificate does not load; the old one stays');
    }
  });
  return { server, stop };
};

export const createListener = (tls: TlsSource | null, listener: RequestListener, log: Log): Listener => {
  const made = tls === null ? { server: createServer(OPTIONS, listener), stop: () => {} } : createTls(tls, listener, log);
  limit(made.server);
  return made;
};
