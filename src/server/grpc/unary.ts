// Unary methods: bytes in, bytes out. grpc-js makes a stream of every such call, though nothing streams, and that keeps all of the call alive
// (see `shed`). Here a call is one object, which grpc-js tells of the request as it comes.
import { type Metadata, type Server, type ServerInterceptingCallInterface, status as codes } from '@grpc/grpc-js';
import { isPromise } from '../../base/maybe.ts';
import type { Invoker } from '../rpc/invoke.ts';
import type { Incoming } from '../rpc/live-call.ts';
import type { Packed } from '../rpc/packed.ts';
import { giveBack } from './give-back.ts';
import { echoRequestId, incomingOf, refusal, type SurfaceCall } from './incoming.ts';
import type { PeerOf } from './peer.ts';

type Request = Buffer | Packed;
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type UnaryHandler = (call: UnaryCall) => void;

/** grpc-js hands on a message with its compressed flag and length before it. */
const HEADER = 5;

const OK = { code: codes.OK, details: 'OK' };
/** As grpc-js has it where the caller takes the method for one that streams. */
const notOne = (details: string) => ({ code: codes.UNIMPLEMENTED, details });

/** What one call is to its handler, and what grpc-js tells of it. */
class UnaryCall implements SurfaceCall, Listener {
  /** The way below: who asks for the connection finds it there. */
  readonly call: ServerInterceptingCallInterface;
  metadata!: Metadata;
  request: Request | null = null;
  cancelled = false;
  readonly #handler: UnaryHandler;
  #onCancel: (() => void)[] | null = null;

  constructor(call: ServerInterceptingCallInterface, handler: UnaryHandler) {
    this.call = call;
    this.#handler = handler;
  }
  onReceiveMetadata(metadata: Metadata): void {
    this.metadata = metadata;
    this.call.startRead();
  }
  onReceiveMessage(message: Request): void {
    if (this.request !== null) return this.call.sendStatus(notOne('this method takes one request: a second one came'));
    this.request = message;
    this.call.startRead();
  }
  onReceiveHalfClose(): void {
    if (this.request === null) return this.call.sendStatus(notOne('this method takes one request: none came'));
    this.#handler(this);
  }
  onCancel(): void {
    this.cancelled = true;
    for (const listener of this.#onCancel ?? []) listener();
  }
  once(_event: 'cancelled', listener: () => void): void {
    (this.#onCancel ??= []).push(listener);
  }
  getDeadline(): Date | number {
    return this.call.getDeadline();
  }
  getHost(): string {
    return this.call.getHost();
  }
  sendMetadata(metadata: Metadata): void {
    this.call.sendMetadata(metadata);
  }
  answer(bytes: Buffer): void {
    this.call.sendMessage(bytes, () => this.call.sendStatus(OK));
  }
  refuse(thrown: unknown): void {
    this.call.sendStatus(refusal(thrown));
  }
}

/** Never a raw promise: a rejected one would hang the call. */
export const unary = (invoker: Invoker, path: string, peerOf: PeerOf): UnaryHandler => {
  const fleeting = 'fleeting' in (invoker.routes.get(path)?.row ?? {});
  const done = ({ request }: UnaryCall): void => {
    if (fleeting && ArrayBuffer.isView(request)) giveBack(request, HEADER);
  };
  const answer = (call: UnaryCall, incoming: Incoming, bytes: Buffer): void => {
    echoRequestId(call, incoming);
    call.answer(bytes);
    // What is on its way is a copy.
    if (fleeting) giveBack(bytes);
    done(call);
  };
  const refuse = (call: UnaryCall, thrown: unknown): void => {
    call.refuse(thrown);
    done(call);
  };
  return (call) => {
    try {
      const incoming = incomingOf(call, peerOf);
      const bytes = invoker.invoke(path, call.request as Request, incoming);
      if (!isPromise(bytes)) return answer(call, incoming, bytes);
      bytes.then(
        (later) => answer(call, incoming, later),
        (thrown: unknown) => refuse(call, thrown),
      );
    } catch (thrown) {
      refuse(call, thrown);
    }
  };
};

interface Inside {
  _runHandlerForCall?: (call: ServerInterceptingCallInterface, handler: { readonly type: string; readonly func: unknown }) => boolean;
}

/** In place of grpc-js' own way with them. Throws where its inside has changed. */
export const runUnary = (server: Server): void => {
  const inside = server as unknown as Inside;
  const others = inside._runHandlerForCall;
  if (others === undefined) throw new Error('grpc-js no longer runs handlers in _runHandlerForCall');
  inside._runHandlerForCall = (call, handler) => {
    if (handler.type !== 'unary') return others.call(server, call, handler);
    call.start(new UnaryCall(call, handler.func as UnaryHandler));
    return true;
  };
};
