// What stands behind Envoy: says over HTTP and over gRPC what reached it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { rawMethod } from '../raw-method.ts';

export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Upstream {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Everything that came, whoever was answered. */
  readonly arrived: readonly Arrived[];
  close(): Promise<void>;
}

const said = (arrived: Arrived): Buffer => Buffer.from(JSON.stringify(arrived));
const GET_ORDER = '/shop.Orders/GetOrder';

export const startUpstream = async (): Promise<Upstream> => {
  const arrived: Arrived[] = [];
  const http = createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const one = { method: request.method ?? '', path: request.url ?? '', headers };
    arrived.push(one);
    response.setHeader('content-type', 'application/json').end(said(one));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const grpc = new Server();
  grpc.addService(
    { getOrder: rawMethod(GET_ORDER) },
    {
      getOrder(call: { readonly metadata: Metadata }, done: (error: null, bytes: Buffer) => void) {
        const headers = Object.fromEntries(Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]));
        const one = { method: 'POST', path: GET_ORDER, headers };
        arrived.push(one);
        done(null, said(one));
      },
    },
  );
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error))),
  );
  return {
    httpPort: (http.address() as AddressInfo).port,
    grpcPort,
    arrived,
    async close() {
      grpc.forceShutdown();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
};
