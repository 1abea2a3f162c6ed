// The request's bytes become a message, after the caller is known and let in: strangers cost no decoding.
import { kib } from '../../../base/bytes.ts';
import { goOn, inLine } from '../../../base/turn.ts';
import { decode } from '../decode.ts';
import type { Layer } from '../onion.ts';
import { bytesOf, type Packed } from '../packed.ts';

/** Reading a large request, and what is done with it, are a turn of the event loop each: others have theirs between. */
const LARGE = kib(16);

const NOTHING = Buffer.alloc(0);

export const read = (): Layer => ({
  name: 'read',
  after: ['authenticate', 'admit'],
  wrap(route, inner) {
    // Streamed requests are decoded one by one as they come, in the core.
    if (route.wire.requestStream) return inner;
    return (call) => {
      const bytes = bytesOf(call.input as Uint8Array | Packed, call.caller);
      call.input = bytes;
      if (bytes.length < LARGE) {
        call.request = decode(route.wire, bytes);
        return inner(call);
      }
      return (async () => {
        try {
          await inLine();
          call.requireAwaited();
          call.request = decode(route.wire, bytes);
          await goOn();
          return await inner(call);
        } finally {
          // A call that waited its turn may be old to the collector: dead as it is, it would keep all that it has read till the heap is full.
          call.request = undefined;
          call.input = NOTHING;
        }
      })();
    };
  },
});
