// Two plain Node TLS peers speak mTLS with certificates of ours, and with the hub itself.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureContextOptions } from 'node:tls';
import type { KeyType } from '../../../src/gen/securityhub/v1/certificate.ts';
import type { IssueServiceCertResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { describeCertificate } from '../../../src/base/peer-certificate.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createGround, type Ground, leafOf, operator } from './setup.ts';

let database: FreshDatabase;
let ground: Ground;
beforeAll(async () => {
  database = await freshDatabase();
  ground = await createGround({ database });
});
afterAll(async () => {
  await ground.stop();
  await database.close();
});

const issued = (service: string, type: KeyType = 1): Promise<IssueServiceCertResponse> =>
  ground.issue(operator(), { namespace: 'shop', service, generateKey: { type } });

const contextOf = (one: IssueServiceCertResponse): SecureContextOptions => ({
  key: one.privateKeyPem,
  cert: one.certificatePem,
  ca: one.trustBundlePem,
});

/** What each side learnt of the other, by its SPIFFE ID; '' where the handshake failed. */
const handshake = async (
  server: SecureContextOptions,
  client: SecureContextOptions,
  servername: string,
): Promise<{ readonly seenByServer: string; readonly seenByClient: string }> => {
  const seen = { seenByServer: '', seenByClient: '' };
  const listener = createServer({ ...server, requestCert: true, rejectUnauthorized: true }, (socket) => {
    const certificate = socket.getPeerX509Certificate();
    seen.seenByServer = certificate === undefined ? '' : (describeCertificate(certificate).spiffeId ?? '');
    socket.end('hello');
  });
  listener.on('tlsClientError', () => {});
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect({ ...client, host: '127.0.0.1', port: (listener.address() as AddressInfo).port, servername });
  try {
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerX509Certificate();
    seen.seenByClient = certificate === undefined ? '' : (describeCertificate(certificate).spiffeId ?? '');
    socket.resume();
    await once(socket, 'end');
  } catch {
    // Said by what was not seen.
  } finally {
    socket.destroy();
    listener.close();
  }
  return seen;
};

describe('two peers', () => {
  it.each([1, 2, 3] as const)('with certificates of ours know each other (kind of key %i)', async (type) => {
    const [billing, payments] = [await issued('billing', type), await issued('payments', type)];
    const seen = await handshake(contextOf(billing), contextOf(payments), 'billing.shop.svc');
    expect(seen).toMatchObject({ seenByServer: payments.spiffeId, seenByClient: billing.spiffeId });
  });

  it('do not know a name that the certificate does not carry', async () => {
    const [billing, payments] = [await issued('billing'), await issued('payments')];
    expect((await handshake(contextOf(billing), contextOf(payments), 'payments.shop.svc')).seenByClient).toBe('');
  });

  it('do not know a certificate of another hub', async () => {
    const elsewhere = await freshDatabase();
    const stranger = await createGround({ database: elsewhere });
    const foreign = await stranger.issue(operator(), { namespace: 'shop', service: 'payments', generateKey: { type: 1 } });
    const billing = await issued('billing');
    const client = { ...contextOf(foreign), ca: billing.trustBundlePem };
    expect((await handshake(contextOf(billing), client, 'billing.shop.svc')).seenByServer).toBe('');
    await stranger.stop();
    await elsewhere.close();
  });
});

describe('the hub', () => {
  it('knows a peer by its certificate, with or without the intermediate behind it', async () => {
    const billing = await issued('billing');
    const { key, chain, ca } = ground.wire.serverIdentity().current();
    for (const cert of [billing.certificatePem, leafOf(billing.certificatePem)]) {
      const seen = await handshake({ key, cert: chain, ca }, { ...contextOf(billing), cert }, 'localhost');
      expect(seen).toMatchObject({ seenByServer: billing.spiffeId, seenByClient: 'spiffe://test.example/ns/security-hub/sa/security-hub' });
    }
  });
});
