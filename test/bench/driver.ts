// The load of the benchmark: one process, plain HTTP/2, requests prepared as bytes, answers counted by grpc-status.
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type SecureClientSessionOptions } from 'node:http2';

export interface Load {
  readonly url: string;
  readonly path: string;
  /** Serialised requests, sent in turn. */
  readonly requests: readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: SecureClientSessionOptions;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly streams: number;
}

export interface Measured {
  readonly ok: number;
  /** grpc-status → how often, without 0. */
  readonly failed: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** The first good answer, without its 5-byte prefix. */
  readonly answer: Buffer;
}

/** A gRPC message: no compression, 4-byte length, bytes. */
const framed = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

const open = (url: string, tls: SecureClientSessionOptions = {}): Promise<ClientHttp2Session> =>
  new Promise((resolve, reject) => {
    const session = connect(url, { ...tls, settings: { enablePush: false, initialWindowSize: 1 << 20 } });
    session.once('connect', () => {
      session.setLocalWindowSize(1 << 24);
      resolve(session);
    });
    session.once('error', reject);
  });

export interface Driver {
  /** A closed loop for so long: as many calls in flight as told. */
  drive(milliseconds: number): Promise<Measured>;
  close(): void;
}

/** Its connections stay open between the turns, as those of sidecars do: what a server's connections gather is measured too. */
export const openDriver = async (load: Load): Promise<Driver> => {
  const messages = load.requests.map(framed);
  const sessions = await Promise.all(Array.from({ length: load.connections }, () => open(load.url, load.tls)));
  const headers = { ':method': 'POST', ':path': load.path, 'content-type': 'application/grpc', te: 'trailers', ...load.headers };
  let next = 0;

  const drive = async (milliseconds: number): Promise<Measured> => {
    const failed: Record<string, number> = {};
    const times: number[] = [];
    let answer: Buffer = Buffer.alloc(0);
    let ok = 0;
    const begin = performance.now();
    const end = begin + milliseconds;

    const one = (session: ClientHttp2Session): Promise<void> =>
      new Promise((resolve) => {
        const sent = performance.now();
        const stream = session.request(headers);
        let status = 'none';
        const read = (got: IncomingHttpHeaders): void => {
          status = headerOf(got, 'grpc-status') ?? status;
        };
        stream.on('response', read);
        stream.on('trailers', read);
        if (answer.length === 0) stream.on('data', (chunk: Buffer) => (answer = answer.length === 0 ? chunk.subarray(5) : answer));
        else stream.resume();
        stream.on('error', () => (status = 'reset'));
        stream.on('close', () => {
          if (status === '0') {
            ok += 1;
            times.push(performance.now() - sent);
          } else failed[status] = (failed[status] ?? 0) + 1;
          resolve();
        });
        stream.end(messages[next++ % messages.length]);
      });

    const loop = async (session: ClientHttp2Session): Promise<void> => {
      while (performance.now() < end && !session.closed) await one(session);
    };
    await Promise.all(sessions.flatMap((session) => Array.from({ length: load.streams }, () => loop(session))));
    const elapsed = (performance.now() - begin) / 1000;
    times.sort((a, b) => a - b);
    return { ok, failed, seconds: elapsed, p50: percentile(times, 0.5), p99: percentile(times, 0.99), answer };
  };

  return {
    drive,
    close: () => {
      for (const session of sessions) session.close();
    },
  };
};

export interface Caller {
  /** The answer's message; throws what is not grpc-status 0. */
  call(path: string, request: Buffer, token?: string): Promise<Buffer>;
  close(): void;
}

/** One connection for calls one by one: setting the stage, and loops that need their answers. */
export const openCaller = async (grpc: string): Promise<Caller> => {
  const session = await open(`http://${grpc}`);
  return {
    call: (path, request, token = '') =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        });
        const chunks: Buffer[] = [];
        let status = 'none';
        let message = '';
        const read = (got: IncomingHttpHeaders): void => {
          status = headerOf(got, 'grpc-status') ?? status;
          message = headerOf(got, 'grpc-message') ?? message;
        };
        stream.on('response', read);
        stream.on('trailers', read);
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('error', reject);
        stream.on('close', () =>
          status === '0'
            ? resolve(Buffer.concat(chunks).subarray(5))
            : reject(new Error(`${path}: ${status} ${decodeURIComponent(message)}`)),
        );
        stream.end(framed(request));
      }),
    close: () => session.close(),
  };
};
