// Typed calls out of generated service definitions: a part of a request in, a promise or a stream out.
import type { DeepPartial } from '../gen/securityhub/v1/security_hub.ts';
import type { CallOptions } from './options.ts';

/** A method as ts-proto describes it, seen from a client. */
export interface Method<Q, S> {
  readonly path: string;
  readonly requestSerialize: (value: Q) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => S;
}

/** How calls travel. Both throw Fault only. */
export interface Connection {
  unary<Q, S>(method: Method<Q, S>, request: Q, options?: CallOptions): Promise<S>;
  stream<Q, S>(method: Method<Q, S>, request: Q, options?: CallOptions): AsyncIterable<S>;
}

interface Unary<Q, S> extends Method<Q, S> {
  readonly requestStream: false;
  readonly responseStream: false;
}

interface ServerStream<Q, S> extends Method<Q, S> {
  readonly requestStream: false;
  readonly responseStream: true;
}

/** The calls of a service; what is left out of a request is empty. Calls that stream their request are not among them. */
export type Calls<Definition> = {
  readonly [M in keyof Definition as Definition[M] extends { readonly requestStream: false } ? M : never]: Definition[M] extends Unary<
    infer Q,
    infer S
  >
    ? (request?: DeepPartial<Q>, options?: CallOptions) => Promise<S>
    : Definition[M] extends ServerStream<infer Q, infer S>
      ? (request?: DeepPartial<Q>, options?: CallOptions) => AsyncIterable<S>
      : never;
};

interface Message {
  fromPartial(part: object): unknown;
}

interface AnyMethod extends Method<unknown, unknown> {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** `module`: what the generated files hold. A method `X` takes `XRequest` of it (buf's RPC_REQUEST_STANDARD_NAME). */
export const callsOf = <Definition extends object>(connection: Connection, definition: Definition, module: object): Calls<Definition> => {
  const messages = module as Readonly<Record<string, Message | undefined>>;
  const calls = Object.entries(definition as Readonly<Record<string, AnyMethod>>).flatMap(([name, method]) => {
    const type = messages[`${method.path.slice(method.path.lastIndexOf('/') + 1)}Request`];
    if (method.requestStream) return [];
    if (type === undefined) throw new Error(`the generated files hold no request of ${method.path}`);
    const send = method.responseStream ? connection.stream : connection.unary;
    return [[name, (part: object = {}, options?: CallOptions) => send(method, type.fromPartial(part), options)] as const];
  });
  return Object.fromEntries(calls) as unknown as Calls<Definition>;
};
