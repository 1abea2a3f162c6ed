// The pieces a message came in are let go once it is whole. grpc-js copies them into one and keeps them all the same, until the call has
// ended: twice the bytes of each request, of which those that wait for their turn are old to the collector by then.
import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';

interface Inside {
  write?: (data: Buffer) => Buffer[];
}

interface Gathering {
  /** 0 between two messages. */
  readonly readState: number;
  readPartialMessage: Buffer[];
  /** A view of the first piece. */
  readCompressFlag: Buffer;
}

const NONE: Buffer[] = [];
const NO_FLAG = Buffer.alloc(1);

/** Once for all servers of this process. Throws where the inside of grpc-js has changed. */
export const letPiecesGo = (): void => {
  const inside = StreamDecoder.prototype as unknown as Inside;
  const { write } = inside;
  const { readState, readPartialMessage, readCompressFlag } = new StreamDecoder(-1) as unknown as Partial<Gathering>;
  if (write === undefined || readState !== 0 || !Array.isArray(readPartialMessage) || readCompressFlag?.length !== 1)
    throw new Error('grpc-js no longer gathers the pieces of a message in readPartialMessage');
  if (write.name === 'gathered') return;
  inside.write = function gathered(this: Gathering, data) {
    const whole = write.call(this, data);
    // The next message begins with an array and a flag of its own.
    if (this.readState === 0) {
      this.readPartialMessage = NONE;
      this.readCompressFlag = NO_FLAG;
    }
    return whole;
  };
};
