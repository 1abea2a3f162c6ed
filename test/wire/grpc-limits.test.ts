import { createConnection } from 'node:net';
import { connect as connectHttp2, constants } from 'node:http2';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { faultOf } from '../../src/server/grpc/status.ts';
import { userCaller } from '../callers.ts';
import { connect, failed, infoBytes, startToy, type Toy, type ToyClient, type ToyOptions, until, waitBytes } from './grpc-toy.ts';

const open: { toy?: Toy; client?: ToyClient } = {};

const start = async (options: ToyOptions = {}): Promise<{ toy: Toy; client: ToyClient }> => {
  const toy = await startToy(options);
  open.toy = toy;
  const client = connect(`127.0.0.1:${toy.port}`);
  open.client = client;
  return { toy, client };
};

afterEach(async () => {
  open.client?.close();
  await open.toy?.stop();
});

describe('limits', () => {
  it('a caller who gives up 5,000 calls does not lose the connection it shares', async () => {
    const { client } = await start({ caps: { inFlight: 100_000 } });
    const shared = client.unary('Wait', waitBytes(3000));
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 500 }, () => client.start('Hang', infoBytes('')));
      await client.unary('Say', infoBytes('between'));
      for (const call of calls) call.cancel();
    }
    await expect(shared).resolves.toBeDefined();
    await expect(client.unary('Say', infoBytes('afterwards'))).resolves.toBeDefined();
  });

  it('a message beyond 4 MiB is RESOURCE_EXHAUSTED', async () => {
    const { client } = await start({ ports: { authenticate: () => userCaller('acme') } });
    const known = { authorization: 'Bearer x' };
    expect((await failed(client.unary('Say', infoBytes('x'.repeat(4 * 1024 * 1024 + 1)), known))).code).toBe(status.RESOURCE_EXHAUSTED);
    await expect(client.unary('Say', infoBytes('x'.repeat(1024 * 1024)), known)).resolves.toBeDefined();
  });

  it('a message of a stranger beyond 128 KiB is INVALID_ARGUMENT / REQUEST_TOO_LARGE', async () => {
    const { client } = await start();
    const fault = faultOf(await failed(client.unary('Say', infoBytes('x'.repeat(200_000)))));
    expect([fault.code, fault.reason]).toEqual(['INVALID_ARGUMENT', 'REQUEST_TOO_LARGE']);
    await expect(client.unary('Say', infoBytes('x'.repeat(100_000)))).resolves.toBeDefined();
  });

  it('headers beyond 16 KiB are refused, 8 KiB are not', async () => {
    const { client } = await start();
    await expect(client.unary('Say', infoBytes(''), { authorization: `Bearer ${'x'.repeat(8192)}` })).resolves.toBeDefined();
    await failed(client.unary('Say', infoBytes(''), { 'x-much': 'x'.repeat(20_000) }));
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
  });

  it('calls beyond the cap are RESOURCE_EXHAUSTED with a delay, while calls that wait for nothing and health go on', async () => {
    const { client, toy } = await start({ caps: { inFlight: 10 } });
    // `manage` may fill 60 % of the cap.
    const waiting = Array.from({ length: 6 }, () => client.unary('Wait', waitBytes(400)));
    await until(() => toy.invoker.load.unary === 6);
    const error = await failed(client.unary('Wait', waitBytes(1)));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(faultOf(error)).toMatchObject({ reason: 'TOO_MANY_IN_FLIGHT', retryAfter: 250 });
    await expect(client.unary('/grpc.health.v1.Health/Check', Buffer.alloc(0))).resolves.toBeDefined();
    await Promise.all(waiting);
    await expect(client.unary('Wait', waitBytes(1))).resolves.toBeDefined();
  });

  it('streams beyond their cap are refused', async () => {
    const { client, toy } = await start({ caps: { streams: 1 } });
    const first = client.serverStream('Tick', waitBytes(10)).on('error', () => {});
    first.resume();
    await until(() => toy.invoker.load.streams === 1);
    const second = client.serverStream('Tick', waitBytes(10));
    const error = await new Promise<{ code: number }>((resolve) => second.on('error', resolve).resume());
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    first.cancel();
  });

  it('streams of one caller beyond its part of them are refused, with a reason of their own', async () => {
    const { client, toy } = await start({ caps: { streams: 10, streamsPerCaller: 2 } });
    const open = () => client.serverStream('Tick', waitBytes(10)).on('error', () => {});
    const [first, second] = [open(), open()];
    first.resume();
    second.resume();
    await until(() => toy.invoker.load.streams === 2);
    const third = client.serverStream('Tick', waitBytes(10));
    const error = await new Promise<ServiceError>((resolve) => third.on('error', (thrown) => resolve(thrown as ServiceError)).resume());
    expect(faultOf(error)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_STREAMS', retryAfter: 1000 });
    first.cancel();
    await until(() => toy.invoker.load.streams === 1);
    const again = open();
    again.resume();
    await until(() => toy.invoker.load.streams === 2);
    for (const one of [second, again]) one.cancel();
  });

  it('whoever watches health finds room when all streams are taken, and takes none of them', async () => {
    const { client, toy } = await start({ caps: { streams: 1, streamsPerCaller: 1 } });
    const watch = (): Promise<unknown> =>
      new Promise((resolve) => {
        const stream = client.serverStream('/grpc.health.v1.Health/Watch', Buffer.alloc(0));
        stream.on('data', resolve).on('error', resolve);
      });
    expect(await watch()).toBeInstanceOf(Buffer);
    const tick = client.serverStream('Tick', waitBytes(10)).on('error', () => {});
    tick.resume();
    await until(() => toy.invoker.load.streams === 1);
    expect(faultOf((await watch()) as ServiceError)).toMatchObject({ reason: 'TOO_MANY_STREAMS' });
    tick.cancel();
  });

  it('a class that is shed is told when to come back', async () => {
    const { client } = await start({ ports: { shed: (limit) => limit === 'manage' } });
    const error = await failed(client.unary('Say', infoBytes('')));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(faultOf(error)).toMatchObject({ reason: 'OVERLOADED', retryAfter: 1000 });
    await expect(client.unary('/grpc.health.v1.Health/Check', Buffer.alloc(0))).resolves.toBeDefined();
  });

  it('rubbish on the port, and a connection reset in the middle, leave the server standing', async () => {
    const { client, toy } = await start();
    for (const rubbish of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0000']) {
      const socket = createConnection(toy.port, '127.0.0.1').on('error', () => {});
      socket.write(rubbish);
      await new Promise((resolve) => setTimeout(resolve, 30));
      socket.resetAndDestroy();
    }
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
  });

  it('requests that are whole but never end give way to those that do', async () => {
    const { toy, client } = await start();
    const message = Buffer.alloc(5 + 4 * 1024 * 1024);
    message.writeUInt32BE(message.length - 5, 1);
    const session = connectHttp2(`http://127.0.0.1:${toy.port}`);
    const headers = { ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' };
    let letGo = 0;
    const sent = Array.from({ length: 40 }, () => {
      const request = session.request(headers).on('error', () => {});
      request.on('close', () => (letGo += request.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM ? 1 : 0));
      return new Promise<void>((resolve) => request.once('close', resolve).write(message, () => resolve()));
    });
    await Promise.all(sent);
    // 96 MiB of the 160 may stay.
    await until(() => letGo >= 16);
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
    session.destroy();
  });

  it('requests that begin and never come, by the thousand, give way to those that do', async () => {
    const { toy, client } = await start();
    const headers = { ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' };
    let letGo = 0;
    const sessions = Array.from({ length: 3 }, () => connectHttp2(`http://127.0.0.1:${toy.port}`));
    for (const session of sessions) {
      session.on('error', () => {});
      // Node counts the listeners of a connection's streams as its own.
      session.setMaxListeners(0);
      for (let begun = 0; begun < 4000; begun++)
        session
          .request(headers)
          .on('error', () => {})
          .on('close', function (this: { readonly rstCode?: number }) {
            letGo += this.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM ? 1 : 0;
          });
    }
    await until(() => letGo >= 12_000 - 8192, 15_000);
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
    for (const session of sessions) session.destroy();
  });

  it('a request whose message is cut short does not hang the server', async () => {
    const { toy, client } = await start();
    const session = connectHttp2(`http://127.0.0.1:${toy.port}`);
    const request = session.request({ ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' });
    const headers = new Promise<Record<string, unknown>>((resolve) => request.on('response', (got) => resolve(got)));
    request.end(Buffer.from([0, 0, 0, 0, 99, 1]));
    expect((await headers)[constants.HTTP2_HEADER_STATUS]).toBe(200);
    session.destroy();
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
  });
});

describe('a Unix socket', () => {
  it('speaks gRPC, and is a transport, not an identity', async () => {
    const socket = join(mkdtempSync(join(tmpdir(), 'toy-')), 'hub.sock');
    const { toy } = await start({ socket });
    const local = connect(`unix:${socket}`);
    await local.unary('Say', infoBytes(''));
    expect(toy.seen.calls.at(-1)).toMatchObject({
      peer: { transport: 'unix', loopback: true, certificate: null },
      caller: { kind: 'anonymous' },
    });
    local.close();
  });

  it('left behind by a killed process is taken over', async () => {
    const socket = join(mkdtempSync(join(tmpdir(), 'toy-')), 'hub.sock');
    const first = await startToy({ socket });
    const { toy } = await start({ socket });
    const local = connect(`unix:${socket}`);
    await local.unary('Say', infoBytes(''));
    expect(toy.seen.calls).toHaveLength(1);
    local.close();
    await first.stop();
  });
});
