// Every unary RPC as JSON: proto3 JSON → bytes → the same onion → bytes → proto3 JSON (https://protobuf.dev/programming-guides/json/).
import { type DescField, type DescMessage, fromBinary, fromJsonString, type Registry, toBinary, toJsonString } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type { Clock, Instant } from '../../base/time.ts';
import { nearest } from '../../base/distance.ts';
import type { Descriptors } from '../descriptors/registry.ts';
import { LOST } from '../rpc/decode.ts';
import type { Invoker } from '../rpc/invoke.ts';
import { below, misfit, wanted } from './misfit.ts';
import { type HttpRequest, type HttpRoute, json } from './route.ts';

export interface JsonDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly descriptors: () => Descriptors;
  readonly invoker: Pick<Invoker, 'invoke' | 'routes'>;
  /** Full names of services that are not answered as JSON: the six calls in production. */
  readonly withheld: readonly string[];
}

const malformed = (field: string, description: string): Fault =>
  new Fault('INVALID_ARGUMENT', 'REQUEST_MALFORMED', field === '' ? description : `${field}: ${description}`, {
    violations: field === '' ? [] : [{ field, description }],
  });

/** Where it stops being JSON, and nothing of what stands there: it may be a secret. Null when it is JSON. */
const syntaxOf = (cause: unknown): string | null => {
  const { name, message = '' } = Object(cause) as Partial<Error>;
  return name === 'SyntaxError' ? (/ \(line \d+ column \d+\)$/.exec(message)?.[0] ?? '') : null;
};

/** `; did you mean …?`, among the fields of a message. */
const meant = (given: string, fields: readonly DescField[] = []): string => {
  const near = nearest(
    given,
    fields.map((field) => field.jsonName),
  );
  return near === null ? '' : `; did you mean ${near}?`;
};

/** What the library says about JSON that does not fit, as a field and a sentence; values are not repeated. */
const explain = (thrown: unknown, input: DescMessage, body: string, registry: Registry): Fault => {
  const { message = '', cause } = thrown as { readonly message?: string; readonly cause?: unknown };
  const syntax = syntaxOf(cause);
  if (syntax !== null) return malformed('', `the body is not valid JSON${syntax}`);
  const twice = /duplicate object key "([^]*)"$/.exec(message);
  if (twice !== null) return malformed((twice[1] ?? '').slice(0, 100), 'stands twice in one object');
  const place = misfit(input, JSON.parse(body.replace(/^\ufeff/, '')), registry);
  const unknown = /cannot decode message ([\w.]+) from JSON: key "([^]*)" is unknown$/.exec(message);
  if (unknown !== null) {
    const [, type = '', name = ''] = unknown;
    const fields = registry.getMessage(type)?.fields;
    return malformed(below(place, name.slice(0, 100)), `is not a field of ${type}${meant(name.slice(0, 100), fields)}`);
  }
  const field = /cannot decode (?:field|oneof) [\w.]+\.(\w+) from JSON: ([^]*)$/.exec(message);
  // What was given instead may be a secret in the wrong place.
  if (field !== null) {
    const [, name = '', sentence = ''] = field;
    // Of a choice that was made twice no part alone is to blame.
    const at = new RegExp(`(?:^|\\.)${name}(?:\\[\\d+\\])?$`).test(place) ? place : below(place, name);
    return malformed(at, sentence.replace(/"[^]*"/, 'text').slice(0, 200));
  }
  const type = /cannot decode (?:message |enum )?([\w.]+) from JSON/.exec(message);
  if (type === null) return malformed('', 'the body is not valid JSON');
  const sentence = wanted(type[1] ?? '', registry);
  return malformed(place, place === '' ? `the body ${sentence}` : sentence);
};

/** Maps and Structs lose this name on the way to bytes, as `decode` says; only they may have names that are no fields. */
const refuseLost = (body: string): void => {
  if (!body.includes(LOST) && !body.includes('\\u')) return;
  JSON.parse(body, (name, value: unknown) => {
    if (name === LOST) throw malformed(LOST, 'is no name here');
    return value;
  });
};

export const readJson = (message: DescMessage, body: string, { registry }: Descriptors): Uint8Array => {
  let bytes: Uint8Array;
  try {
    bytes = toBinary(message, fromJsonString(message, body, { registry }));
  } catch (thrown) {
    throw explain(thrown, message, body, registry);
  }
  refuseLost(body);
  return bytes;
};

/** Fields without presence are printed even when they hold their default: `"allowed": false` must not look like an absent answer. */
export const printJson = (message: DescMessage, bytes: Uint8Array, { registry }: Descriptors): string =>
  toJsonString(message, fromBinary(message, bytes), { registry, alwaysEmitImplicit: true });

export const utf8Text = (body: Buffer): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw malformed('', 'the body is not valid UTF-8');
  }
};

const TIMEOUT = 'connect-timeout-ms';

/** How long the caller waits, as clients of Connect say it (https://connectrpc.com/docs/protocol/, Timeout); our own cap where it does not. */
const deadlineOf = (timeout: string, now: Instant): Instant => {
  if (timeout === '') return Number.POSITIVE_INFINITY;
  if (!/^\d{1,10}$/.test(timeout)) throw malformed(TIMEOUT, 'must be whole milliseconds of at most 10 digits');
  return now + Number(timeout);
};

/** One route a unary method of the invoker; streams are gRPC's. */
export const jsonRoutes = ({ clock, descriptors, invoker, withheld }: JsonDeps): readonly HttpRoute[] =>
  [...invoker.routes.values()]
    .filter((route) => route.service.startsWith('securityhub.'))
    .map(({ path, service, type }): HttpRoute => {
      const handle = async (request: HttpRequest) => {
        if (withheld.includes(service))
          throw new Fault('UNIMPLEMENTED', 'JSON_WITHHELD', 'this call is answered over gRPC only; HTTP_SIX_CALLS=true opens it here');
        if (type !== 'unary') throw new Fault('UNIMPLEMENTED', 'STREAM_ONLY', 'this method is a stream: call it over gRPC');
        const described = descriptors();
        const method = described.method(path);
        if (method === undefined) throw new Fault('UNIMPLEMENTED', 'METHOD_UNKNOWN', 'there is no such method');
        const bytes = readJson(method.input, utf8Text(request.body), described);
        const header = (name: string): string => (name === 'x-request-id' ? request.requestId : request.header(name));
        const onCancel = (listener: () => void): void => request.onCancel(listener);
        const deadline = deadlineOf(request.header(TIMEOUT), clock.now());
        const answer = await invoker.invoke(path, bytes, { peer: request.peer, deadline, header, onCancel });
        return json(200, printJson(method.output, answer, described));
      };
      return { method: 'POST', path, exposure: 'guarded', accepts: ['application/json'], handle };
    });
