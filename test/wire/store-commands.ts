// Preloaded into the built hub (`node --import`): says on its stderr which commands to the stores were given on behalf of a call, and of which.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream, default as http2 } from 'node:http2';
import { Redis } from 'ioredis';
import pg from 'pg';

/** The method whose call we are in: whatever it starts, and whatever comes of that later, is in it too. */
const called = new AsyncLocalStorage<string>();

const said = (store: 'SQL' | 'Redis', command: string): void => {
  const method = called.getStore();
  if (method !== undefined) process.stderr.write(`\n[on behalf of ${method}] ${store} ${command.replace(/\s+/g, ' ').slice(0, 200)}\n`);
};

type Patched = Record<string, (...given: never[]) => unknown>;

/** Calls `look` with the arguments before each call of a method. */
const before = (owner: object, method: string, look: (...given: unknown[]) => void): void => {
  const patched = owner as Patched;
  const original = patched[method] as (...given: unknown[]) => unknown;
  patched[method] = function (this: unknown, ...given: unknown[]) {
    look(...given);
    return original.apply(this, given);
  };
};

before(pg.Client.prototype, 'query', (query) =>
  said('SQL', typeof query === 'string' ? query : ((query as { text?: string }).text ?? '?')),
);
// A connection that is waited for is used in the context of whoever gives it back.
before(pg.Pool.prototype, 'connect', () => said('SQL', 'connect'));
before(Redis.prototype, 'sendCommand', (command) => said('Redis', (command as { name: string }).name));

/** Everything that happens to a stream of a client is in its call. */
const follow = (server: Http2Server): Http2Server => {
  const emit = server.emit.bind(server) as (event: string, ...given: unknown[]) => boolean;
  server.emit = ((event: string, ...given: unknown[]) => {
    if (event !== 'stream') return emit(event, ...given);
    const [stream, headers] = given as [ServerHttp2Stream, IncomingHttpHeaders];
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    const tell = stream.emit.bind(stream) as (event: string, ...rest: unknown[]) => boolean;
    stream.emit = ((name: string, ...rest: unknown[]) => called.run(method, () => tell(name, ...rest))) as typeof stream.emit;
    return called.run(method, () => emit(event, ...given));
  }) as typeof server.emit;
  return server;
};

const { createServer } = http2;
http2.createServer = ((...given: Parameters<typeof createServer>) => follow(createServer(...given) as Http2Server)) as typeof createServer;
