// Unary methods as grpc-js wants them: bytes in, bytes out; never a raw promise, for a rejected one would hang the call.
import type { handleUnaryCall } from '@grpc/grpc-js';
import { isPromise } from '../../base/maybe.ts';
import type { Invoker } from '../rpc/invoke.ts';
import { echoRequestId, incomingOf, refusal } from './incoming.ts';
import type { Packed } from '../rpc/packed.ts';
import type { PeerOf } from './peer.ts';

export const unary =
  (invoker: Invoker, path: string, peerOf: PeerOf): handleUnaryCall<Buffer | Packed, Buffer> =>
  (call, respond) => {
    const incoming = incomingOf(call, peerOf);
    const answer = (bytes: Buffer): void => {
      echoRequestId(call, incoming);
      respond(null, bytes);
    };
    const refuse = (thrown: unknown): void => respond(refusal(thrown));
    try {
      const bytes = invoker.invoke(path, call.request, incoming);
      if (isPromise(bytes)) bytes.then(answer, refuse);
      else answer(bytes);
    } catch (thrown) {
      refuse(thrown);
    }
  };
