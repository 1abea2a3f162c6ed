// The innermost step of each kind of row: check the bounds, call the handler, encode what it answers.
import type { MaybePromise } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { decode, encode } from './decode.ts';
import type { BidiRow, ClientStreamRow, StreamRow, UnaryRow } from './define.ts';
import { type CheckRequest, requestCheck } from './layers/authorize.ts';
import type { LiveCall, Route, Sink } from './live-call.ts';
import { isPromise } from '../../base/maybe.ts';
import type { OnionPorts, Step } from './onion.ts';
import { bytesOf, type Packed } from './packed.ts';

type CorePorts = Pick<OnionPorts, 'validate' | 'holds'>;

const EMPTY = Buffer.alloc(0);

/** Bounds are told only to callers that may use the row: this stands behind authorize. */
const checkBounds = (ports: CorePorts, route: Route, request: unknown, bytes: Uint8Array): void => {
  const violations = ports.validate(route.path, request, bytes);
  const [first] = violations;
  if (first === undefined) return;
  throw new Fault('INVALID_ARGUMENT', 'REQUEST_INVALID', `${first.field}: ${first.description}`, { violations });
};

const unary = (ports: CorePorts, route: Route, row: UnaryRow<unknown, unknown>): Step => {
  const { wire } = route;
  return (call) => {
    checkBounds(ports, route, call.request, call.input as Uint8Array);
    const answer = row.handle(call.request, call);
    return isPromise(answer) ? answer.then((value) => encode(wire, value)) : encode(wire, answer);
  };
};

/** Each streamed request passes the same gates as the request of a unary call. */
async function* requests(ports: CorePorts, route: Route, check: CheckRequest, call: LiveCall): AsyncGenerator<unknown> {
  for await (const input of call.input as AsyncIterable<Uint8Array | Packed>) {
    const bytes = bytesOf(input, call.caller);
    const request = decode(route.wire, bytes);
    await check(call.caller, request);
    checkBounds(ports, route, request, bytes);
    yield request;
  }
}

/** Sends answers until the source ends, or the call does: a source that hangs is told to return, and not waited for. */
const drainInto = async (route: Route, call: LiveCall, source: AsyncIterable<unknown>, sink: Sink): Promise<Buffer> => {
  const { signal } = call;
  const answers = source[Symbol.asyncIterator]();
  // One listener for the whole stream; racing each answer against one long-lived promise would keep every loser in memory.
  let stop: (fault: unknown) => void = () => {};
  signal.addEventListener('abort', () => stop(signal.reason), { once: true });
  const unlessEnded = <T>(work: MaybePromise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      stop = reject;
      if (signal.aborted) reject(signal.reason as Fault);
      else Promise.resolve(work).then(resolve, reject);
    });
  try {
    for (;;) {
      const next = await unlessEnded(answers.next());
      if (next.done === true) return EMPTY;
      const sent = sink(encode(route.wire, next.value));
      if (isPromise(sent)) await unlessEnded(sent);
    }
  } catch (thrown) {
    answers.return?.().catch(() => {});
    throw thrown;
  }
};

const streaming = (route: Route, answersOf: (call: LiveCall) => AsyncIterable<unknown>): Step => {
  return (call) => {
    const { sink } = call;
    if (sink === null) throw new Fault('UNIMPLEMENTED', 'STREAM_ONLY', 'this method answers with a stream: call it over gRPC');
    return drainInto(route, call, answersOf(call), sink);
  };
};

/** The step behind all layers. */
export const core = (ports: CorePorts, route: Route): Step => {
  const { row, wire } = route;
  if (wire.requestStream) {
    const check = requestCheck(route, ports.holds);
    const each = (call: LiveCall) => requests(ports, route, check, call);
    if (wire.responseStream) return streaming(route, (call) => (row as BidiRow<unknown, unknown>).converse(each(call), call));
    const { collect } = row as ClientStreamRow<unknown, unknown>;
    return async (call) => encode(wire, await collect(each(call), call));
  }
  if (!wire.responseStream) return unary(ports, route, row as UnaryRow<unknown, unknown>);
  const { stream } = row as StreamRow<unknown, unknown>;
  return streaming(route, (call) => {
    checkBounds(ports, route, call.request, call.input as Uint8Array);
    return stream(call.request, call);
  });
};
