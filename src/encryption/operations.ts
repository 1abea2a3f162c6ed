// Counts and times what was sealed and opened; bound once, so that counting costs an addition.
import type { Clock, Millis } from '../base/time.ts';
import type { Metrics } from '../server/platform.ts';
import { type Algorithm, ALGORITHMS } from './envelope.ts';

/** `began`: by the monotonic clock. */
export type CountOperation = (algorithm: Algorithm, began: Millis) => void;

export const countOperations = (
  { metrics, clock }: { readonly metrics: Pick<Metrics, 'counter' | 'histogram'>; readonly clock: Pick<Clock, 'monotonic'> },
  operation: 'encrypt' | 'decrypt' | 'decrypt_failed',
): CountOperation => {
  const counters = Object.fromEntries(
    ALGORITHMS.map((algorithm) => [
      algorithm,
      metrics.counter('securityhub_crypto_operations_total', 'Values sealed, opened, and not opened.', { operation, algorithm }),
    ]),
  );
  const seconds = metrics.histogram('securityhub_crypto_seconds', 'Time that sealing or opening a value took.', { operation });
  return (algorithm, began) => {
    counters[algorithm]?.inc();
    seconds.observe((clock.monotonic() - began) / 1000);
  };
};
