// The memory of large messages, freed when they are done.
import { kib } from '../../base/bytes.ts';

/** Below it a collection of young objects costs less than giving back. */
const LARGE = kib(16);

/**
 * Frees the memory of large bytes now, not when the collector finds them: those of a call that has waited are old to it, and would stay until
 * the heap is full. For bytes that nobody reads from now on: they are empty afterwards. `besides`: bytes of the same memory that are nobody's
 * either, a header; where there are more, it is shared, and stays.
 */
export const giveBack = (bytes: Uint8Array, besides = 0): void => {
  const { buffer, length } = bytes;
  if (length >= LARGE && buffer instanceof ArrayBuffer && buffer.byteLength <= length + besides) buffer.transfer(0);
};
