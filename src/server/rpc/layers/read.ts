// The request's bytes become a message, after the caller is known and let in: strangers cost no decoding.
import { decode } from '../decode.ts';
import type { Layer } from '../onion.ts';
import { bytesOf, type Packed } from '../packed.ts';

export const read = (): Layer => ({
  name: 'read',
  after: ['authenticate', 'admit'],
  wrap(route, inner) {
    // Streamed requests are decoded one by one as they come, in the core.
    if (route.wire.requestStream) return inner;
    return (call) => {
      const bytes = bytesOf(call.input as Uint8Array | Packed, call.caller);
      call.input = bytes;
      call.request = decode(route.wire, bytes);
      return inner(call);
    };
  },
});
