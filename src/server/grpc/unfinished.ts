// Requests that are still coming in: the memory they take is bounded for all connections together. It is strangers' as well: who
// sends one is asked only when the request is whole, and a message may be megabytes, a connection thousands of them.
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCall, ServerInterceptor } from '@grpc/grpc-js';

/** Compressed flag and length (gRPC over HTTP/2, Length-Prefixed-Message). */
const HEADER = 5;

const NOTHING: Buffer = Buffer.alloc(0);

const isWhole = (chunk: Buffer): boolean => chunk.length >= HEADER && chunk.readUInt32BE(1) === chunk.length - HEADER;

/** The part of a stream that is used here. */
export type IncomingStream = Pick<ServerHttp2Stream, 'on' | 'once' | 'close'>;

export interface Unfinished {
  /** `one`: a request of one message, which is held until the sender has said that nothing follows: until then nobody reads it. */
  watch(stream: IncomingStream, one: boolean): void;
  /** Bytes of all unfinished requests. */
  readonly held: number;
}

/**
 * Beyond `most` bytes the request that has waited longest goes, with ENHANCE_YOUR_CALM, which callers read as RESOURCE_EXHAUSTED:
 * an honest one is whole in no time, so those who stall are the first to go. A message that comes in one piece costs a look at its header.
 */
export const createUnfinished = (most: number): Unfinished => {
  // In the order in which they began.
  const waiting = new Map<IncomingStream, number>();
  let held = 0;

  const forget = (stream: IncomingStream): void => {
    held -= waiting.get(stream) ?? 0;
    waiting.delete(stream);
  };

  const hold = (stream: IncomingStream, bytes: number): void => {
    waiting.set(stream, (waiting.get(stream) ?? 0) + bytes);
    held += bytes;
    while (held > most) {
      const oldest = waiting.keys().next();
      if (oldest.done === true) return;
      forget(oldest.value);
      oldest.value.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  };

  return {
    watch(stream, one) {
      /** Of the message under way: what is still to come, and its header as far as it is here. */
      let missing = 0;
      let header = NOTHING;
      let heard = false;

      stream.on('data', (chunk: Buffer) => {
        // Nearly every message: whole, and alone in its piece.
        if (missing === 0 && header === NOTHING && !heard && isWhole(chunk)) return;
        let at = 0;
        while (at < chunk.length) {
          if (missing === 0) {
            const rest = chunk.subarray(at, at + HEADER - header.length);
            header = header.length === 0 ? rest : Buffer.concat([header, rest]);
            at += rest.length;
            if (header.length < HEADER) break;
            missing = header.readUInt32BE(1);
            header = NOTHING;
          }
          const taken = Math.min(missing, chunk.length - at);
          missing -= taken;
          at += taken;
        }
        if (missing === 0 && header.length === 0 && !one) return forget(stream);
        if (!heard) {
          heard = true;
          stream.once('close', () => forget(stream));
          if (one) stream.once('end', () => forget(stream));
        }
        hold(stream, chunk.length);
      });
    },
    get held() {
      return held;
    },
  };
};

/** Throws where the inside of grpc-js has changed, so that an upgrade cannot drop the bound in silence. */
export const watching =
  ({ watch }: Unfinished): ServerInterceptor =>
  ({ requestStream }, call) => {
    const { stream } = call as unknown as { readonly stream?: IncomingStream };
    if (stream === undefined) throw new Error('grpc-js no longer keeps the stream of a call in stream');
    watch(stream, !requestStream);
    return call as unknown as ServerInterceptingCall;
  };
