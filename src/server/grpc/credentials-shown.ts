// A call that shows two credentials. Node keeps the first `authorization` and drops the others in silence; whoever stands in front of us may
// have looked at the last. All of them are handed on, joined as every other header is (RFC 9110 §5.3), and such a list is no credential.
import type { IncomingHttpHeaders } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import { http2ServersOf } from './http2-servers.ts';

const NAME = 'authorization';

const joinCredentials = (_stream: unknown, headers: IncomingHttpHeaders, _flags: unknown, raw: readonly string[]): void => {
  const first = raw.indexOf(NAME);
  if (first === -1 || raw.indexOf(NAME, first + 1) === -1) return;
  headers[NAME] = raw.filter((_, at) => at % 2 === 1 && raw[at - 1] === NAME).join(', ');
};

/** For all connections that `server`'s injectors will bring. */
export const showAllCredentials = (server: Server): void => {
  // Before grpc-js has read the headers.
  for (const http2 of http2ServersOf(server)) http2.prependListener('stream', joinCredentials);
};
