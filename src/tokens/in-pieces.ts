// Long work on the database in short pieces, so that nobody waits for it and a slow database gets on with it as well.
import { toFault } from '../base/fault.ts';
import type { Clock, Millis } from '../base/time.ts';
import { next, type Pace, rest } from './pace.ts';

const FIRST = 1000;

const pause = (length: Millis): Promise<void> => new Promise((resolve) => setTimeout(resolve, length));

/**
 * Does pieces until one says that there are no more. What the database cannot do in its time is asked for in a smaller piece: a piece that
 * failed with UNAVAILABLE has moved nothing on.
 */
export const inPieces = async (
  { clock }: { readonly clock: Clock },
  pace: Pace,
  piece: (limit: number) => Promise<boolean>,
): Promise<void> => {
  for (let [size, more] = [FIRST, true]; more; ) {
    const began = clock.monotonic();
    let failed: unknown = null;
    try {
      more = await piece(size);
    } catch (error) {
      if (toFault(error).code !== 'UNAVAILABLE') throw error;
      failed = error;
    }
    const took = clock.monotonic() - began;
    const wanted = next(pace, size, failed === null ? took : null);
    if (wanted === null) throw failed;
    size = wanted;
    if (more) await pause(rest(took));
  }
};
