import { connect, constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ErrorInfo } from '../../src/gen/google/rpc/error_details.ts';
import { connect as connectToy, infoBytes, startToy, type Toy, type ToyClient } from './grpc-toy.ts';

let toy: Toy;
let client: ToyClient;

beforeAll(async () => {
  toy = await startToy();
  client = connectToy(`127.0.0.1:${toy.port}`);
});
afterAll(async () => {
  client.close();
  await toy.stop();
});

describe('the answer of a unary call', () => {
  it.each([0, 1, 1000, 65_500, 65_536, 65_600, 130_000])('is whole with %d bytes of text', async (length) => {
    const { bytes } = await client.unary('Say', infoBytes('x'.repeat(length)));
    expect(ErrorInfo.decode(bytes).reason).toHaveLength(length);
  });

  it('reaches a caller that reads slowly', async () => {
    const session = connect(`http://127.0.0.1:${toy.port}`, { settings: { initialWindowSize: 1000 } });
    const stream = session.request({ ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' });
    const message = infoBytes('x'.repeat(50_000));
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    stream.end(frame);
    let got = 0;
    let status: unknown;
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    for await (const chunk of stream) {
      got += (chunk as Buffer).length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect([got > 50_000, status]).toEqual([true, '0']);
    session.close();
  });

  it('harms nobody when the caller leaves at that moment', async () => {
    for (let round = 0; round < 50; round += 1) {
      const session = connect(`http://127.0.0.1:${toy.port}`);
      const stream = session.request({ ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' });
      stream.on('error', () => {}).resume();
      const message = infoBytes('bye');
      const frame = Buffer.alloc(5 + message.length);
      frame.writeUInt32BE(message.length, 1);
      message.copy(frame, 5);
      stream.end(frame);
      if (round % 2 === 0) setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
      await new Promise((resolve) => stream.once('close', resolve));
      session.destroy();
    }
    expect(ErrorInfo.decode((await client.unary('Say', infoBytes('still here'))).bytes).reason).toBe('still here');
  });
});
