// What lies below grpc-js: the HTTP/2 servers of its injectors.
import type { Http2Server } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** One an injector made so far. Throws where the inside of grpc-js has changed. */
export const http2ServersOf = (server: Server): readonly Http2Server[] => {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  if (http2Servers === undefined) throw new Error('grpc-js no longer keeps its HTTP/2 servers in http2Servers');
  return [...http2Servers.keys()];
};
