// A registered workload on mTLS in local mode: what it may judge its entry says, and the hub may go away for a while.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Fault } from '../../src/base/fault.ts';
import type { Client } from '../../src/client/client.ts';
import type { TlsFiles } from '../../src/client/options.ts';
import type { IssueServiceCertResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { waitFor } from '../harness.ts';
import { createWorld, heard, type World } from './world.ts';

const WORKLOAD = {
  namespace: 'default',
  name: 'orders',
  audiences: ['orders', 'security-hub'],
  calls: ['ValidateToken', 'WatchRevocations', 'WatchKeys', 'GetChangeHead'],
};

type Issued = Pick<IssueServiceCertResponse, 'certificatePem' | 'privateKeyPem' | 'trustBundlePem' | 'serialNumber'>;

/** The files of a certificate, and how to renew them. */
const issueFiles = (first: Issued) => {
  const folder = mkdtempSync(join(tmpdir(), 'security-hub-workload-'));
  const files = { ca: join(folder, 'ca.pem'), cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  const write = (issued: Issued): void => {
    writeFileSync(files.ca, issued.trustBundlePem);
    writeFileSync(files.cert, issued.certificatePem);
    writeFileSync(files.key, issued.privateKeyPem);
  };
  write(first);
  return { files, write, serialNumber: first.serialNumber };
};

let world: World;
let admin: Client;
let files: Required<Pick<TlsFiles, 'ca' | 'cert' | 'key'>>;
beforeAll(async () => {
  world = await createWorld({ TLS: 'on' });
  admin = world.admin;
  await admin.workload.putWorkload({ workload: WORKLOAD });
  ({ files } = issueFiles(await admin.issueServiceCert({ namespace: 'default', service: 'orders', generateKey: {} })));
}, 60_000);
afterAll(() => world.close());

const workload = (more: object = {}): Client => world.anonymous({ tls: files, local: {}, ...more });

describe('a workload in local mode', () => {
  it('judges for the audiences of its entry and asks about others', async () => {
    const { accessToken } = await world.login();
    const client = workload();
    await heard(client);
    expect(await client.validateToken({ token: accessToken })).toMatchObject({ valid: true, warnings: [] });
    expect(await client.validateToken({ token: accessToken, audience: 'security-hub' })).toMatchObject({ valid: true });
    expect(client.localState()).toMatchObject({ judged: 2, asked: 0 });
    expect(await client.validateToken({ token: accessToken, audience: 'orders' })).toMatchObject({
      valid: false,
      reasons: [{ code: 'AUDIENCE_MISMATCH' }],
    });
    const refused = await client.validateToken({ token: accessToken, audience: 'payroll' }).catch((fault: Fault) => fault.reason);
    expect(refused).toBe('AUDIENCE_FORBIDDEN');
    expect(client.localState()).toMatchObject({ judged: 2, asked: 2 });
  });

  it('follows its entry when it changes', async () => {
    const { accessToken } = await world.login();
    const client = workload();
    await heard(client);
    expect((await client.validateToken({ token: accessToken })).valid).toBe(true);
    await admin.workload.putWorkload({ workload: { ...WORKLOAD, audiences: ['orders'] } });
    await waitFor(async () => !(await client.validateToken({ token: accessToken })).valid, 5000, 'the refusal');
    await admin.workload.putWorkload({ workload: WORKLOAD });
  });

  it('hears on over its renewed certificate when the old one is revoked', async () => {
    const { accessToken } = await world.login();
    const own = issueFiles(await admin.issueServiceCert({ namespace: 'default', service: 'orders', generateKey: {} }));
    const client = workload({ tls: { ...own.files, reloadEvery: 50 } });
    await heard(client);
    const renewed = await admin.issueServiceCert({ namespace: 'default', service: 'orders', generateKey: {} });
    own.write(renewed);
    await admin.certificate.revokeCertificate({ serialNumber: own.serialNumber, reason: 'superseded' });
    // Long enough for a watch on the old certificate to be ended, and for the age to be measured again.
    const seq = (await admin.token.getChangeHead()).seq;
    await waitFor(
      () => (client.localState()?.revocationSeq ?? 0) >= seq && client.localState()?.obstacle === null,
      10_000,
      'news after the renewal',
    );
    const { asked } = client.localState() ?? { asked: -1 };
    expect((await client.validateToken({ token: accessToken })).valid).toBe(true);
    expect(client.localState()?.asked).toBe(asked);
  });

  it('goes on without the hub until its news are too old, and goes on when it is back', async () => {
    const { accessToken } = await world.login();
    const client = workload({ local: { maxStaleness: 6000 } });
    await heard(client);
    await world.hub.stop('SIGKILL');
    const began = performance.now();
    expect((await client.validateToken({ token: accessToken })).valid).toBe(true);
    const verdict = (): Promise<string> =>
      client.validateToken({ token: accessToken }).then(
        ({ valid }) => String(valid),
        (fault: Fault) => `${fault.code} ${fault.reason}`,
      );
    const seen: string[] = [];
    await waitFor(async () => (seen.push(await verdict()), seen.at(-1) !== 'true'), 15_000, 'the end of the verdicts');
    expect(seen.at(-1)).toBe('UNAVAILABLE FEED_STALE');
    expect(performance.now() - began).toBeLessThan(9000);
    await world.restart();
    await heard(client);
    expect(await verdict()).toBe('true');
    const { asked } = client.localState() ?? { asked: 0 };
    await verdict();
    expect(client.localState()?.asked).toBe(asked);
  }, 60_000);
});
