import { connect as connectTls } from 'node:tls';
import { credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '../../src/base/caller.ts';
import type { ServerIdentity, TlsSource } from '../../src/server/grpc/credentials.ts';
import { faultOf } from '../../src/server/grpc/status.ts';
import type { OnionPorts } from '../../src/server/rpc/onion.ts';
import { type Authority, createAuthority, type Issued } from './grpc-authority.ts';
import { connect, failed, infoBytes, startToy, type Toy } from './grpc-toy.ts';

const BILLING = 'spiffe://hub.test/ns/default/sa/billing';

let ours: Authority;
let theirs: Authority;
beforeAll(() => {
  ours = createAuthority('ours');
  theirs = createAuthority('theirs');
});

const source = (first: Issued, ca: string) => {
  let identity: ServerIdentity = { key: first.key, chain: first.certificate, ca };
  const listeners = new Set<() => void>();
  const tls: TlsSource = {
    current: () => identity,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const replace = (next: Partial<ServerIdentity>): void => {
    identity = { ...identity, ...next };
    for (const listener of listeners) listener();
  };
  return { tls, replace };
};

const authenticate: OnionPorts['authenticate'] = ({ peer }): Caller => {
  const spiffeId = peer.certificate?.spiffeId;
  if (!spiffeId) return { kind: 'anonymous' };
  return { kind: 'workload', tenantId: 'dev', spiffeId, namespace: 'default', name: 'billing', entry: null };
};

let toy: Toy | undefined;
afterEach(async () => {
  await toy?.stop();
  toy = undefined;
});

const start = async (ports: Partial<OnionPorts> = {}) => {
  const from = source(ours.issue({ serial: '10' }), ours.pem);
  toy = await startToy({ tls: from.tls, ports: { authenticate, ...ports } });
  return { toy, replace: from.replace, target: `localhost:${toy.port}` };
};

const clientCredentials = (issued?: Issued) =>
  credentials.createSsl(Buffer.from(ours.pem), issued ? Buffer.from(issued.key) : null, issued ? Buffer.from(issued.certificate) : null);

const serverSerial = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', ca: ours.pem, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });

describe('TLS', () => {
  it('asks for a client certificate and lives without one', async () => {
    const { target, toy } = await start();
    const client = connect(target, clientCredentials());
    await client.unary('Say', infoBytes(''));
    expect(toy.seen.calls.at(-1)).toMatchObject({
      peer: { transport: 'tcp', loopback: true, certificate: null },
      caller: { kind: 'anonymous' },
    });
    client.close();
  });

  it('knows a caller by the certificate our authority signed', async () => {
    const { target, toy } = await start();
    const client = connect(target, clientCredentials(ours.issue({ uri: BILLING, serial: '0abc' })));
    await client.unary('Say', infoBytes(''));
    await client.unary('Say', infoBytes(''));
    const [first, second] = toy.seen.calls;
    expect(first?.peer.certificate).toMatchObject({
      spiffeId: BILLING,
      serialNumber: 'abc',
      sha256: expect.stringMatching(/^[\da-f]{64}$/),
    });
    expect(first?.caller).toMatchObject({ kind: 'workload', spiffeId: BILLING });
    // Read once a connection.
    expect(second?.peer).toBe(first?.peer);
    client.close();
  });

  it.each([
    ['of another authority', () => theirs.issue({ uri: BILLING }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['that has expired', () => ours.issue({ uri: BILLING, seconds: -1 }), 'CERT_HAS_EXPIRED'],
  ])('takes a certificate %s for none, and says why', async (_which, issue, why) => {
    const { target, toy } = await start();
    const client = connect(target, clientCredentials(issue()));
    await client.unary('Say', infoBytes(''));
    expect(toy.seen.calls.at(-1)).toMatchObject({ peer: { certificate: null }, caller: { kind: 'anonymous' } });
    const error = await failed(client.unary('Guarded', infoBytes('')));
    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(faultOf(error)).toMatchObject({ reason: 'CREDENTIALS_MISSING', meta: { certificate: why } });
    client.close();
  });

  it('shows a new certificate without a restart, and loses no call of those under way', async () => {
    const { target, toy, replace } = await start();
    const client = connect(target, clientCredentials());
    let running = true;
    let answered = 0;
    const load = Array.from({ length: 8 }, async () => {
      while (running) {
        await client.unary('Say', infoBytes(''));
        answered++;
      }
    });
    const fresh = Array.from({ length: 2 }, async () => {
      while (running) {
        const passing = connect(target, clientCredentials());
        await passing.unary('Say', infoBytes(''));
        passing.close();
      }
    });
    for (let serial = 11; serial < 21; serial++) {
      const { key, certificate } = ours.issue({ serial: String(serial) });
      replace({ key, chain: certificate });
      expect(await serverSerial(toy.port)).toBe(String(serial));
    }
    running = false;
    await Promise.all([...load, ...fresh]);
    expect(answered).toBeGreaterThan(10);
    client.close();
  });

  it('keeps the old certificate where the new one does not load, and says so', async () => {
    const { toy, replace } = await start();
    replace({ chain: theirs.issue({ serial: '33' }).certificate });
    expect(await serverSerial(toy.port)).toBe('10');
    expect(toy.seen.errors).toMatchObject([{ message: 'the new server certificate does not load; the old one stays' }]);
  });

  it('believes in a new authority from the next connection on', async () => {
    const { target, toy, replace } = await start();
    replace({ ca: `${ours.pem}\n${theirs.pem}` });
    const client = connect(target, clientCredentials(theirs.issue({ uri: BILLING })));
    await client.unary('Say', infoBytes(''));
    expect(toy.seen.calls.at(-1)?.caller).toMatchObject({ kind: 'workload' });
    client.close();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes no session (%s): each connection shows its certificate anew', async (version) => {
    const { toy } = await start();
    const { key, certificate } = ours.issue({ uri: BILLING });
    const dial = (session?: Buffer) =>
      new Promise<{ reused: boolean; session: Buffer | undefined }>((resolve, reject) => {
        let latest: Buffer | undefined;
        const options = {
          port: toy.port,
          host: '127.0.0.1',
          ca: ours.pem,
          key,
          cert: certificate,
          ALPNProtocols: ['h2'],
          minVersion: version,
          maxVersion: version,
        };
        const socket = connectTls({ ...options, ...(session === undefined ? {} : { session }) }, () => {
          setTimeout(() => {
            resolve({ reused: socket.isSessionReused(), session: latest ?? socket.getSession() });
            socket.destroy();
          }, 50);
        });
        socket.on('session', (given: Buffer) => (latest = given));
        socket.on('error', reject);
      });
    const first = await dial();
    expect((await dial(first.session)).reused).toBe(false);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const { toy } = await start();
    const refused = new Promise<{ code?: string }>((resolve) => {
      connectTls({
        port: toy.port,
        host: '127.0.0.1',
        ca: ours.pem,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'ALL:@SECLEVEL=0',
      }).on('error', resolve);
    });
    expect((await refused).code).toMatch(/^ERR_SSL_/);
  });
});
