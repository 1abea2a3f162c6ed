// grpc.health.v1: overall (''), each service by its full name, `liveness` and `readiness`.
import type { Call } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { seconds } from '../../base/time.ts';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
  HealthService,
} from '../../gen/grpc/health/v1/health.ts';
import { type Service, service } from '../rpc/define.ts';

export interface Health {
  readonly service: Service;
  /** Whether this replica can do its work. `liveness` stays: a replica that waits must not be killed. */
  setReady(ready: boolean): void;
  /** Not ready for good: everybody who watches is told before the sockets close. */
  drain(): void;
  readonly ready: boolean;
}

const LIVENESS = 'liveness';

/** `names`: full names of the services, besides '', `liveness` and `readiness`. Nothing serves before the first `setReady(true)`. */
export const createHealth = (names: readonly string[]): Health => {
  const known = new Set(['', LIVENESS, 'readiness', ...names]);
  const watchers = new Set<() => void>();
  let ready = false;
  let draining = false;

  const statusOf = (name: string) => {
    if (!known.has(name)) return Serving.SERVICE_UNKNOWN;
    return ready || name === LIVENESS ? Serving.SERVING : Serving.NOT_SERVING;
  };
  const set = (value: boolean): void => {
    if (ready === value) return;
    ready = value;
    for (const wake of watchers) wake();
  };

  /** The newest status whenever it differs from the last one told; a slow watcher misses what lay between. */
  async function* watch({ service: name }: HealthCheckRequest, { signal }: Call): AsyncGenerator<HealthCheckResponse> {
    let told: number | undefined;
    let wake = (): void => {};
    const changed = (): void => wake();
    watchers.add(changed);
    signal.addEventListener('abort', changed, { once: true });
    try {
      while (!signal.aborted) {
        const status = statusOf(name);
        if (status !== told) {
          told = status;
          yield { status };
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      watchers.delete(changed);
    }
  }

  const open = { access: 'anonymous', audit: 'none', limit: 'vital', idempotency: 'safe' } as const;
  return {
    service: service(HealthService, {
      check: {
        ...open,
        deadline: seconds(5),
        handle({ service: name }) {
          if (!known.has(name)) throw new Fault('NOT_FOUND', 'SERVICE_UNKNOWN', 'no service of this name is served here');
          return { status: statusOf(name) };
        },
      },
      list: {
        ...open,
        deadline: seconds(5),
        handle: () => ({ statuses: Object.fromEntries([...known].map((name) => [name, { status: statusOf(name) }])) }),
      },
      watch: { ...open, deadline: Number.POSITIVE_INFINITY, stream: watch },
    }),
    setReady: (value) => set(value && !draining),
    drain() {
      draining = true;
      set(false);
    },
    get ready() {
      return ready;
    },
  };
};
