import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ErrorInfo, PreconditionFailure, RequestInfo, RetryInfo } from '../../src/gen/google/rpc/error_details.ts';
import { Status } from '../../src/gen/google/rpc/status.ts';
import { days } from '../../src/base/time.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import { connect, failed, infoBytes, startToy, type Toy, type ToyClient, until, waitBytes } from './grpc-toy.ts';

let toy: Toy;
let client: ToyClient;

beforeAll(async () => {
  toy = await startToy();
  client = connect(`127.0.0.1:${toy.port}`);
});
afterAll(async () => {
  client.close();
  await toy.stop();
});

describe('a call over gRPC', () => {
  it('answers what the handler said', async () => {
    const { bytes } = await client.unary('Say', infoBytes('grüß Gott', { key: 'value' }));
    expect(ErrorInfo.decode(bytes)).toEqual({ reason: 'grüß Gott', domain: '', metadata: { key: 'value' } });
  });

  it('shows the handler who calls, from where, and with which ids', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await client.unary('Say', infoBytes('who'), { 'x-request-id': 'mine-1', traceparent });
    const call = toy.seen.calls.at(-1);
    expect(call?.method).toBe('toy.v1.Toy/Say');
    expect(call?.caller).toEqual({ kind: 'anonymous' });
    expect(call?.peer).toEqual({ transport: 'tcp', address: '127.0.0.1', loopback: true, certificate: null });
    expect(call?.requestId).toBe('mine-1');
    expect(call?.traceparent).toBe(traceparent);
    expect(call?.userAgent).toMatch(/^grpc-node-js\//);
  });

  it('gives a request id back in the initial metadata, and makes one of its own where the given one could not stand in a log', async () => {
    const mine = await client.unary('Say', infoBytes('a'), { 'x-request-id': 'mine-2' });
    expect(mine.metadata.get('x-request-id')).toEqual(['mine-2']);
    const bad = await client.unary('Say', infoBytes('a'), { 'x-request-id': 'two words' });
    expect(bad.metadata.get('x-request-id')).toEqual([]);
    expect(toy.seen.calls.at(-1)?.requestId).toMatch(/^req_\w{22}-\w+$/);
  });

  it('is UNIMPLEMENTED for a method that does not exist', async () => {
    expect((await failed(client.unary('Nothing', infoBytes('')))).code).toBe(status.UNIMPLEMENTED);
  });

  it.each([
    ['no request', []],
    ['two requests', ['one', 'two']],
  ] as const)('is UNIMPLEMENTED with %s, as a method of the other kind would be', async (_what, reasons) => {
    const session = connectHttp2(`http://127.0.0.1:${toy.port}`);
    const before = toy.seen.calls.length;
    const answered = await new Promise<string>((resolve) => {
      const stream = session.request({ ':method': 'POST', ':path': '/toy.v1.Toy/Say', 'content-type': 'application/grpc', te: 'trailers' });
      const read = ({ 'grpc-status': code, 'grpc-message': message }: IncomingHttpHeaders): void => {
        if (typeof code === 'string') resolve(`${code} ${decodeURIComponent(String(message))}`);
      };
      stream.on('response', read).on('trailers', read).resume();
      for (const reason of reasons) {
        const message = infoBytes(reason);
        const header = Buffer.alloc(5);
        header.writeUInt32BE(message.length, 1);
        stream.write(Buffer.concat([header, message]));
      }
      stream.end();
    });
    session.close();
    expect(answered).toMatch(new RegExp(`^${status.UNIMPLEMENTED} this method takes one request: `));
    expect(toy.seen.calls).toHaveLength(before);
  });

  it('counts its end under the names gRPC dashboards expect', async () => {
    await client.unary('Say', infoBytes('count'));
    await failed(client.unary('Fail', infoBytes('fault')));
    const text = await toy.metrics.text();
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="Say",grpc_code="OK".*\} [1-9]/);
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="Fail",grpc_code="FailedPrecondition".*\} [1-9]/);
    expect(text).toMatch(/grpc_server_started_total\{grpc_type="unary",grpc_service="toy.v1.Toy",grpc_method="Say".*\} [1-9]/);
    expect(text).toMatch(/grpc_server_handled_total\{.*grpc_method="Guarded",grpc_code="OK".*\} 0/);
  });
});

describe('an error', () => {
  it.each(['throw', 'reject'])('that nobody foresaw (%s) says nothing but INTERNAL, and is logged with its request id', async (kind) => {
    const error = await failed(client.unary('Fail', infoBytes(kind), { 'x-request-id': `lost-${kind}` }));
    expect(error.code).toBe(status.INTERNAL);
    expect(error.details).toBe('internal error');
    expect(JSON.stringify(error.metadata.toJSON())).not.toMatch(/hunter2|unique constraint/);
    expect(faultOf(error).reason).toBe('INTERNAL');
    expect(toy.seen.errors.at(-1)).toMatchObject({ requestId: `lost-${kind}`, method: 'toy.v1.Toy/Fail', code: 'INTERNAL' });
  });

  it('carries its reason, metadata, violations, precondition, delay and request id', async () => {
    const error = await failed(client.unary('Fail', infoBytes('fault', { which: 'left' }), { 'x-request-id': 'mine-3' }));
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.details).toBe('the toy is broken \ufffd');
    expect(faultOf(error)).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'TOY_BROKEN',
      meta: { which: 'left' },
      violations: [{ field: 'reason', description: 'is wrong' }],
      retryAfter: 1500,
    });
    const [packed] = error.metadata.get('grpc-status-details-bin');
    const { code, details } = Status.decode(packed as Buffer);
    expect(code).toBe(status.FAILED_PRECONDITION);
    const find = (name: string): Buffer =>
      details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${name}`)?.value ?? Buffer.alloc(0);
    expect(ErrorInfo.decode(find('ErrorInfo')).domain).toBe('securityhub');
    expect(PreconditionFailure.decode(find('PreconditionFailure')).violations[0]?.type).toBe('TOY_BROKEN');
    expect(RetryInfo.decode(find('RetryInfo')).retryDelay).toEqual({ seconds: 1, nanos: 500_000_000 });
    expect(RequestInfo.decode(find('RequestInfo')).requestId).toBe('mine-3');
    expect(error.metadata.get('x-request-id')).toEqual(['mine-3']);
  });

  it('is counted for the audit log with its reason', async () => {
    await failed(client.unary('Fail', infoBytes('fault')));
    expect(toy.seen.refused.at(-1)).toMatchObject({
      type: 'call.refused',
      reason: 'TOY_BROKEN',
      method: 'toy.v1.Toy/Fail',
      result: 'failure',
      ipAddress: '127.0.0.1',
    });
  });
});

describe('a request that is no message of the method', () => {
  const invalidText = Buffer.concat([Buffer.from([0x0a, 40]), Buffer.alloc(38, 0x61), Buffer.from([0xc3, 0x28])]);
  const shortInvalidText = Buffer.from([0x0a, 2, 0xc3, 0x28]);
  const halfSurrogate = Buffer.from([0x0a, 3, 0xed, 0xa0, 0x80]);
  it.each([
    ['truncated bytes', 'Say', Buffer.from([0x0a, 200, 1])],
    ['a wire type that does not exist', 'Say', Buffer.from([0x0f, 1])],
    ['invalid UTF-8 in a long string', 'Say', invalidText],
    ['invalid UTF-8 in a short string', 'Say', shortInvalidText],
    ['half a surrogate pair', 'Say', halfSurrogate],
    ['a number beyond 2⁵³', 'Wait', Buffer.from([0x0a, 10, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
  ])('is INVALID_ARGUMENT: %s', async (_what, name, bytes) => {
    const error = await failed(client.unary(name, bytes));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(faultOf(error).reason).toBe('REQUEST_MALFORMED');
  });

  it('does not stumble over a replacement character that really stands there', async () => {
    const { bytes } = await client.unary('Say', infoBytes('\ufffd and a byte-order mark \ufeff, long enough for no short cut'));
    expect(ErrorInfo.decode(bytes).reason).toBe('\ufffd and a byte-order mark \ufeff, long enough for no short cut');
  });
});

describe('time', () => {
  it('ends a call at our own cap, and tells the handler', async () => {
    const error = await failed(client.unary('Hang', infoBytes('')));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(faultOf(error).reason).toBe('DEADLINE_EXCEEDED');
    expect(toy.seen.aborted.at(-1)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it.each([25, 49, 60, 365, 4_000_000])('serves a caller who would wait for %d days', async (patience) => {
    const deadline = Date.now() + days(patience);
    await expect(client.unary('Say', infoBytes('in no hurry'), {}, { deadline })).resolves.toBeDefined();
  });

  it("ends a call at the caller's sooner deadline, and tells the handler", async () => {
    const before = toy.seen.aborted.length;
    const error = await failed(client.unary('Hang', infoBytes(''), {}, { deadline: Date.now() + 60 }));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => toy.seen.aborted.length > before);
  });

  it('aborts the work of a caller who gave up', async () => {
    const before = toy.seen.aborted.length;
    const call = client.start('Hang', infoBytes(''));
    await until(() => toy.invoker.load.unary === 1);
    call.cancel();
    await until(() => toy.seen.aborted.length > before);
    expect(toy.seen.aborted.at(-1)).toMatchObject({ code: 'CANCELLED' });
    await until(() => toy.invoker.load.unary === 0);
  });

  it('keeps a required event before the answer, a sampled one after it', async () => {
    await client.unary('Wait', waitBytes(1));
    expect(toy.seen.required.at(-1)).toMatchObject({ type: 'call.wait', resource: 'toy:wait', result: 'success' });
    await client.unary('Say', infoBytes('sampled'));
    expect(toy.seen.sampled.at(-1)).toMatchObject({ type: 'call.say', resource: 'method:toy.v1.Toy/Say' });
  });
});

describe('a stream', () => {
  it('ends with the caller, and tells the handler', async () => {
    const before = toy.seen.aborted.length;
    const stream = client.serverStream('Tick', waitBytes(5)).on('error', () => {});
    let got = 0;
    stream.on('data', () => got++);
    await until(() => got > 3);
    stream.cancel();
    await until(() => toy.seen.aborted.length > before && toy.invoker.load.streams === 0);
  });

  it('waits for a reader that does not read', async () => {
    // Bare HTTP/2, because the client of grpc-js reads ahead of its user.
    const session = connectHttp2(`http://127.0.0.1:${toy.port}`);
    const stream = session.request({ ':method': 'POST', ':path': '/toy.v1.Toy/Flood', 'content-type': 'application/grpc', te: 'trailers' });
    stream.end(Buffer.alloc(5));
    await until(() => toy.seen.flooded.length > 0);
    // Quiet for ten turns of the event loop that had something to wait for.
    for (let [quiet, made] = [0, 0]; quiet < 10; quiet = toy.seen.flooded.length === made ? quiet + 1 : 0) {
      made = toy.seen.flooded.length;
      expect(made).toBeLessThan(40);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    session.destroy();
    await until(() => toy.invoker.load.streams === 0);
  });

  it('may go both ways', async () => {
    const chat = client.bidi('Chat');
    const said: string[] = [];
    chat.on('data', (bytes: Buffer) => said.push(ErrorInfo.decode(bytes).reason));
    const ended = new Promise((resolve) => chat.on('status', resolve));
    chat.write(infoBytes('one'));
    await until(() => said.length === 1);
    chat.write(infoBytes('two'));
    chat.end();
    expect(await ended).toMatchObject({ code: status.OK });
    expect(said).toEqual(['ONE', 'TWO']);
  });

  it('refuses a streamed request that does not decode, by itself', async () => {
    const chat = client.bidi('Chat');
    chat.on('data', () => {});
    chat.on('error', () => {});
    const ended = new Promise((resolve) => chat.on('status', resolve));
    chat.write(Buffer.from([0x0a, 200]));
    expect(await ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('of requests gets one answer', async () => {
    const joined = await new Promise<Buffer | undefined>((resolve, reject) => {
      const stream = client.clientStream('Join', (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
      stream.write(infoBytes('hello'));
      stream.write(infoBytes('world'));
      stream.end();
    });
    expect(ErrorInfo.decode(joined ?? Buffer.alloc(0)).reason).toBe('hello world');
  });
});

it('metadata of a refusal stays below what other gRPC stacks accept', async () => {
  const many = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`key${index}`, 'x'.repeat(1000)]));
  const error = await failed(client.unary('Fail', infoBytes('fault', many)));
  expect(JSON.stringify(error.metadata.toHttp2Headers()).length).toBeLessThan(8000);
});
