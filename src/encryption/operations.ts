// Counts what was sealed and opened, by algorithm; bound once, so that counting costs an addition.
import type { Metrics } from '../server/platform.ts';
import { type Algorithm, ALGORITHMS } from './envelope.ts';

export type CountOperation = (algorithm: Algorithm) => void;

export const countOperations = (metrics: Pick<Metrics, 'counter'>, operation: 'encrypt' | 'decrypt' | 'decrypt_failed'): CountOperation => {
  const counters = Object.fromEntries(
    ALGORITHMS.map((algorithm) => [
      algorithm,
      metrics.counter('securityhub_crypto_operations_total', 'Values sealed, opened, and not opened.', { operation, algorithm }),
    ]),
  );
  return (algorithm) => counters[algorithm]?.inc();
};
