// The HTTP side port over TLS: beyond loopback it serves everything, knows its callers' certificates, and renews its own.
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Call } from '../../src/base/call.ts';
import type { ServerIdentity, TlsSource } from '../../src/server/grpc/credentials.ts';
import { startHttp, type ToyOptions } from './http-toy.ts';
import { selfSigned } from './self-signed.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

/** A source that the test turns. */
const turning = (first: ServerIdentity) => {
  let now = first;
  const listeners = new Set<() => void>();
  const source: TlsSource = {
    current: () => now,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const turn = (next: ServerIdentity): void => {
    now = next;
    for (const listener of listeners) listener();
  };
  return { source, turn };
};

const start = async (options: ToyOptions) => {
  const toy = await startHttp(options);
  ends.push(() => toy.server.stop(100));
  return toy;
};

const ask = (
  port: number,
  path: string,
  ca: string,
  client: { key?: string; cert?: string } = {},
): Promise<{ status: number; subject: string }> =>
  new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const method = path.startsWith('/securityhub') ? 'POST' : 'GET';
    const sent = request({ host: '127.0.0.1', port, path, method, ca, headers, agent: false, ...client }, (response) => {
      const { CN = '' } = (response.socket as TLSSocket).getPeerCertificate().subject;
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, subject: String(CN) }));
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? '{}' : undefined);
  });

// RSA keys take their time.
const hub = selfSigned('hub');
const stranger = selfSigned('stranger');

const LIST = '/securityhub.v1.UserService/ListUsers';

describe('the HTTP side port over TLS', () => {
  it('answers calls as JSON beyond loopback', async () => {
    const { port } = await start({ host: '0.0.0.0', tls: turning(hub).source });
    expect(await ask(port, LIST, hub.ca)).toEqual({ status: 200, subject: 'hub' });
  });

  it('hands on the certificate of a caller that our authority signed, and of nobody else', async () => {
    const calls: Call[] = [];
    const { port } = await start({
      tls: turning(hub).source,
      handle: (call) => void calls.push(call),
      ports: { authenticate: () => ({ kind: 'anonymous' }) },
    });
    await ask(port, LIST, hub.ca, { key: hub.key, cert: hub.chain });
    await ask(port, LIST, hub.ca, { key: stranger.key, cert: stranger.chain });
    await ask(port, LIST, hub.ca);
    expect(calls.map(({ peer }) => peer.certificate?.spiffeId ?? null)).toEqual(['spiffe://test/ns/default/sa/hub', null, null]);
  });

  it('serves with a new certificate without a restart, and keeps the old one where the new does not load', async () => {
    const [first, second] = [hub, stranger];
    const { source, turn } = turning(first);
    const { port, errors } = await start({ tls: source });
    expect((await ask(port, '/livez', first.ca)).subject).toBe('hub');
    turn(second);
    expect((await ask(port, '/livez', second.ca)).subject).toBe('stranger');
    turn({ ...first, key: second.key });
    expect((await ask(port, '/livez', second.ca)).subject).toBe('stranger');
    expect(errors).toHaveLength(1);
  });

  it('does not answer in the clear', async () => {
    const { port } = await start({ tls: turning(hub).source });
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  });

  it.each([
    ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['ECDHE-RSA-AES128-SHA256', 'refused'],
    ['AES128-GCM-SHA256', 'refused'],
  ])('of TLS 1.2 speaks %s: %s, as the gRPC port does', async (ciphers, wanted) => {
    const { port } = await start({ tls: turning(hub).source });
    const spoken = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca: hub.ca, maxVersion: 'TLSv1.2', ciphers, rejectUnauthorized: false }, () => {
        resolve(socket.getCipher().name);
        socket.destroy();
      });
      socket.on('error', () => resolve('refused'));
    });
    expect(spoken).toBe(wanted);
  });
});
