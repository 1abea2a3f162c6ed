// Compressed messages (`grpc-encoding`) are handed on as they came. grpc-js would inflate each at once, for strangers too and all at the
// same time: four KiB from somebody who never showed a credential became four MiB, a thousand times, and were held until long after.
import { gunzipSync, inflateSync } from 'node:zlib';
import { type ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { Fault } from '../../base/fault.ts';
import type { Packed } from '../rpc/packed.ts';

/** Compressed flag and length (gRPC over HTTP/2, Length-Prefixed-Message). */
const HEADER = 5;

const WAYS = { gzip: gunzipSync, deflate: inflateSync } as const;
const isWay = (encoding: string): encoding is keyof typeof WAYS => Object.hasOwn(WAYS, encoding);

const packed = (bytes: Buffer, way: keyof typeof WAYS): Packed => ({
  unpack(most) {
    try {
      return WAYS[way](bytes, { maxOutputLength: most });
    } catch (cause) {
      // Of its faults the only one that is none of the bytes.
      if ((cause as { readonly name?: unknown }).name === 'RangeError')
        throw new Fault('INVALID_ARGUMENT', 'REQUEST_TOO_LARGE', `the request has more than ${most} bytes`);
      throw new Fault('INVALID_ARGUMENT', 'REQUEST_MALFORMED', `the request is not compressed with ${way}`, { cause });
    }
  },
});

/** In place of grpc-js' own, for one call. Throws the status that ends it. */
const asItCame = (message: Buffer, encoding: string): Buffer | Packed => {
  const bytes = message.subarray(HEADER);
  if (encoding === 'identity') return bytes;
  if (isWay(encoding)) return packed(bytes, encoding);
  // What is thrown here is the status that grpc-js ends the call with.
  throw { code: status.UNIMPLEMENTED, details: 'requests may be compressed with gzip or deflate' };
};

interface Inner {
  readonly incomingEncoding: string;
  decompressMessage: typeof asItCame;
}

/** Throws where the inside of grpc-js has changed, so that an upgrade cannot drop the bound in silence. */
export const unpacking: ServerInterceptor = (_method, call) => {
  const inner = call as unknown as Partial<Inner>;
  if (inner.incomingEncoding === undefined || inner.decompressMessage === undefined)
    throw new Error('grpc-js no longer inflates messages with decompressMessage');
  if (inner.incomingEncoding !== 'identity') inner.decompressMessage = asItCame;
  return call as unknown as ServerInterceptingCall;
};
