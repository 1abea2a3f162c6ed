// Streaming methods as grpc-js wants them, with back-pressure: the next answer is asked for when the last one has left.
import type { handleBidiStreamingCall, handleClientStreamingCall, handleServerStreamingCall, StatusObject } from '@grpc/grpc-js';
import type { Readable } from 'node:stream';
import { kib } from '../../base/bytes.ts';
import type { Invoker } from '../rpc/invoke.ts';
import type { Input, Sink } from '../rpc/live-call.ts';
import type { Packed } from '../rpc/packed.ts';
import { echoRequestId, incomingOf, refusal, type SurfaceCall } from './incoming.ts';
import type { PeerOf } from './peer.ts';

interface Writable extends SurfaceCall {
  write(bytes: Buffer, sent: () => void): boolean;
  end(): unknown;
  emit(event: 'error', status: StatusObject): boolean;
}

/** Bytes of one stream that may wait for a caller who does not read. grpc-js counts messages instead, sixteen of any size. */
const WAITING = kib(32);

const sinkOf = (call: Writable): Sink => {
  let waiting = 0;
  let drained = (): void => {};
  return (bytes) => {
    waiting += bytes.length;
    call.write(bytes, () => {
      waiting -= bytes.length;
      if (waiting <= WAITING) drained();
    });
    if (waiting <= WAITING) return undefined;
    return new Promise((resolve) => {
      drained = resolve;
    });
  };
};

/** Left whole when the requests have ended: the answers still go out through it. */
const requestsOf = (call: Pick<Readable, 'iterator'>): AsyncIterable<Buffer | Packed> => call.iterator({ destroyOnReturn: false });

const run = (invoker: Invoker, path: string, peerOf: PeerOf, call: Writable, input: Input): void => {
  const incoming = incomingOf(call, peerOf);
  let begun = false;
  const sink = sinkOf(call);
  const first: Sink = (bytes) => {
    if (!begun) echoRequestId(call, incoming);
    begun = true;
    return sink(bytes);
  };
  invoker.stream(path, input, incoming, first).then(
    () => call.end(),
    // The way of grpc-js to end a stream with a status.
    (thrown: unknown) => call.emit('error', refusal(thrown)),
  );
};

export const serverStream =
  (invoker: Invoker, path: string, peerOf: PeerOf): handleServerStreamingCall<Buffer | Packed, Buffer> =>
  (call) =>
    run(invoker, path, peerOf, call, call.request);

export const bidiStream =
  (invoker: Invoker, path: string, peerOf: PeerOf): handleBidiStreamingCall<Buffer | Packed, Buffer> =>
  (call) =>
    run(invoker, path, peerOf, call, requestsOf(call));

export const clientStream =
  (invoker: Invoker, path: string, peerOf: PeerOf): handleClientStreamingCall<Buffer | Packed, Buffer> =>
  (call, respond) => {
    const incoming = incomingOf(call, peerOf);
    invoker.collect(path, requestsOf(call), incoming).then(
      (bytes) => {
        echoRequestId(call, incoming);
        respond(null, bytes);
      },
      (thrown: unknown) => respond(refusal(thrown)),
    );
  };
