// Compressed requests: taken as any other, and no way to make much out of little.
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { mib } from '../../src/base/bytes.ts';
import { ErrorInfo } from '../../src/gen/google/rpc/error_details.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { userCaller } from '../callers.ts';
import { connect, failed, infoBytes, startToy, type Toy, type ToyClient, type ToyOptions } from './grpc-toy.ts';

const [DEFLATE, GZIP] = [1, 2];
const open: { toy?: Toy; client?: ToyClient; session?: ClientHttp2Session } = {};

/** A client that compresses all that it sends. */
const start = async (algorithm = GZIP, options: ToyOptions = {}): Promise<ToyClient> => {
  open.toy = await startToy(options);
  open.client = connect(`127.0.0.1:${open.toy.port}`, undefined, { 'grpc.default_compression_algorithm': algorithm });
  return open.client;
};
const known: ToyOptions = { ports: { authenticate: () => userCaller('acme') } };
const shown = { authorization: 'Bearer x' };

afterEach(async () => {
  open.client?.close();
  open.session?.destroy();
  delete open.session;
  await open.toy?.stop();
});

const reasonOf = async (call: Promise<unknown>): Promise<string> => faultOf(await failed(call)).reason;

/** One message under any flag and encoding, on a connection of its own: the gRPC status. */
const raw = async (message: Buffer, encoding: string): Promise<string> => {
  open.session ??= connectHttp2(`http://127.0.0.1:${open.toy?.port ?? 0}`);
  const headers = { ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' };
  const request = open.session.request({ ...headers, 'grpc-encoding': encoding });
  const said = new Promise<string>((resolve, reject) => {
    for (const event of ['response', 'trailers'] as const)
      request.on(event, (got: Record<string, string | undefined>) => {
        if (got['grpc-status'] !== undefined) resolve(got['grpc-status']);
      });
    request.once('error', reject);
  });
  request.resume();
  const header = Buffer.alloc(5);
  header[0] = 1;
  header.writeUInt32BE(message.length, 1);
  request.end(Buffer.concat([header, message]));
  return said;
};

describe('a compressed request', () => {
  it.each([
    ['gzip', GZIP],
    ['deflate', DEFLATE],
  ])('by %s is taken', async (_, algorithm) => {
    const client = await start(algorithm, known);
    const reason = 'x'.repeat(mib(1));
    expect(ErrorInfo.decode((await client.unary('Say', infoBytes(reason), shown)).bytes).reason).toBe(reason);
  });

  it('is taken in a stream of them', async () => {
    const client = await start();
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const stream = client.clientStream('Join', (error: ServiceError | null, bytes) =>
        error === null ? resolve(bytes ?? Buffer.alloc(0)) : reject(error),
      );
      for (const word of ['one', 'two'.repeat(100), 'three']) stream.write(infoBytes(word));
      stream.end();
    });
    expect(ErrorInfo.decode(answer).reason).toBe(`one ${'two'.repeat(100)} three`);
  });

  it('of a stranger has no more than a stranger may send', async () => {
    const client = await start();
    await expect(client.unary('Say', infoBytes('x'.repeat(100_000)))).resolves.toBeDefined();
    for (const size of [200_000, mib(3), mib(64)])
      expect(await reasonOf(client.unary('Say', infoBytes('x'.repeat(size))))).toBe('REQUEST_TOO_LARGE');
  });

  it('of somebody known has no more than one that is not', async () => {
    const client = await start(GZIP, known);
    await expect(client.unary('Say', infoBytes('x'.repeat(mib(4) - 100)), shown)).resolves.toBeDefined();
    expect(await reasonOf(client.unary('Say', infoBytes('x'.repeat(mib(4) + 1)), shown))).toBe('REQUEST_TOO_LARGE');
  });

  it('that is not compressed as it says, or in a way that nobody knows, ends alone', async () => {
    const client = await start();
    expect(await raw(Buffer.from('no gzip at all'), 'gzip')).toBe(String(status.INVALID_ARGUMENT));
    expect(await raw(gzipSync('cut short').subarray(0, 12), 'gzip')).toBe(String(status.INVALID_ARGUMENT));
    for (const encoding of ['snappy', '__proto__', 'br']) expect(await raw(Buffer.from('x'), encoding)).toBe(String(status.UNIMPLEMENTED));
    await expect(client.unary('Say', infoBytes('still here'))).resolves.toBeDefined();
  });

  it('a thousand times four KiB that would be four MiB each take no memory', async () => {
    await start();
    const bomb = gzipSync(Buffer.alloc(mib(4)));
    expect(bomb.length).toBeLessThan(5000);
    await raw(bomb, 'gzip');
    const before = process.memoryUsage().arrayBuffers;
    const said = await Promise.all(Array.from({ length: 1000 }, () => raw(bomb, 'gzip')));
    expect(new Set(said)).toEqual(new Set([String(status.INVALID_ARGUMENT)]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(mib(256));
  });
});
