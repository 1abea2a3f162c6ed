// A wire that can be cut: stands between a client and a store, and stops carrying bytes, or closes, on demand.
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Connections so far. */
  readonly accepted: number;
  /** Bytes no longer pass, connections stay open: a hung machine. */
  freeze(): void;
  thaw(): void;
  /** Connections so far carry nothing any more, new ones do: another machine took the address. */
  abandon(): void;
  /** Every connection is reset and new ones are refused: a dead machine. */
  cut(): void;
  /** Whoever sends `what` loses its connection: before it arrives, or after it was carried out and before anybody hears of it. */
  lose(what: Buffer, when: 'before' | 'after'): void;
  /** Ends `cut` and `lose`. */
  mend(): void;
  /** Told every chunk that a client sends; for counting. */
  watch(watcher: (chunk: Buffer) => void): void;
  close(): Promise<void>;
}

export const tcpProxy = async (host: string, port: number): Promise<TcpProxy> => {
  const sockets = new Set<Socket>();
  const abandoned = new Set<Socket>();
  let frozen = false;
  let dead = false;
  let accepted = 0;
  let lost: { readonly what: Buffer; readonly when: 'before' | 'after' } | null = null;
  let watcher = (_chunk: Buffer): void => {};

  /** The last that this client sends; `after`: its answer ends the connection instead of reaching it. */
  const last = (chunk: Buffer, client: Socket, upstream: Socket, when: 'before' | 'after'): void => {
    client.removeAllListeners('data');
    if (when === 'before') return void client.resetAndDestroy();
    upstream.removeAllListeners('data');
    upstream.once('data', () => client.resetAndDestroy());
    upstream.write(chunk);
  };

  const server = createServer((client) => {
    accepted += 1;
    if (dead) return void client.resetAndDestroy();
    const upstream = connect(port, host);
    client.on('data', (chunk: Buffer) => {
      watcher(chunk);
      if (lost !== null && chunk.includes(lost.what)) last(chunk, client, upstream, lost.when);
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
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
    abandon() {
      for (const socket of sockets) abandoned.add(socket.pause());
      sockets.clear();
    },
    cut() {
      dead = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    lose(what, when) {
      lost = { what, when };
    },
    mend() {
      dead = false;
      lost = null;
    },
    watch(added) {
      watcher = added;
    },
    async close() {
      for (const socket of [...sockets, ...abandoned]) socket.destroy();
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
