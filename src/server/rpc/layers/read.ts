// The request's bytes become a message, after the caller is known and let in: strangers cost no decoding.
import { kib } from '../../../base/bytes.ts';
import { Fault } from '../../../base/fault.ts';
import { decode } from '../decode.ts';
import type { Layer } from '../onion.ts';

/** A login, a certificate request; as over HTTP. What strangers send waits with them: for a hash, for a connection. */
const LARGEST_OF_STRANGERS = kib(128);

export const read = (): Layer => ({
  name: 'read',
  after: ['authenticate', 'admit'],
  wrap(route, inner) {
    // Streamed requests are decoded one by one as they come, in the core.
    if (route.wire.requestStream) return inner;
    return (call) => {
      const input = call.input as Uint8Array;
      if (call.caller.kind === 'anonymous' && input.length > LARGEST_OF_STRANGERS)
        throw new Fault(
          'INVALID_ARGUMENT',
          'REQUEST_TOO_LARGE',
          `a caller without a credential sends at most ${LARGEST_OF_STRANGERS} bytes`,
        );
      call.request = decode(route.wire, input);
      return inner(call);
    };
  },
});
