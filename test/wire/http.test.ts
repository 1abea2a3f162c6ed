// The HTTP side port over real sockets: what it serves to whom, and how it refuses.
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Call } from '../../src/base/call.ts';
import { Fault } from '../../src/base/fault.ts';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { waitFor } from '../harness.ts';
import { ask, type Handle, post, startHttp, type ToyOptions } from './http-toy.ts';

const VALIDATE = '/securityhub.v1.SecurityHub/ValidateToken';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const start = async (options: ToyOptions = {}) => {
  const toy = await startHttp(options);
  ends.push(() => toy.server.stop(100));
  return toy;
};
const failing =
  (fault: unknown): Handle =>
  () => {
    throw fault;
  };
const bodyOf = ({ text }: { readonly text: string }) => JSON.parse(text) as Record<string, unknown>;
const detailOf = (answered: { readonly text: string }, name: string) =>
  (bodyOf(answered)['details'] as Record<string, unknown>[]).find((detail) => detail['@type'] === `type.googleapis.com/google.rpc.${name}`);

describe('probes', () => {
  it('/livez answers while the process turns', async () => {
    const { port } = await start();
    expect(await ask(port, '/livez')).toMatchObject({ status: 200, text: '{"status":"alive"}\n' });
  });

  it('/readyz says what is missing, and 200 when nothing is', async () => {
    const missing = ['the change feed has not been read yet'];
    const { port } = await start({ missing: () => missing });
    const before = await ask(port, '/readyz');
    expect(before.status).toBe(503);
    expect(bodyOf(before)).toEqual({ status: 'not ready', missing });
    missing.length = 0;
    expect((await ask(port, '/readyz')).status).toBe(200);
  });

  it('/metrics speaks the Prometheus text format', async () => {
    const { port } = await start();
    const answered = await ask(port, '/metrics');
    expect(answered.headers['content-type']).toMatch(/^text\/plain; version=0.0.4/);
    expect(answered.text).toContain('# TYPE process_resident_memory_bytes gauge');
  });

  it('answer HEAD with the head alone', async () => {
    const { port } = await start();
    expect(await ask(port, '/livez', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });
});

describe('public keys', () => {
  it('may be kept for as long as they say', async () => {
    const { port } = await start();
    const { headers, text } = await ask(port, '/.well-known/jwks.json');
    expect(text).toBe('{"keys":[]}\n');
    expect(headers).toMatchObject({ 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=300' });
  });

  it('are found through discovery', async () => {
    const { port } = await start();
    expect(bodyOf(await ask(port, '/.well-known/openid-configuration'))).toMatchObject({
      issuer: 'https://hub.example',
      jwks_uri: 'https://hub.example/.well-known/jwks.json',
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });
});

describe('a call as JSON', () => {
  it('reaches the handler through the onion, with credential, peer, trace and request id', async () => {
    const calls: Call[] = [];
    const requests: unknown[] = [];
    const handle: Handle = (call, request) => {
      calls.push(call);
      requests.push(request['token']);
      return undefined;
    };
    const { port } = await start({ handle });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const headers = { authorization: 'Bearer good', 'x-request-id': 'r-7', traceparent, 'user-agent': 'curl/8' };
    const answered = await post(port, VALIDATE, { token: 'abc' }, headers);
    expect(answered.status).toBe(200);
    expect(bodyOf(answered)).toMatchObject({ valid: false, verdict: 'VERDICT_UNSPECIFIED' });
    expect(answered.headers).toMatchObject({ 'x-request-id': 'r-7', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(requests).toEqual(['abc']);
    expect(calls[0]).toMatchObject({ requestId: 'r-7', traceparent, userAgent: 'curl/8', caller: { kind: 'api_key', keyId: 'key_1' } });
    expect(calls[0]?.peer).toMatchObject({ transport: 'http', address: '127.0.0.1', loopback: true, certificate: null });
  });

  it('waits as long as Connect-Timeout-Ms says, and is told so', async () => {
    const { port } = await start({ handle: () => new Promise(() => {}) });
    const began = performance.now();
    const answered = await post(port, VALIDATE, {}, { 'Connect-Timeout-Ms': '200' });
    expect([answered.status, bodyOf(answered)]).toEqual([504, expect.objectContaining({ message: expect.stringContaining('deadline') })]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(199);
    expect((await post(port, VALIDATE, {}, { 'connect-timeout-ms': '0' })).status).toBe(504);
  });

  it.each(['-1', '1.5', 'soon', '12345678901'])('is refused with a Connect-Timeout-Ms of %s', async (timeout) => {
    const { port } = await start({ handle: () => undefined });
    const answered = await post(port, VALIDATE, {}, { 'connect-timeout-ms': timeout });
    expect([answered.status, answered.text]).toEqual([400, expect.stringContaining('connect-timeout-ms')]);
  });

  it('comes from where its connection comes from, whatever headers about addresses say', async () => {
    const calls: Call[] = [];
    const { port } = await start({ handle: (call) => void calls.push(call) });
    for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip'])
      await post(port, VALIDATE, {}, { [name]: name === 'forwarded' ? 'for=10.9.8.7' : '10.9.8.7' });
    expect(calls.map(({ peer }) => peer.address)).toEqual(Array<string>(6).fill('127.0.0.1'));
  });

  it('is there for every unary method of the contract', async () => {
    const { port } = await start({ ports: { validate: () => [] } });
    const services = [...descriptors().registry].filter((type) => type.kind === 'service' && type.typeName.startsWith('securityhub.'));
    const unary = services
      .flatMap((type) => (type.kind === 'service' ? type.methods : []))
      .filter((method) => method.methodKind === 'unary');
    expect(unary.length).toBeGreaterThan(30);
    for (const method of unary) {
      const path = `/${method.parent.typeName}/${method.name}`;
      expect([path, (await post(port, path, {})).status]).toEqual([path, 200]);
    }
  });

  it('has a request id even where the caller sent none', async () => {
    const { port } = await start();
    expect((await post(port, VALIDATE, {})).headers['x-request-id']).toBe('made-here');
  });

  it('names a field out of bounds as the proto spells it', async () => {
    const { port } = await start();
    const answered = await post(port, VALIDATE, { context: { ipAddress: 'x'.repeat(10_000) } });
    expect(answered.status).toBe(400);
    expect(bodyOf(answered)['code']).toBe(3);
    expect(detailOf(answered, 'ErrorInfo')).toMatchObject({ reason: 'REQUEST_INVALID', domain: 'securityhub' });
    expect(detailOf(answered, 'BadRequest')).toMatchObject({ fieldViolations: [{ field: 'context.ip_address' }] });
  });

  it('names a field that nobody knows', async () => {
    const { port } = await start();
    const answered = await post(port, VALIDATE, { tokn: 'x' });
    expect(answered.status).toBe(400);
    expect(detailOf(answered, 'BadRequest')).toMatchObject({ fieldViolations: [{ field: 'tokn' }] });
  });

  it.each<[string, Fault, number, Record<string, string>]>([
    ['a bad credential', new Fault('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'expired'), 401, { 'www-authenticate': 'Bearer' }],
    ['a missing right', new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', 'no'), 403, {}],
    ['a missing thing', new Fault('NOT_FOUND', 'USER_UNKNOWN', 'no'), 404, {}],
    ['a thing that is there already', new Fault('ALREADY_EXISTS', 'USER_EXISTS', 'no'), 409, {}],
    ['too many calls', new Fault('RESOURCE_EXHAUSTED', 'RATE_LIMITED', 'slow', { retryAfter: 1500 }), 429, { 'retry-after': '2' }],
    ['a state that does not allow it', new Fault('FAILED_PRECONDITION', 'KEY_NOT_USABLE', 'no'), 400, {}],
    ['an outage', new Fault('UNAVAILABLE', 'DATABASE', 'away', { retryAfter: 1000 }), 503, { 'retry-after': '1' }],
    ['a deadline', new Fault('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'late'), 504, {}],
  ])('answers %s with the standard status and the reason', async (_, fault, status, headers) => {
    const { port } = await start({ handle: failing(fault) });
    const answered = await post(port, VALIDATE, {});
    expect(answered.status).toBe(status);
    expect(answered.headers).toMatchObject(headers);
    expect(detailOf(answered, 'ErrorInfo')).toMatchObject({ reason: fault.reason });
    expect(detailOf(answered, 'RequestInfo')).toMatchObject({ requestId: 'made-here' });
  });

  it('shows nothing of an unknown error', async () => {
    const { port } = await start({ handle: failing(new Error('password=hunter2')) });
    const answered = await post(port, VALIDATE, {});
    expect(answered.status).toBe(500);
    expect(answered.text).not.toContain('hunter2');
    expect(bodyOf(answered)).toMatchObject({ code: 13, message: 'internal error' });
  });

  it('ends the work when the caller goes away', async () => {
    const aborted: unknown[] = [];
    let begun = false;
    const handle: Handle = ({ signal }) =>
      new Promise((_, reject) => {
        begun = true;
        signal.addEventListener('abort', () => {
          aborted.push((signal.reason as Fault).code);
          reject(signal.reason as Error);
        });
      });
    const { port } = await start({ handle });
    const gone = new AbortController();
    const call = ask(port, VALIDATE, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', signal: gone.signal });
    const ended = call.catch((error: { code: string }) => error.code);
    await waitFor(() => begun, 10_000, 'the call');
    gone.abort();
    expect(await ended).toBe('ABORT_ERR');
    await waitFor(() => aborted.length > 0, 10_000, 'the end of its work');
    expect(aborted).toEqual(['CANCELLED']);
  });

  it('of the six is withheld where it is not opened', async () => {
    const { port } = await start({ withheld: ['securityhub.v1.SecurityHub'] });
    const answered = await post(port, VALIDATE, {});
    expect(answered.status).toBe(501);
    expect(detailOf(answered, 'ErrorInfo')).toMatchObject({ reason: 'JSON_WITHHELD' });
    expect((await post(port, '/securityhub.v1.UserService/ListUsers', {})).status).toBe(200);
  });
});

describe('a stranger', () => {
  const json = { 'content-type': 'application/json' };

  it.each<[string, string, object, number, string]>([
    ['asks for a path that is not there', '/admin', {}, 404, 'PATH_UNKNOWN'],
    ['asks for a method that is not there', '/securityhub.v1.SecurityHub/Nothing', { method: 'POST', headers: json }, 404, 'PATH_UNKNOWN'],
    ['gets what wants a body', VALIDATE, {}, 405, 'METHOD_NOT_ALLOWED'],
    ['asks for permission to cross origins', VALIDATE, { method: 'OPTIONS' }, 405, 'METHOD_NOT_ALLOWED'],
    [
      'sends a form',
      VALIDATE,
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'CONTENT_TYPE_UNSUPPORTED',
    ],
    [
      'sends a compressed body',
      VALIDATE,
      { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: gzipSync('{"token":"x"}') },
      415,
      'CONTENT_ENCODING_UNSUPPORTED',
    ],
    ['sends no type', VALIDATE, { method: 'POST' }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
    ['comes by a rebound name', VALIDATE, { method: 'POST', headers: { ...json, host: 'evil.example' } }, 403, 'HOST_UNKNOWN'],
    [
      'says it will send too much',
      VALIDATE,
      { method: 'POST', headers: { ...json, 'content-length': '200000' } },
      413,
      'REQUEST_TOO_LARGE',
    ],
    [
      'sends no UTF-8',
      VALIDATE,
      { method: 'POST', headers: json, body: Buffer.from('{"token":"\xff"}', 'latin1') },
      400,
      'REQUEST_MALFORMED',
    ],
  ])('that %s is told so as JSON', async (_, path, options, status, reason) => {
    const { port } = await start();
    const answered = await ask(port, path, options);
    expect(answered.status).toBe(status);
    expect(detailOf(answered, 'ErrorInfo')).toMatchObject({ reason });
    expect(answered.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('that sends too much in pieces is cut off', async () => {
    const { port } = await start();
    const headers = { ...json, 'transfer-encoding': 'chunked' };
    const answered = await ask(port, VALIDATE, { method: 'POST', headers, body: Buffer.alloc(300_000, 0x20) }).catch(
      (error: { code: string }) => error,
    );
    // The answer may be lost where the socket closes under what is still being sent.
    if ('status' in answered) expect(answered.status).toBe(413);
    else expect(['EPIPE', 'ECONNRESET']).toContain(answered.code);
  });

  it('that shows a credential that is none may send no more than one without', async () => {
    const { port } = await start();
    const headers = { ...json, authorization: 'Bearer junk' };
    const answered = await ask(port, VALIDATE, { method: 'POST', headers, body: Buffer.alloc(300_000, 0x20) }).catch(
      (error: { code: string }) => error,
    );
    if ('status' in answered) expect(answered.status).toBe(413);
    else expect(['EPIPE', 'ECONNRESET']).toContain(answered.code);
  });

  it('that shows a credential may send a mebibyte of plaintext', async () => {
    const { port } = await start();
    const plaintext = Buffer.alloc(1024 * 1024).toString('base64');
    const answered = await post(port, '/securityhub.v1.SecurityHub/Encrypt', { plaintext }, { authorization: 'Bearer good' });
    expect(answered.status).toBe(200);
  });

  it('that sends huge headers is refused by the parser', async () => {
    const { port } = await start();
    expect((await ask(port, '/livez', { headers: { cookie: 'x'.repeat(20_000) } })).status).toBe(431);
  });

  it.each([
    ['says nothing', ''],
    ['does not come to the end of its headers', 'GET /livez HTTP/1.1\r\nhost: localhost\r\n'],
    [
      'does not come to the end of its body',
      `POST ${VALIDATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
    ],
    ['was answered and stays', 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'],
  ])('on one of many hundred connections that %s keeps nobody out, and ends no call', async (_, text) => {
    let finish: (() => void) | null = null;
    const handle: Handle = () => new Promise((resolve) => (finish = () => resolve(Buffer.alloc(0))));
    const { port } = await start({ handle });
    const call = post(port, VALIDATE, {});
    await waitFor(() => finish !== null, 10_000, 'the call');
    const crowd = Array.from({ length: 600 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    // Some are cut off, as they should be.
    const sent = (socket: Socket) =>
      new Promise<void>((resolve) => socket.once('close', () => resolve()).write(text === '' ? Buffer.alloc(0) : text, () => resolve()));
    await Promise.all(crowd.map(sent));
    for (let round = 0; round < 5; round++) expect((await ask(port, '/livez')).status).toBe(200);
    (finish as (() => void) | null)?.();
    expect((await call).status).toBe(200);
    for (const socket of crowd) socket.destroy();
  });

  it('that speaks no HTTP is cut off', async () => {
    const { port } = await start();
    const said = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('\x16\x03\x01 what\r\n\r\n'));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
    });
    expect(said).toContain('400 Bad Request');
  });
});

describe('HTTP_HOSTS', () => {
  it.each([
    ['hub.internal', 200],
    ['hub.internal:8005', 200],
    ['HUB.internal', 200],
    ['localhost:8005', 200],
    ['[::1]', 200],
    ['hub.internal.evil.example', 403],
  ])('with hub.internal in it lets %s through: %i', async (host, status) => {
    const { port } = await start({ hosts: ['hub.internal'] });
    expect((await post(port, VALIDATE, {}, { host })).status).toBe(status);
  });

  it('is not asked by probes, which come by address', async () => {
    const { port } = await start();
    expect((await ask(port, '/livez', { headers: { host: '10.1.2.3:8005' } })).status).toBe(200);
  });
});

describe('in the clear beyond loopback', () => {
  it('only probes, metrics and public keys are served', async () => {
    const { port } = await start({ host: '0.0.0.0' });
    const status = async (path: string): Promise<number> => (await ask(port, path)).status;
    expect(
      await Promise.all(['/livez', '/readyz', '/metrics', '/.well-known/jwks.json', '/.well-known/openid-configuration'].map(status)),
    ).toEqual([200, 200, 200, 200, 200]);
    expect((await post(port, VALIDATE, {}, { authorization: 'Bearer good' })).status).toBe(404);
  });
});

describe('leaving', () => {
  it('answers what is under way and takes nothing new', async () => {
    let finish: (() => void) | null = null;
    const handle: Handle = () => new Promise((resolve) => (finish = () => resolve(Buffer.alloc(0))));
    const { port, server } = await start({ handle });
    const call = post(port, VALIDATE, {});
    await waitFor(() => finish !== null, 10_000, 'the call');
    const stopped = server.stop(30_000);
    const refused = (): Promise<boolean> =>
      ask(port, '/livez').then(
        () => false,
        ({ code }: { code: string }) => code === 'ECONNREFUSED',
      );
    await waitFor(refused, 10_000, 'the closed door');
    (finish as (() => void) | null)?.();
    expect(await call).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await stopped;
  });

  it('does not wait longer than its grace', async () => {
    let begun = false;
    const { port, server } = await start({
      handle: () => {
        begun = true;
        return new Promise(() => {});
      },
    });
    const call = post(port, VALIDATE, {}).catch((error: { code: string }) => error.code);
    await waitFor(() => begun, 10_000, 'the call');
    await server.stop(50);
    expect(await call).toBe('ECONNRESET');
  });
});

describe('a route that fails', () => {
  it('is logged with its path and answered with nothing of the cause', async () => {
    const handle = (): never => {
      throw new Error('hunter2');
    };
    const { port, errors } = await start({ routes: [{ method: 'GET', path: '/crl/', exposure: 'public', handle }] });
    const answered = await ask(port, '/crl/root.crl?x=1');
    expect(answered.status).toBe(500);
    expect(answered.text).not.toContain('hunter2');
    expect(errors).toMatchObject([{ path: '/crl/root.crl', requestId: 'made-here' }]);
  });
});
