// Room 2: a method's path, a request's bytes and who sent them → the answer's bytes. gRPC, the JSON gateway and tests all enter here.
import type { MaybePromise } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { core } from './core.ts';
import type { Service } from './define.ts';
import { admit, type Caps, type Load } from './layers/admit.ts';
import { authenticate } from './layers/authenticate.ts';
import { authorize } from './layers/authorize.ts';
import { deadline, type Running } from './layers/deadline.ts';
import { fault } from './layers/fault.ts';
import { observe } from './layers/observe.ts';
import { read } from './layers/read.ts';
import { record } from './layers/record.ts';
import { type Shares, spend } from './layers/spend.ts';
import { type Incoming, type Input, LiveCall, type Route, type Sink } from './live-call.ts';
import { checkOrder, compose, type Layer, type OnionPorts, type Step } from './onion.ts';
import type { Packed } from './packed.ts';

export interface Invoker {
  /** Every method by its path, `/securityhub.v1.SecurityHub/ValidateToken`. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Throws or rejects with a Fault, never with anything else. Answers at once where every layer and the handler can. */
  invoke(path: string, request: Uint8Array | Packed, incoming: Incoming): MaybePromise<Buffer>;
  /** A streaming call: answers go to `sink` as they come; resolves when the stream has ended well. */
  stream(path: string, input: Input, incoming: Incoming, sink: Sink): Promise<void>;
  /** A method that takes a stream of requests and answers once. */
  collect(path: string, input: AsyncIterable<Uint8Array | Packed>, incoming: Incoming): Promise<Buffer>;
  /**
   * Is what is shown good, whatever is asked? A DPoP proof is left for the call itself: it counts once.
   * UNAVAILABLE where nobody can know, RESOURCE_EXHAUSTED where the sender may cost no more.
   */
  recognises(shown: Pick<Incoming, 'peer' | 'header'>): Promise<boolean>;
  readonly load: Readonly<Load>;
  /** From now on streams are refused and those that run end with UNAVAILABLE / DRAINING. Unary calls go on. */
  endStreams(): void;
}

export interface InvokerDeps {
  readonly services: readonly Service[];
  readonly ports: OnionPorts;
  readonly caps: Caps & Shares;
}

const TYPES = { 'false,false': 'unary', 'true,false': 'client_stream', 'false,true': 'server_stream', 'true,true': 'bidi_stream' } as const;

const routeOf = ({ method, row }: Service['methods'][number]): Route => {
  const [, service = '', name = ''] = method.path.split('/');
  return {
    path: method.path,
    name: method.path.slice(1),
    service,
    method: name,
    type: TYPES[`${method.requestStream},${method.responseStream}`],
    row,
    wire: method,
  };
};

const draining = (): Fault =>
  new Fault('UNAVAILABLE', 'DRAINING', 'this replica is shutting down: connect to another one', { retryAfter: 100 });

export const createInvoker = ({ services, ports, caps }: InvokerDeps): Invoker => {
  const running: Running = new Set();
  const load: Load = { unary: 0, streams: 0 };
  let ending = false;
  const layers: readonly Layer[] = [
    observe(ports),
    fault(ports),
    deadline(ports, running),
    authenticate(ports),
    admit(ports, caps, load),
    read(),
    authorize(ports),
    spend(ports, caps),
    record(ports),
  ];
  checkOrder(layers);

  const routes = new Map<string, Route>();
  const steps = new Map<string, Step>();
  for (const method of services.flatMap((service) => service.methods)) {
    const route = routeOf(method);
    if (routes.has(route.path)) throw new Error(`two rows for ${route.path}`);
    routes.set(route.path, route);
    steps.set(route.path, compose(layers, route, core(ports, route)));
  }

  // Unique, not secret: a start and a number cost less than random bytes on every call.
  const start = ports.random.id('req');
  let count = 0;
  const makeId = (): string => `${start}-${(count++).toString(36)}`;

  const run = (path: string, input: Input, incoming: Incoming, sink: Sink | null): MaybePromise<Buffer> => {
    const step = steps.get(path);
    const route = routes.get(path);
    if (step === undefined || route === undefined) throw new Fault('UNIMPLEMENTED', 'METHOD_UNKNOWN', 'there is no such method');
    if (route.wire.requestStream === (ArrayBuffer.isView(input) || 'unpack' in input))
      throw new Fault('UNIMPLEMENTED', 'STREAM_ONLY', 'this method takes a stream of requests: call it over gRPC');
    return step(new LiveCall(route, incoming, ports.clock.now(), makeId, input, sink));
  };

  return {
    routes,
    load,
    invoke: (path, request, incoming) => run(path, request, incoming, null),
    async stream(path, input, incoming, sink) {
      if (ending) throw draining();
      await run(path, input, incoming, sink);
    },
    collect: async (path, input, incoming) => run(path, input, incoming, null),
    async recognises({ peer, header }) {
      const authorization = header('authorization');
      if (authorization === '' && peer.certificate === null) return false;
      try {
        const now = ports.clock.now();
        const { kind } = await ports.authenticate({ authorization, peer, now, requestId: '', dpop: '', target: '' });
        return kind !== 'anonymous';
      } catch (thrown) {
        if (!(thrown instanceof Fault) || thrown.code !== 'UNAUTHENTICATED') throw thrown;
        return thrown.reason === 'BINDING_MISSING';
      }
    },
    endStreams() {
      ending = true;
      for (const end of running) end(draining());
    },
  };
};
