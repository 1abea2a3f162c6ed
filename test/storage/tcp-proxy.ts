// A wire that can be cut: stands between a client and a store, and stops carrying bytes, or closes, on demand.
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Connections so far. */
  readonly accepted: number;
  /** Bytes no longer pass, connections stay open: a hung machine. */
  freeze(): void;
  thaw(): void;
  /** Every connection is reset and new ones are refused: a dead machine. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export const tcpProxy = async (host: string, port: number): Promise<TcpProxy> => {
  const sockets = new Set<Socket>();
  let frozen = false;
  let dead = false;
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    if (dead) return void client.resetAndDestroy();
    const upstream = connect(port, host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => to.write(chunk));
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on('error', () => to.destroy());
      if (frozen) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get accepted() {
      return accepted;
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      dead = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend() {
      dead = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** The same store, reached through the proxy. */
export const through = (proxy: TcpProxy, uri: string): string => {
  const url = new URL(uri);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  return url.href;
};
