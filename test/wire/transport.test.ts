// What each variable of the transport does, from the environment to the socket.
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Fault } from '../../src/base/fault.ts';
import { systemRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/base/time.ts';
import { HealthService } from '../../src/gen/grpc/health/v1/health.ts';
import { waitFor } from '../harness.ts';
import { freePort } from '../stores.ts';
import { loadConfig } from '../../src/server/config/schema.ts';
import type { TlsSource } from '../../src/server/grpc/credentials.ts';
import { tlsFromFiles } from '../../src/server/grpc/files.ts';
import { createMetrics } from '../../src/server/observability/metrics.ts';
import { createTransport } from '../../src/server/transport.ts';
import { ask, everyService, type Handle, post } from './http-toy.ts';
import { selfSigned } from './self-signed.ts';

const VALIDATE = '/securityhub.v1.SecurityHub/ValidateToken';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const silent = { info: () => {}, warn: () => {}, error: () => {} };

const start = async (environment: Record<string, string> = {}, tls: TlsSource | null = null, handle: Handle = () => undefined) => {
  const { config } = loadConfig({ environment: { GRPC_PORT: '0', HTTP_PORT: '0', ...environment }, flags: {}, readFile: () => '' });
  const transport = createTransport({
    config,
    clock: systemClock,
    random: systemRandom,
    log: silent,
    metrics: createMetrics('toy'),
    recorder: { insert: async () => {}, required: async () => {}, refused: () => {}, sampled: () => {}, flush: async () => {} },
    services: await everyService(handle),
    authenticate: () => {
      throw new Fault('UNAUTHENTICATED', 'TOKEN_MALFORMED', 'this is no token');
    },
    holds: () => false,
    pay: () => {},
    tls: () => ({ grpc: tls, http: tls }),
    missing: () => [],
    keys: { jwks: () => ({ json: '{"keys":[]}', maxAge: 300 }), issuer: 'https://hub.example', algorithms: () => ['ES256'] },
  });
  const stop = async (): Promise<void> => {
    for (const part of [...transport.parts].reverse()) await part.stop?.();
  };
  for (const part of transport.parts) await part.start?.();
  ends.push(stop);
  return { ...transport, stop };
};

/** grpc.health.v1.Health/Check; its status, or the error. */
const check = (target: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const client = new Client(target, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = HealthService.check;
    const options = { deadline: Date.now() + 2000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: '' }, options, (error, answer) => {
      client.close();
      if (error === null && answer !== undefined) resolve(answer.status);
      else reject(error ?? new Error('no answer'));
    });
  });

describe('the transport', () => {
  it('GRPC_PORT and HTTP_PORT are where it listens', async () => {
    const [grpc, http] = [await freePort(), await freePort()];
    await start({ GRPC_PORT: String(grpc), HTTP_PORT: String(http) });
    expect(await check(`127.0.0.1:${grpc}`)).toBe(1);
    expect((await ask(http, '/readyz')).status).toBe(200);
  });

  it('GRPC_HOST and HTTP_HOST are the addresses it listens on', async () => {
    const { ports } = await start({ GRPC_HOST: '127.0.0.2', HTTP_HOST: '127.0.0.3' });
    expect(await check(`127.0.0.2:${ports.grpc}`)).toBe(1);
    await expect(check(`127.0.0.1:${ports.grpc}`)).rejects.toMatchObject({ code: 14 });
    expect((await ask(ports.http, '/livez', { host: '127.0.0.3' })).status).toBe(200);
    await expect(ask(ports.http, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('GRPC_SOCKET speaks gRPC as well', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'security-hub-socket-')), 'hub.sock');
    await start({ GRPC_SOCKET: path });
    expect(existsSync(path)).toBe(true);
    expect(await check(`unix:${path}`)).toBe(1);
  });

  it('PROBE_PORT opens probes and metrics alone, in the clear, also where the rest speaks TLS', async () => {
    const probes = await freePort();
    const identity = selfSigned('hub');
    const { ports } = await start({ PROBE_PORT: String(probes) }, { current: () => identity, onChange: () => () => {} });
    for (const path of ['/livez', '/readyz', '/metrics']) expect([path, (await ask(probes, path)).status]).toEqual([path, 200]);
    expect((await ask(probes, '/.well-known/jwks.json')).status).toBe(404);
    expect((await post(probes, VALIDATE, {})).status).toBe(404);
    await expect(ask(ports.http, '/livez')).rejects.toBeDefined();
  });

  it('HTTP_HOSTS lets JSON callers use a name', async () => {
    const { ports } = await start({ HTTP_HOSTS: 'hub.internal, hub' });
    expect((await post(ports.http, VALIDATE, {}, { host: 'hub:8005' })).status).toBe(200);
    expect((await post(ports.http, VALIDATE, {}, { host: 'other' })).status).toBe(403);
  });

  it('HTTP_SIX_CALLS opens the six calls as JSON in production, where they are closed', async () => {
    const closed = await start({ NODE_ENV: 'production' });
    expect((await post(closed.ports.http, VALIDATE, {})).status).toBe(501);
    const open = await start({ NODE_ENV: 'production', HTTP_SIX_CALLS: 'true' });
    expect((await post(open.ports.http, VALIDATE, {})).status).toBe(200);
  });

  it('GRPC_REFLECTION=off leaves no reflection to be found', async () => {
    const reflecting = (names: ReadonlyMap<string, unknown>): boolean =>
      [...names.keys()].some((path) => path.includes('ServerReflection'));
    expect(reflecting((await start()).invoker.routes)).toBe(true);
    expect(reflecting((await start({ GRPC_REFLECTION: 'off' })).invoker.routes)).toBe(false);
  });

  it('MAX_IN_FLIGHT caps the calls that wait', async () => {
    let finish = (): void => {};
    const over = new Promise<void>((resolve) => (finish = resolve));
    const { ports } = await start({ MAX_IN_FLIGHT: '10' }, null, () => over.then(() => Buffer.alloc(0)));
    const calls = Array.from({ length: 12 }, () => post(ports.http, VALIDATE, {}));
    let answered = 0;
    for (const call of calls) void call.then(() => (answered += 1));
    // These calls may take six tenths of it. Whoever is beyond is answered, the others wait for us.
    await waitFor(() => answered === 6, 10_000, 'six refusals');
    finish();
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect([200, 429].map((status) => statuses.filter((one) => one === status).length)).toEqual([6, 6]);
  });

  it('MAX_CONNECTIONS closes the door behind so many', async () => {
    const { ports } = await start({ MAX_CONNECTIONS: '1' });
    const first = connect(ports.grpc, '127.0.0.1');
    ends.push(async () => void first.destroy());
    await once(first, 'connect');
    const second = connect(ports.grpc, '127.0.0.1');
    second.on('error', () => {});
    await once(second, 'close');
    expect(first.closed).toBe(false);
  });

  it('SHED_LAG_MILLISECONDS is how late the event loop may be before calls are sent away; 0 sends none', async () => {
    const [strict, lenient] = [await start({ SHED_LAG_MILLISECONDS: '1' }), await start({ SHED_LAG_MILLISECONDS: '0' })];
    const busy = setInterval(() => {
      const until = performance.now() + 30;
      while (performance.now() < until);
    }, 35);
    ends.push(async () => clearInterval(busy));
    const list = async ({ ports }: typeof strict): Promise<number> =>
      (await post(ports.http, '/securityhub.v1.UserService/ListUsers', {})).status;
    await waitFor(async () => (await list(strict)) === 429, 20_000, 'the shedding');
    expect(await list(lenient)).toBe(200);
  });

  it('DRAIN_DELAY_SECONDS is how long it answers on while it says that it leaves', async () => {
    const { ports, stop } = await start({ DRAIN_DELAY_SECONDS: '2' });
    ends.length = 0;
    const before = performance.now();
    const stopped = stop();
    const ready = await ask(ports.http, '/readyz');
    expect(ready.status).toBe(503);
    expect(ready.text).toContain('shutting down');
    expect((await post(ports.http, VALIDATE, {})).status).toBe(200);
    await stopped;
    expect(performance.now() - before).toBeGreaterThan(1990);
    await expect(ask(ports.http, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('DRAIN_SECONDS is how long calls under way may take', async () => {
    let begun = false;
    const { ports, stop } = await start({ DRAIN_SECONDS: '0.2' }, null, () => {
      begun = true;
      return new Promise(() => {});
    });
    ends.length = 0;
    const call = post(ports.http, VALIDATE, {}).catch((error: { code: string }) => error.code);
    await waitFor(() => begun, 10_000, 'the call');
    const before = Date.now();
    await stop();
    expect(Date.now() - before).toBeLessThan(3000);
    expect(await call).toBe('ECONNRESET');
  });
});

describe('a certificate from files', () => {
  it('TLS_CERT_PATH, TLS_KEY_PATH and TLS_CA_PATH are read, and read again when they change', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'security-hub-tls-'));
    const [certPath, keyPath, caPath] = ['tls.crt', 'tls.key', 'ca.crt'].map((name) => join(folder, name)) as [string, string, string];
    const [first, second, own] = [selfSigned('first'), selfSigned('second'), selfSigned('own')];
    const put = ({ chain, key, ca }: typeof first): void => {
      writeFileSync(certPath, chain);
      writeFileSync(keyPath, key);
      writeFileSync(caPath, ca);
    };
    put(first);
    let authority = own;
    const tellers = new Set<() => void>();
    const ours = {
      current: () => authority,
      onChange(listener: () => void) {
        tellers.add(listener);
        return () => void tellers.delete(listener);
      },
    };
    const source = tlsFromFiles({ cert: certPath, key: keyPath, ca: caPath }, ours, silent);
    const withOwn = tlsFromFiles({ cert: certPath, key: keyPath, ca: '' }, ours, silent);
    expect(source.current()).toEqual(first);
    expect(withOwn.current()).toEqual({ ...first, ca: own.ca });

    let told = 0;
    const end = withOwn.onChange(() => (told += 1));
    const tell = (): void => {
      for (const teller of tellers) teller();
    };
    // Our own server certificate was renewed, which is not in use here; then our authority changed.
    tell();
    authority = selfSigned('next');
    tell();
    expect([told, withOwn.current()]).toEqual([1, { ...first, ca: authority.ca }]);
    end();
    expect(tellers.size).toBe(0);

    const changed = new Promise<void>((resolve) => {
      const stop = source.onChange(resolve);
      ends.push(async () => stop());
    });
    put(second);
    await changed;
    expect(source.current()).toEqual(second);
  });
});
