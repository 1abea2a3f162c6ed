// Outermost: every call that starts is counted once when it ends, under the names gRPC dashboards expect.
import type { Code, Fault } from '../../../base/fault.ts';
import { isPromise } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

/** `PERMISSION_DENIED` → `PermissionDenied`, as go-grpc-prometheus prints `grpc_code`. */
const titleCode = (code: Code | 'OK'): string =>
  code === 'OK'
    ? 'OK'
    : code
        .split('_')
        .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
        .join('');

export const observe = (ports: Pick<OnionPorts, 'metrics' | 'clock'>): Layer => ({
  name: 'observe',
  after: [],
  wrap(route, inner) {
    const { metrics, clock } = ports;
    const labels = { grpc_type: route.type, grpc_service: route.service, grpc_method: route.method };
    const started = metrics.counter('grpc_server_started_total', 'Calls started.', labels);
    const seconds = metrics.histogram('grpc_server_handling_seconds', 'Time from the decoded headers to the answer.', labels);
    const counterOf = (code: Code | 'OK') =>
      metrics.counter('grpc_server_handled_total', 'Calls ended, by status code.', { ...labels, grpc_code: titleCode(code) });
    // OK stands at 0 from the start, so that a rate over it exists; the others appear with their first call.
    const ok = counterOf('OK');
    const failed = new Map<Code, { inc(): void }>();

    const fail = (fault: Fault, since: number): void => {
      let counter = failed.get(fault.code);
      if (counter === undefined) {
        counter = counterOf(fault.code);
        failed.set(fault.code, counter);
      }
      counter.inc();
      seconds.observe((clock.monotonic() - since) / 1000);
    };

    return (call) => {
      const since = clock.monotonic();
      started.inc();
      let answer: ReturnType<typeof inner>;
      try {
        answer = inner(call);
      } catch (fault) {
        fail(fault as Fault, since);
        throw fault;
      }
      if (!isPromise(answer)) {
        ok.inc();
        seconds.observe((clock.monotonic() - since) / 1000);
        return answer;
      }
      return answer.then(
        (bytes) => {
          ok.inc();
          seconds.observe((clock.monotonic() - since) / 1000);
          return bytes;
        },
        (fault: Fault) => {
          fail(fault, since);
          throw fault;
        },
      );
    };
  },
});
