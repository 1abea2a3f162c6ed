// TLS of the gRPC port: a client certificate is asked for, not required, and our own is replaced while connections live.
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { seconds } from '../../base/time.ts';
import type { Log } from '../platform.ts';

export interface ServerIdentity {
  /** PEM. */
  readonly key: string;
  /** PEM, leaf first. */
  readonly chain: string;
  /** PEM of the authorities whose client certificates name a workload. */
  readonly ca: string;
}

/** Where the server's certificate comes from: our own authority, or files that somebody else renews. */
export interface TlsSource {
  current(): ServerIdentity;
  /** Calls `listener` after `current` has changed; answers what stops it. */
  onChange(listener: () => void): () => void;
}

/** Of both ports. Node is given all of them again at each change: what is left out falls back to its default. */
export const contextOf = ({ key, chain, ca }: ServerIdentity): SecureContextOptions => ({
  key,
  cert: chain,
  ca,
  minVersion: 'TLSv1.2',
  // TLS 1.2 with forward secrecy and authenticated encryption only; the suites of TLS 1.3 are good as they are.
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20',
  // A resumed session would carry a client's certificate past the handshake that checks it.
  secureOptions: constants.SSL_OP_NO_TICKET,
});

/** grpc-js takes certificates that change only from a subclass. */
class ReloadingCredentials extends ServerCredentials {
  constructor(first: ServerIdentity) {
    super({ requestCert: true, rejectUnauthorized: false, handshakeTimeout: seconds(10) }, contextOf(first));
  }
  replace(identity: ServerIdentity): void {
    this.updateSecureContextOptions(contextOf(identity));
  }
  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export interface ReloadingTls {
  readonly credentials: ServerCredentials;
  stop(): void;
}

/** Connections keep what they were made with; new ones get the newest that works. Throws if the first does not. */
export const createTls = (source: TlsSource, log: Log): ReloadingTls => {
  const first = source.current();
  createSecureContext(contextOf(first));
  const credentials = new ReloadingCredentials(first);
  const stop = source.onChange(() => {
    try {
      const identity = source.current();
      // Tried first: grpc-js drops every new connection once it was given something that does not load.
      createSecureContext(contextOf(identity));
      credentials.replace(identity);
    } catch (cause) {
      log.error({ cause }, 'the new server certificate does not load; the old one stays');
    }
  });
  return { credentials, stop };
};
