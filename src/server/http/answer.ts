// One HTTP request: its route, what keeps it out, its body, its answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Peer } from '../../base/call.ts';
import { mib } from '../../base/bytes.ts';
import { Fault } from '../../base/fault.ts';
import { describeCertificate } from '../../base/peer-certificate.ts';
import { isLoopback, plainAddress } from '../../base/address.ts';
import { LARGEST_OF_STRANGERS } from '../rpc/packed.ts';
import { faultReply } from './faults.ts';
import { knownHost } from './hosts.ts';
import type { HttpRequest, HttpRoute, Reply } from './route.ts';

/** 1 MiB of plaintext in base64 and its envelope. */
const LARGEST_BODY = mib(2);

const certificateOf = (socket: TLSSocket): Peer['certificate'] => {
  const certificate = socket.encrypted === true && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  return certificate === undefined ? null : describeCertificate(certificate);
};

const peers = new WeakMap<object, Peer>();
const peerOf = ({ socket }: IncomingMessage): Peer => {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  const address = plainAddress(socket.remoteAddress ?? '');
  const peer: Peer = { transport: 'http', address, loopback: isLoopback(address), certificate: certificateOf(socket as TLSSocket) };
  peers.set(socket, peer);
  return peer;
};

export const headerOf =
  (message: IncomingMessage) =>
  (name: string): string => {
    // HTTP/1.1's word for it.
    const value = message.headers[name === ':authority' ? 'host' : name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  };

/** null when it is larger than we take; `more` is asked once how much that is where it passes what strangers may send. */
const bodyOf = async (message: IncomingMessage, more: () => Promise<number>): Promise<Buffer | null> => {
  let largest = LARGEST_OF_STRANGERS;
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed on return: the refusal still has to go out over this socket.
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largest && largest === LARGEST_OF_STRANGERS) largest = await more();
    if (size > largest) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const tooLarge = (largest: number): Fault => new Fault('INVALID_ARGUMENT', 'REQUEST_TOO_LARGE', `the body is larger than ${largest} bytes`);

/** What is wrong with a request before its body is read, as status and Fault; null when nothing is. */
const refusalOf = (
  route: HttpRoute,
  header: (name: string) => string,
  hosts: readonly string[],
  largest: number,
): readonly [number, Fault] | null => {
  if (route.exposure === 'guarded' && !knownHost(header('host'), hosts))
    return [403, new Fault('PERMISSION_DENIED', 'HOST_UNKNOWN', 'the Host header names nobody known here: add it to HTTP_HOSTS')];
  const type = header('content-type').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (route.accepts !== undefined && !route.accepts.includes(type))
    return [415, new Fault('INVALID_ARGUMENT', 'CONTENT_TYPE_UNSUPPORTED', `content-type must be ${route.accepts.join(' or ')}`)];
  if (!['', 'identity'].includes(header('content-encoding').toLowerCase()))
    return [
      415,
      new Fault('INVALID_ARGUMENT', 'CONTENT_ENCODING_UNSUPPORTED', 'the body must come uncompressed, without content-encoding'),
    ];
  return Number(header('content-length')) > largest ? [413, tooLarge(largest)] : null;
};

/** By exact path first, then by the longest path that ends in `/`. */
const findRoutes = (routes: readonly HttpRoute[]): ((path: string) => readonly HttpRoute[]) => {
  const exact = Map.groupBy(routes, (route) => route.path);
  const below = [...exact.keys()].filter((path) => path.endsWith('/')).sort((a, b) => b.length - a.length);
  return (path) => exact.get(path) ?? exact.get(below.find((prefix) => path.startsWith(prefix)) ?? '') ?? [];
};

export type Answer = (message: IncomingMessage, response: ServerResponse, requestId: string) => Promise<Reply>;

/** Does what is shown prove who asks? Throws where nobody can know. */
export type Recognises = (request: Pick<HttpRequest, 'peer' | 'header'>) => Promise<boolean>;

/** Throws what the route throws. */
export const answering = (served: readonly HttpRoute[], hosts: readonly string[], recognises: Recognises): Answer => {
  const find = findRoutes(served);
  return async (message, response, requestId) => {
    const header = headerOf(message);
    const [path = '', query = ''] = (message.url ?? '').split('?', 2);
    const routes = find(path);
    const method = message.method === 'HEAD' ? 'GET' : message.method;
    const route = routes.find((one) => one.method === method);
    if (routes.length === 0) return faultReply(new Fault('NOT_FOUND', 'PATH_UNKNOWN', 'there is nothing at this path'), requestId);
    if (route === undefined) {
      const allow = routes.map((one) => one.method).join(', ');
      const reply = faultReply(new Fault('UNIMPLEMENTED', 'METHOD_NOT_ALLOWED', `this path answers to ${allow}`), requestId, 405);
      return { ...reply, headers: { ...reply.headers, allow } };
    }
    const peer = peerOf(message);
    // What is shown is believed only once it has been looked at, and that is done only for those who send much.
    const largest = header('authorization') === '' && peer.certificate === null ? LARGEST_OF_STRANGERS : LARGEST_BODY;
    const more = async () => (peer.certificate !== null || (await recognises({ peer, header })) ? largest : LARGEST_OF_STRANGERS);
    const refusal = refusalOf(route, header, hosts, largest);
    if (refusal !== null) return faultReply(refusal[1], requestId, refusal[0]);
    const body = route.method === 'POST' ? await bodyOf(message, more) : Buffer.alloc(0);
    if (body === null) return faultReply(tooLarge(LARGEST_OF_STRANGERS), requestId, 413);
    const onCancel = (listener: () => void): void => {
      response.once('close', () => {
        if (!response.writableFinished) listener();
      });
    };
    const request: HttpRequest = { path, query, body, peer, requestId, header, onCancel };
    return route.handle(request);
  };
};
