// One call under way: what its transport told, what the layers found out, and how it ends early.
import type { Call, MaybePromise, Peer } from '../../base/call.ts';
import type { Caller } from '../../base/caller.ts';
import type { AuditEntry } from '../../base/event.ts';
import type { Fault } from '../../base/fault.ts';
import type { Instant } from '../../base/time.ts';
import type { AnyRow, Method } from './define.ts';
import type { Packed } from './packed.ts';

/** What a transport hands over with the request's bytes. */
export interface Incoming {
  readonly peer: Peer;
  /** The caller's own deadline; Infinity where it named none. */
  readonly deadline: Instant;
  /** First value of a header (lower-case name), '' where there is none. `:authority` is the name by which the caller knows us. */
  header(name: string): string;
  /** `listener` is called once nobody waits any more; at once if that has happened already. */
  readonly onCancel: (listener: () => void) => void;
}

/** One row of the method table, with what is known about it at start. */
export interface Route {
  /** `/securityhub.v1.SecurityHub/ValidateToken` */
  readonly path: string;
  /** `securityhub.v1.SecurityHub/ValidateToken` */
  readonly name: string;
  /** `securityhub.v1.SecurityHub` */
  readonly service: string;
  /** `ValidateToken` */
  readonly method: string;
  readonly type: 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';
  readonly row: AnyRow;
  readonly wire: Method;
}

/** One request, or each as they come. */
export type Input = Uint8Array | Packed | AsyncIterable<Uint8Array | Packed>;

/** Takes one answer of a stream; its promise is the back-pressure. */
export type Sink = (bytes: Buffer) => MaybePromise<void>;

const REQUEST_ID = /^[\w.~:/+=@-]{1,128}$/;
const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-|$)/;
const ANONYMOUS: Caller = { kind: 'anonymous' };

/** A caller's own request id, or '' where it is missing or could not stand in a header or a log line. */
export const givenRequestId = (incoming: Pick<Incoming, 'header'>): string => {
  const given = incoming.header('x-request-id');
  return REQUEST_ID.test(given) ? given : '';
};

/**
 * A class, because accessors on a prototype cost nothing until they are asked: most calls never need a signal,
 * a trace parent or a made-up request id.
 */
export class LiveCall implements Call {
  readonly route: Route;
  readonly now: Instant;
  caller: Caller = ANONYMOUS;
  deadline: Instant;
  readonly authorization: string;
  /** The one request, its bytes once it was read; or each as they come. */
  input: Input;
  readonly sink: Sink | null;
  /** The decoded request; an async iterable of them where the caller streams. */
  request: unknown = undefined;
  /** What the handler says about its own event. */
  noted: Partial<AuditEntry> | null = null;
  readonly #incoming: Incoming;
  readonly #makeId: () => string;
  #requestId = '';
  #controller: AbortController | null = null;
  #ended: Fault | null = null;

  constructor(route: Route, incoming: Incoming, now: Instant, makeId: () => string, input: Input, sink: Sink | null) {
    this.route = route;
    this.now = now;
    this.input = input;
    this.sink = sink;
    this.deadline = incoming.deadline;
    this.authorization = incoming.header('authorization');
    this.#incoming = incoming;
    this.#makeId = makeId;
  }

  get method(): string {
    return this.route.name;
  }
  get peer(): Peer {
    return this.#incoming.peer;
  }
  get requestId(): string {
    if (this.#requestId === '') this.#requestId = givenRequestId(this.#incoming) || this.#makeId();
    return this.#requestId;
  }
  get traceparent(): string {
    const given = this.#incoming.header('traceparent');
    return given.length <= 128 && TRACEPARENT.test(given) ? given : '';
  }
  get userAgent(): string {
    return this.#incoming.header('user-agent').slice(0, 256);
  }
  get dpop(): string {
    return this.#incoming.header('dpop');
  }
  get target(): string {
    return `https://${this.#incoming.header(':authority')}${this.route.path}`;
  }
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended !== null && !this.#controller.signal.aborted) this.#controller.abort(this.#ended);
    return this.#controller.signal;
  }
  onCancel(listener: () => void): void {
    this.#incoming.onCancel(listener);
  }
  /** Throws what has ended it. */
  requireAwaited(): void {
    if (this.#ended !== null) throw this.#ended;
  }
  /** Ends the work: whoever holds the signal, now or later, finds it aborted with `fault`. */
  abort(fault: Fault): void {
    this.#ended ??= fault;
    this.#controller?.abort(this.#ended);
  }
}

/** Lets a handler say what its own audit event is about: the resource, details. Last word wins; never a secret. */
export const note = (call: Call, over: Partial<AuditEntry>): void => {
  if (call instanceof LiveCall) call.noted = call.noted === null ? over : { ...call.noted, ...over };
};
