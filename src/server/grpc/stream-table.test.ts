import { type EventEmitter, once } from 'node:events';
import { createServer, type Http2Session, connect, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { types } from 'node:util';
import type { Server } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createFew, createStreamTable, dieYoung } from './stream-table.ts';

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

  it('is a Map to whoever asks, also where streams stay for long while others come and go', () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('set' as const), id: fc.integer({ min: 0, max: 400 }) }),
      fc.record({ what: fc.constant('delete' as const), id: fc.integer({ min: 0, max: 400 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const [table, map] = [createStreamTable<string>(), new Map<number, string>()];
        for (const [at, { what, id }] of steps.entries()) {
          // Of all that a client may number its streams with, those collide most that lie a power of two apart.
          const number = (id % 7) * 64 + id * 2 + 1;
          if (what === 'delete') expect(table.delete(number)).toBe(map.delete(number));
          else {
            table.set(number, `${at}`);
            map.set(number, `${at}`);
          }
          expect([table.get(number), table.size]).toEqual([map.get(number), map.size]);
        }
        const seen = new Map<number, string>();
        table.forEach((value, number) => seen.set(number, value));
        expect(seen).toEqual(map);
      }),
    );
  });
});

describe('a few streams', () => {
  it('are a Set to whoever asks', () => {
    const few = createFew<string>();
    for (const name of ['a', 'b', 'c', 'b']) few.add(name);
    expect([few.delete('a'), few.delete('a'), few.size]).toEqual([true, false, 2]);
    const seen: string[] = [];
    few.forEach((name) => {
      seen.push(name);
      few.delete('b');
      few.delete('c');
    });
    expect([seen.length, few.size]).toEqual([1, 0]);
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
    let pending: unknown;
    http2.on('session', (session: Http2Session) => {
      streams = stateOf(session)['streams'];
      pending = stateOf(session)['pendingStreams'];
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
    expect([types.isMap(streams), types.isSet(pending)]).toEqual([false, false]);
    expect((pending as { size: number }).size).toBe(0);
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
