// Requests that have begun and are not whole yet: bounded in number for all connections together. Nobody has looked at who sends them, and
// each holds a stream, its headers and a small message: half a million, from a few hundred connections, took gigabytes.
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCall, ServerInterceptor } from '@grpc/grpc-js';
import { shed } from './shed.ts';

const SLOT: unique symbol = Symbol('slot');

/** The part of a stream that is used here. */
export type BegunStream = Pick<ServerHttp2Stream, 'close' | 'on'> & { [SLOT]?: number };

export interface Begun {
  begin(stream: BegunStream): void;
  /** It is whole: what follows has bounds of its own. */
  whole(stream: BegunStream): void;
}

/** So that one who opens streams all the time does not have all of them looked through for each. */
const GO_TOGETHER = 64;

/**
 * Beyond `most` those that began long ago go, with ENHANCE_YOUR_CALM, which callers read as RESOURCE_EXHAUSTED: an honest request is whole
 * in no time. Costs a call two writes and a listener that all of them share.
 */
export const createBegun = (most: number): Begun => {
  const streams: (BegunStream | null)[] = Array.from({ length: most }, () => null);
  const free = Array.from({ length: most }, (_, at) => most - 1 - at);
  // Taken in turn, so what it comes to has been there about as long as any.
  let hand = 0;

  const release = (slot: number): void => {
    streams[slot] = null;
    free.push(slot);
  };

  const makeRoom = (): void => {
    for (let gone = 0; gone < Math.min(GO_TOGETHER, most); gone++) {
      const stream = streams[hand];
      release(hand);
      hand = (hand + 1) % most;
      stream?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  };

  const whole = (stream: BegunStream): void => {
    const slot = stream[SLOT];
    if (slot !== undefined && streams[slot] === stream) release(slot);
  };
  /** With a stream goes what it had sent: megabytes. */
  function left(this: BegunStream): void {
    whole(this);
    shed(this);
  }

  return {
    begin(stream) {
      if (free.length === 0) makeRoom();
      const slot = free.pop() ?? 0;
      streams[slot] = stream;
      stream[SLOT] = slot;
      stream.on('close', left);
    },
    whole,
  };
};

/** Throws where the inside of grpc-js has changed, so that an upgrade cannot drop the bound in silence. */
export const beginning =
  ({ begin }: Begun): ServerInterceptor =>
  (_method, call) => {
    const { stream } = call as unknown as { readonly stream?: BegunStream };
    if (stream === undefined) throw new Error('grpc-js no longer keeps the stream of a call in stream');
    begin(stream);
    return call as unknown as ServerInterceptingCall;
  };

/** grpc-js calls a handler once the one request is whole; where many come, at once. */
export const wholeAt =
  ({ whole }: Begun) =>
  (call: object): void => {
    const stream = (call as { readonly call?: { readonly stream?: BegunStream } }).call?.stream;
    if (stream !== undefined) whole(stream);
  };
