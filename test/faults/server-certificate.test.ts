// TLS that lives: our own certificate is renewed under load, and clients' certificates count on every call, not only at the handshake.
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateServiceService as Certificates, KeyType } from '../../src/gen/securityhub/v1/certificate.ts';
import { type IssueServiceCertResponse, SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { Workload, WorkloadServiceService as Workloads } from '../../src/gen/securityhub/v1/workload.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { type TcpProxy, tcpProxy } from '../storage/tcp-proxy.ts';
import { type Caller, figures, openCaller, report } from './caller.ts';

const SERVER_LIFE_SECONDS = 8;
/** A renewal comes at half of the life, or a tenth of it later. */
const RENEWALS = 2;
const PATIENCE = 20_000;

let database: FreshDatabase;
let hub: HubProcess;
let admin: Caller;
let token: string;
let ca: string;
let port: number;
/** Counts connections: shows that two calls travelled on one. */
let proxy: TcpProxy;

beforeAll(async () => {
  database = await freshDatabase();
  const home = hubHome();
  const socket = join(home.dataDir, 'hub.sock');
  hub = await startHub({
    ...home.env,
    POSTGRES_URI: database.uri,
    REDIS_URL: redisUrl(),
    REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:`,
    TLS: 'on',
    GRPC_SOCKET: socket,
    SERVER_CERT_TTL_SECONDS: String(SERVER_LIFE_SECONDS),
    CERT_MIN_TTL_SECONDS: '1',
  });
  port = Number(hub.grpc.split(':')[1]);
  proxy = await tcpProxy('127.0.0.1', port);
  token = hub.bootstrap().access_token;
  admin = openCaller(`unix:${socket}`, token);
  ca = (await admin.ask(Certificates.getTrustBundle, {})).trustBundlePem;
  const workload = Workload.fromPartial({ namespace: 'default', name: 'billing', audiences: ['security-hub'], calls: ['ValidateToken'] });
  await admin.ask(Workloads.putWorkload, { workload });
}, 30_000);

afterAll(async () => {
  admin?.close();
  await proxy?.close();
  await hub?.stop();
  await database?.close();
});

const issue = (seconds: number): Promise<IssueServiceCertResponse> =>
  admin.ask(Hub.issueServiceCert, {
    namespace: 'default',
    service: 'billing',
    generateKey: { type: KeyType.KEY_TYPE_ECDSA_P256 },
    ttl: { seconds, nanos: 0 },
  });

/** Known by the certificate alone. */
const openWorkload = (at: number, issued: IssueServiceCertResponse): Caller =>
  openCaller(
    `localhost:${at}`,
    '',
    credentials.createSsl(Buffer.from(ca), Buffer.from(issued.privateKeyPem), Buffer.from(issued.certificatePem)),
  );

const ask = async (caller: Caller): Promise<string> => {
  const said = await caller.tell(Hub.validateToken, { token, audience: 'security-hub' });
  return said.answer === null ? `${said.code} ${said.reason} ${said.message}` : String(said.answer.valid);
};

/** Serial number of the server's certificate as a new connection sees it; the path is checked against the bundle. */
const serverSerial = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ host: 'localhost', port, ca, ALPNProtocols: ['h2'] }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.on('error', reject);
  });

describe('the server certificate', () => {
  it('is renewed under load without a restart and without a lost call', async () => {
    const issued = await issue(3600);
    const limit = performance.now() + PATIENCE;
    const serials = new Set<string>();
    const over = (): boolean => serials.size > RENEWALS || performance.now() > limit;
    const said = new Map<string, number>();
    const count = (outcome: string): void => void said.set(outcome, (said.get(outcome) ?? 0) + 1);
    const lasting = openWorkload(port, issued);
    const times: { readonly old: number[]; readonly fresh: number[] } = { old: [], fresh: [] };

    const onOne = async (): Promise<void> => {
      while (!over()) {
        const began = performance.now();
        count(`lasting ${await ask(lasting)}`);
        times.old.push(performance.now() - began);
      }
    };
    const onNew = async (): Promise<void> => {
      while (!over()) {
        const began = performance.now();
        const caller = openWorkload(port, issued);
        count(`new ${await ask(caller)}`);
        times.fresh.push(performance.now() - began);
        caller.close();
      }
    };
    const look = async (): Promise<void> => {
      while (!over()) {
        serials.add(await serverSerial());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    await Promise.all([onOne(), onOne(), onNew(), onNew(), look()]);
    lasting.close();

    report(`server certificates seen: ${serials.size}`);
    report(figures('one lasting connection', times.old));
    report(figures('a new connection for each call', times.fresh));
    expect([...said.keys()].toSorted()).toEqual(['lasting true', 'new true']);
    expect(serials.size).toBe(RENEWALS + 1);
    // Still the process that was started.
    expect(() => process.kill(hub.pid, 0)).not.toThrow();
    const ended = await Promise.race([hub.ended, Promise.resolve('running')]);
    expect(ended).toBe('running');
  }, 30_000);
});

describe("a client's certificate", () => {
  it('that is revoked is refused on the next call of its open connection, and on new ones', async () => {
    const before = proxy.accepted;
    const issued = await issue(3600);
    const caller = openWorkload(proxy.port, issued);
    expect(await ask(caller)).toBe('true');
    await admin.ask(Certificates.revokeCertificate, { serialNumber: issued.serialNumber, reason: 'keyCompromise' });
    expect(await ask(caller)).toMatch(/^UNAUTHENTICATED TOKEN_REVOKED/);
    expect(proxy.accepted - before).toBe(1);
    const later = openWorkload(port, issued);
    expect(await ask(later)).toMatch(/^UNAUTHENTICATED TOKEN_REVOKED/);
    for (const one of [caller, later]) one.close();
  });

  it('that has ended is refused on its open connection, and on new ones', async () => {
    const before = proxy.accepted;
    const issued = await issue(2);
    const caller = openWorkload(proxy.port, issued);
    expect(await ask(caller)).toBe('true');
    await waitFor(async () => (await ask(caller)) !== 'true', 5000, 'the end of the certificate');
    expect(Date.now()).toBeGreaterThanOrEqual((issued.notAfter?.seconds ?? 0) * 1000);
    expect(await ask(caller)).toMatch(/^UNAUTHENTICATED TOKEN_EXPIRED/);
    expect(proxy.accepted - before).toBe(1);
    const later = openWorkload(port, issued);
    expect(await ask(later)).toMatch(/^UNAUTHENTICATED/);
    for (const one of [caller, later]) one.close();
  });
});
