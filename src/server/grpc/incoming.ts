// What one gRPC call brings along, in the words of room 2.
import { Metadata } from '@grpc/grpc-js';
import type { Peer } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import type { Instant } from '../../base/time.ts';
import { requestIdOf } from '../rpc/layers/fault.ts';
import { givenRequestId, type Incoming } from '../rpc/live-call.ts';
import type { PeerOf } from './peer.ts';
import { statusOf } from './status.ts';

/** What all kinds of grpc-js server calls have in common, as far as we use it. */
export interface SurfaceCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  /** The `:authority` that the caller used. */
  getHost(): string;
  sendMetadata(metadata: Metadata): void;
  once(event: 'cancelled', listener: () => void): unknown;
}

/** A class, because one is made for every call. */
class GrpcIncoming implements Incoming {
  readonly peer: Peer;
  readonly deadline: Instant;
  readonly #call: SurfaceCall;

  constructor(call: SurfaceCall, peer: Peer) {
    const deadline = call.getDeadline();
    this.peer = peer;
    this.deadline = typeof deadline === 'number' ? deadline : deadline.getTime();
    this.#call = call;
  }
  header(name: string): string {
    if (name === ':authority') return this.#call.getHost();
    const value = this.#call.metadata.get(name)[0];
    return typeof value === 'string' ? value : '';
  }
  onCancel(listener: () => void): void {
    if (this.#call.cancelled) listener();
    else this.#call.once('cancelled', listener);
  }
}

export const incomingOf = (call: SurfaceCall, peerOf: PeerOf): Incoming => new GrpcIncoming(call, peerOf(call));

/** Gives the caller its own request id back, in the initial metadata; only a caller that sent one looks for it. */
export const echoRequestId = (call: SurfaceCall, incoming: Incoming): void => {
  const given = givenRequestId(incoming);
  if (given === '') return;
  const metadata = new Metadata();
  metadata.set('x-request-id', given);
  call.sendMetadata(metadata);
};

/** The invoker promises Faults; should it break its word, nothing of the stranger is shown. */
export const refusal = (thrown: unknown) => {
  const fault = thrown instanceof Fault ? thrown : new Fault('INTERNAL', 'INTERNAL', 'internal error');
  return statusOf(fault, requestIdOf(fault));
};
