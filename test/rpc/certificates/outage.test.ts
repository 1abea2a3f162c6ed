// With Postgres away nothing is issued, nothing is guessed, and what is known stays known.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { type TcpProxy, tcpProxy } from '../../storage/tcp-proxy.ts';
import { createGround, csrPem, type Ground, operator, p256 } from './setup.ts';

let database: FreshDatabase;
let wire: TcpProxy;
let ground: Ground;
beforeAll(async () => {
  database = await freshDatabase();
  const uri = new URL(database.uri);
  wire = await tcpProxy(uri.hostname, Number(uri.port));
  uri.host = `127.0.0.1:${wire.port}`;
  ground = await createGround({ database: { ...database, uri: uri.href } });
});
afterAll(async () => {
  wire.mend();
  await ground.stop();
  await wire.close();
  await database.close();
});

const issue = (over: object = {}) => ground.issue(operator(), { namespace: 'shop', service: 'billing', csr: csrPem(p256()), ...over });

describe('without Postgres', () => {
  it('a certificate that cannot be recorded is not issued, and later it is', async () => {
    wire.cut();
    expect(await outcome(issue())).toBe('UNAVAILABLE/AUDIT_UNAVAILABLE');
    expect(await outcome(issue({ idempotencyKey: 'k' }))).toBe('UNAVAILABLE/AUDIT_UNAVAILABLE');
    wire.mend();
    await waitFor(async () => (await outcome(issue())) === 'OK', 10_000, 'issuing again');
    expect(await outcome(issue({ idempotencyKey: 'k' }))).toBe('OK');
  });

  it('certificates are identified as before, and our own is renewed', async () => {
    const { certificatePem } = await issue();
    wire.cut();
    expect(await ground.wire.door.validate(certificatePem, Date.now())).toMatchObject({ ok: true });
    expect(ground.wire.serverIdentity().current().notAfter).toBeGreaterThan(Date.now());
    wire.mend();
  });
});
