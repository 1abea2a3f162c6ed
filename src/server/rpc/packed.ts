// Requests that come compressed: their bytes are made only once it is known who sent them, and never more than that sender may send.
import { kib, mib } from '../../base/bytes.ts';
import type { Caller } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';

/** A login, a certificate request; as over HTTP. What strangers send waits with them: for a hash, for a connection. */
export const LARGEST_OF_STRANGERS = kib(128);

/** Above every field's own bound (plaintext 1 MiB, batches, CSRs), so that those are the ones to speak. */
export const LARGEST_REQUEST = mib(4);

export interface Packed {
  /** INVALID_ARGUMENT / REQUEST_TOO_LARGE for more than `most` bytes, REQUEST_MALFORMED for what is not compressed as it says. */
  unpack(most: number): Uint8Array;
}

/** The bytes of one request. INVALID_ARGUMENT / REQUEST_TOO_LARGE, REQUEST_MALFORMED. */
export const bytesOf = (input: Uint8Array | Packed, { kind }: Caller): Uint8Array => {
  if (kind !== 'anonymous') return ArrayBuffer.isView(input) ? input : input.unpack(LARGEST_REQUEST);
  const bytes = ArrayBuffer.isView(input) ? input : input.unpack(LARGEST_OF_STRANGERS);
  if (bytes.length <= LARGEST_OF_STRANGERS) return bytes;
  throw new Fault('INVALID_ARGUMENT', 'REQUEST_TOO_LARGE', `a caller without a credential sends at most ${LARGEST_OF_STRANGERS} bytes`);
};
