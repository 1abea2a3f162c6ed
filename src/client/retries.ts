// The service config of a client: which calls are sent again, how often, and when that would only add to the load.
import { IDEMPOTENT } from '../gen/idempotent.ts';

/** grpc-js makes no more, whatever is configured. */
const MOST_ATTEMPTS = 5;

/**
 * https://github.com/grpc/grpc/blob/master/doc/service_config.md. Only UNAVAILABLE is retried, where nothing was decided, and only calls
 * whose proto says that repeating them is safe. Every address behind a name is used in turn.
 */
export const serviceConfig = (attempts: number): string => {
  const maxAttempts = Math.min(Math.max(1, Math.floor(attempts)), MOST_ATTEMPTS);
  const retry = {
    name: IDEMPOTENT.map((path) => {
      const [service, method] = path.split('/');
      return { service, method };
    }),
    retryPolicy: {
      maxAttempts,
      initialBackoff: '0.05s',
      maxBackoff: '0.5s',
      backoffMultiplier: 3,
      retryableStatusCodes: ['UNAVAILABLE'],
    },
  };
  return JSON.stringify({
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: maxAttempts > 1 ? [retry] : [],
    // Ten failures in a row stop the retries; each answer earns a tenth of one back.
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
  });
};
