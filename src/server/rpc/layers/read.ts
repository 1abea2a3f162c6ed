// The request's bytes become a message, after the caller is known and let in: strangers cost no decoding.
import { decode } from '../decode.ts';
import type { Layer } from '../onion.ts';

export const read = (): Layer => ({
  name: 'read',
  after: ['authenticate', 'admit'],
  wrap(route, inner) {
    // Streamed requests are decoded one by one as they come, in the core.
    if (route.wire.requestStream) return inner;
    return (call) => {
      call.request = decode(route.wire, call.input as Uint8Array);
      return inner(call);
    };
  },
});
