// The answer of a unary call leaves in one piece: headers, message and trailers are handed to HTTP/2 at once. grpc-js writes the
// message, waits for the socket and only then ends the stream: one more turn of the event loop, and everything of the call kept alive for it.
import type { ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status as codes,
} from '@grpc/grpc-js';
import { kib } from '../../base/bytes.ts';

/** Longer answers keep grpc-js' own way, which waits for a slow reader before it lets go. */
const ONE_PIECE = kib(64);

const RESPONSE = { ':status': 200, 'content-type': 'application/grpc+proto', 'grpc-accept-encoding': 'identity,deflate,gzip' } as const;
const OPTIONS = { waitForTrailers: true, sendDate: false } as const;
const OK = { 'grpc-status': 0, 'grpc-message': 'OK' } as const;

/** What is used of grpc-js' own call, beyond its interface. */
interface Inner extends ServerInterceptingCallInterface {
  readonly stream: Pick<ServerHttp2Stream, 'respond' | 'on' | 'end' | 'sendTrailers'>;
  metadataSent: boolean;
  wantTrailers: boolean;
  checkCancelled(): boolean;
}

const isInner = (call: unknown): call is Inner => {
  const { stream, metadataSent, wantTrailers, checkCancelled } = call as Partial<Inner>;
  return stream !== undefined && metadataSent === false && wantTrailers === false && typeof checkCancelled === 'function';
};

/** Compressed flag 0, length, message (gRPC over HTTP/2, Length-Prefixed-Message). */
const framed = (message: Buffer): Buffer => {
  const bytes = Buffer.allocUnsafe(message.length + 5);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, 5);
  return bytes;
};

function sendOk(this: Inner['stream']): void {
  this.sendTrailers(OK);
}

/** A class, because one is made for every call. */
class Reply implements ServerInterceptingCallInterface {
  readonly #inner: Inner;
  #message: Buffer | null = null;

  constructor(inner: Inner) {
    this.#inner = inner;
  }
  /** Read by whoever asks which connection a call came over. */
  get stream(): Inner['stream'] {
    return this.#inner.stream;
  }
  sendMessage(message: Buffer, sent: () => void): void {
    if (message.length > ONE_PIECE) return this.#inner.sendMessage(message, sent);
    this.#message = message;
    sent();
  }
  sendStatus(status: Parameters<ServerInterceptingCallInterface['sendStatus']>[0]): void {
    const inner = this.#inner;
    const message = this.#message;
    if (message === null) return inner.sendStatus(status);
    if (status.code !== codes.OK || (status.metadata ?? null) !== null) return inner.sendMessage(message, () => inner.sendStatus(status));
    if (inner.checkCancelled()) return;
    if (!inner.metadataSent) inner.stream.respond(RESPONSE, OPTIONS);
    // grpc-js' own deadline finds the call answered.
    inner.metadataSent = true;
    inner.wantTrailers = true;
    inner.stream.on('wantTrailers', sendOk);
    inner.stream.end(framed(message));
  }
  start(listener: Parameters<ServerInterceptingCallInterface['start']>[0]): void {
    this.#inner.start(listener);
  }
  sendMetadata(metadata: Metadata): void {
    this.#inner.sendMetadata(metadata);
  }
  startRead(): void {
    this.#inner.startRead();
  }
  getPeer(): string {
    return this.#inner.getPeer();
  }
  getDeadline(): ReturnType<ServerInterceptingCallInterface['getDeadline']> {
    return this.#inner.getDeadline();
  }
  getHost(): string {
    return this.#inner.getHost();
  }
  getAuthContext(): ReturnType<ServerInterceptingCallInterface['getAuthContext']> {
    return this.#inner.getAuthContext();
  }
  getConnectionInfo(): ReturnType<ServerInterceptingCallInterface['getConnectionInfo']> {
    return this.#inner.getConnectionInfo();
  }
  getMetricsRecorder(): ReturnType<ServerInterceptingCallInterface['getMetricsRecorder']> {
    return this.#inner.getMetricsRecorder();
  }
}

/** Throws where the inside of grpc-js has changed, so that an upgrade is found by the first call of a test. */
export const replying: ServerInterceptor = ({ requestStream, responseStream }, call) => {
  if (requestStream || responseStream) return call as ServerInterceptingCall;
  if (!isInner(call)) throw new Error('grpc-js no longer keeps what a call has sent in metadataSent and wantTrailers');
  return new Reply(call) as unknown as ServerInterceptingCall;
};
