import { type EventEmitter, once } from 'node:events';
import { createServer, type Http2Session, connect, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { types } from 'node:util';
import type { Server } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { createStreamTable, dieYoung } from './stream-table.ts';

describe('a table of streams', () => {
  it('finds, visits and counts what it holds', () => {
    const table = createStreamTable<string>();
    table.set(1, 'one');
    table.set(3, 'three');
    const seen: string[] = [];
    table.forEach((value, id) => seen.push(`${id} ${value}`));
    expect([table.get(1), table.get(2), table.size, seen]).toEqual(['one', undefined, 2, ['1 one', '3 three']]);
  });

  it('has nothing left of what was taken out, also for one who visits at that moment', () => {
    const table = createStreamTable<string>();
    table.set(1, 'one');
    table.set(3, 'three');
    const seen: string[] = [];
    table.forEach((value) => {
      seen.push(value);
      table.delete(1);
      table.delete(3);
    });
    expect([seen, table.size, table.get(1), table.delete(1)]).toEqual([['one'], 0, undefined, false]);
  });
});

describe('the sessions of a server', () => {
  const stateOf = (session: object): Record<string, unknown> =>
    Object.getOwnPropertySymbols(session)
      .filter(({ description }) => description === 'state')
      .map((key) => (session as Record<symbol, Record<string, unknown>>)[key])[0] ?? {};

  it('keep their streams in such a table, serve them, and destroy those left when they end', async () => {
    const http2 = createServer();
    dieYoung({ http2Servers: new Map([[http2 as EventEmitter, null]]) } as unknown as Server);
    let streams: unknown;
    http2.on('session', (session: Http2Session) => {
      streams = stateOf(session)['streams'];
    });
    const left: ServerHttp2Stream[] = [];
    http2.on('stream', (given, headers) => {
      const stream = given as ServerHttp2Stream;
      if (headers[':path'] === '/stay') left.push(stream);
      else stream.respond({ ':status': 204 }, { endStream: true });
    });
    http2.listen(0, '127.0.0.1');
    await once(http2, 'listening');
    const client = connect(`http://127.0.0.1:${(http2.address() as AddressInfo).port}`);
    const answer = client.request({ ':path': '/' });
    const [headers] = (await once(answer, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(204);
    const staying = client.request({ ':path': '/stay' });
    staying.on('error', () => {});
    while (left.length === 0) await new Promise(setImmediate);

    // If this fails, Node keeps its streams elsewhere now: everything works, a quarter slower.
    expect(types.isMap(streams)).toBe(false);
    expect((streams as { size: number }).size).toBe(1);
    client.destroy();
    if (left[0]?.closed === false) await once(left[0], 'close');
    expect((streams as { size: number }).size).toBe(0);
    http2.close();
  });

  it('are looked for: a grpc-js that keeps its servers elsewhere is told', () => {
    expect(() => dieYoung({} as Server)).toThrow(/http2Servers/);
  });
});
