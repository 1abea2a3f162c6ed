// The authority over its life: made once, kept over restarts, renewed ahead of its end; the hub's own certificate from it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { days, hours, minutes, seconds } from '../../../src/base/time.ts';
import { type FreshDatabase, freshDatabase, outcome, testClock, waitFor } from '../../harness.ts';
import { createGround, csrPem, type Ground, leafOf, openssl, operator, p256, sealerOf, TRUST_DOMAIN } from './setup.ts';

const good = { namespace: 'shop', service: 'billing' };
const START = Date.UTC(2026, 10, 21, 12);

let database: FreshDatabase;
const grounds: Ground[] = [];
const open = async (options: Omit<Parameters<typeof createGround>[0], 'database'>): Promise<Ground> => {
  const ground = await createGround({ database, ...options });
  grounds.push(ground);
  return ground;
};
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  await Promise.all(grounds.splice(0).map((ground) => ground.stop()));
  await database.close();
});

const bundleOf = (ground: Ground): string => ground.wire.door.bundle(ground.platform.clock.now()).pem;
const issuerIn = (chain: string): X509Certificate =>
  new X509Certificate(chain.split('-----END CERTIFICATE-----\n')[1] + '-----END CERTIFICATE-----');

describe('the authority', () => {
  it('is one, though two replicas make it at the same moment', async () => {
    const sealer = sealerOf();
    const [one, two] = await Promise.all([open({ sealer }), open({ sealer })]);
    expect(bundleOf(one)).toBe(bundleOf(two));
    expect(await database.sql('SELECT kind, generation::int FROM authorities ORDER BY kind')).toEqual([
      { kind: 'intermediate', generation: 1 },
      { kind: 'root', generation: 1 },
    ]);
    const issued = await one.issue(operator(), { ...good, csr: csrPem(p256()) });
    expect(await two.wire.door.validate(issued.certificatePem, Date.now())).toMatchObject({ ok: true });
  });

  it('survives a restart', async () => {
    const sealer = sealerOf();
    const before = bundleOf(await open({ sealer }));
    expect(bundleOf(await open({ sealer }))).toBe(before);
  });

  it('stops the start under another master key', async () => {
    await open({ sealer: sealerOf() });
    expect(await outcome(open({ sealer: sealerOf() }))).toBe('FAILED_PRECONDITION/MASTER_KEY_MISMATCH');
  });

  it('holds its private keys sealed', async () => {
    await open({ sealer: sealerOf() });
    const rows = await database.sql<{ private_sealed: Buffer }>('SELECT private_sealed FROM authorities');
    // What every PKCS #8 key of P-256 holds: the curve's object identifier.
    expect(rows.every(({ private_sealed }) => !private_sealed.includes(Buffer.from('2a8648ce3d030107', 'hex')))).toBe(true);
  });

  it('is strictly correct to openssl, root and intermediate', async () => {
    const ground = await open({});
    const issued = await ground.issue(operator(), { ...good, csr: csrPem(p256()) });
    const root = openssl({ 'root.pem': issued.trustBundlePem }, ['x509', '-in', 'root.pem', '-noout', '-text']);
    expect(root).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:1/);
    expect(root).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(root).toContain(`URI:spiffe://${TRUST_DOMAIN}`);
    const check = openssl({ 'ca.pem': issuerIn(issued.certificatePem).toString(), 'root.pem': issued.trustBundlePem }, [
      'verify',
      '-x509_strict',
      '-CAfile',
      'root.pem',
      'ca.pem',
    ]);
    expect(check).toContain('ca.pem: OK');
  });

  it('has its next intermediate in time, which every replica hears of before it signs', async () => {
    const clock = testClock(START);
    const sealer = sealerOf();
    const one = await open({ sealer, clock });
    const two = await open({ sealer, clock });
    const early = await one.issue(operator(), { ...good, csr: csrPem(p256()) });
    clock.advance(days(61));
    await one.wire.keepAuthority();
    const settling = await one.issue(operator(), { ...good, csr: csrPem(p256()) });
    expect(issuerIn(settling.certificatePem).fingerprint256).toBe(issuerIn(early.certificatePem).fingerprint256);
    await two.wire.keepAuthority();
    clock.advance(minutes(2));
    const next = await one.issue(operator(), { ...good, csr: csrPem(p256()) });
    expect(issuerIn(next.certificatePem).fingerprint256).not.toBe(issuerIn(early.certificatePem).fingerprint256);
    // The leaf alone is known by the other replica, and the bundle is the old one.
    expect(await two.wire.door.validate(leafOf(next.certificatePem), clock.now())).toMatchObject({ ok: true });
    expect(next.trustBundlePem).toBe(early.trustBundlePem);
  });

  it('is heard of by the other replica through the feed', async () => {
    const clock = testClock(START);
    const sealer = sealerOf();
    const one = await open({ sealer, clock });
    const two = await open({ sealer, clock });
    clock.advance(days(61));
    let heard = 0;
    two.wire.serverIdentity().onChange(() => (heard += 1));
    await one.wire.keepAuthority();
    await waitFor(() => heard > 0, seconds(5), 'the other replica loading the new intermediate');
  });

  it('has its next root in the bundle long before it signs, and the old one until its end', async () => {
    const clock = testClock(START);
    const ground = await open({ clock });
    const first = ground.wire.door.bundle(clock.now());
    clock.advance(days(2500));
    await ground.wire.keepAuthority();
    const overlap = ground.wire.door.bundle(clock.now());
    expect(overlap.pem.startsWith(first.pem)).toBe(true);
    expect(overlap.pem.length).toBeGreaterThan(first.pem.length);
    clock.advance(days(1200));
    await ground.wire.keepAuthority();
    const after = ground.wire.door.bundle(clock.now());
    expect(after.pem).toBe(overlap.pem.slice(first.pem.length));
    expect([first.sequence < overlap.sequence, overlap.sequence < after.sequence]).toEqual([true, true]);
    const issued = await ground.issue(operator(), { ...good, csr: csrPem(p256()) });
    expect(await ground.wire.door.validate(issued.certificatePem, clock.now())).toMatchObject({ ok: true });
  });

  it('never signs beyond its own end', async () => {
    const clock = testClock(START);
    const ground = await open({ clock, config: { intermediateLife: hours(2) } });
    const issued = await ground.issue(operator(), { ...good, csr: csrPem(p256()), ttl: { seconds: 86_400, nanos: 0 } });
    expect(issued.notAfter?.seconds).toBe((START + hours(2)) / 1000);
  });
});

describe('the hub’s own certificate', () => {
  it('carries its names, and is one of ours to openssl', async () => {
    const ground = await open({});
    const { chain } = ground.wire.serverIdentity().current();
    const leaf = new X509Certificate(chain);
    expect(leaf.subjectAltName).toBe(
      `URI:spiffe://${TRUST_DOMAIN}/ns/security-hub/sa/security-hub, DNS:localhost, DNS:security-hub, DNS:hub.shop.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`,
    );
    const check = openssl({ 'chain.pem': chain, 'leaf.pem': leafOf(chain), 'root.pem': bundleOf(ground) }, [
      'verify',
      '-x509_strict',
      '-verify_hostname',
      'localhost',
      '-CAfile',
      'root.pem',
      '-untrusted',
      'chain.pem',
      'leaf.pem',
    ]);
    expect(check).toContain('OK');
  });

  it('names nobody who calls us', async () => {
    const ground = await open({});
    const { chain } = ground.wire.serverIdentity().current();
    expect(await ground.wire.door.validate(chain, Date.now())).toMatchObject({ ok: false, reason: 'CLAIM_INVALID' });
  });

  it('renews itself at half its life, and says so', async () => {
    const ground = await open({ config: { serverLife: seconds(5) } });
    const identity = ground.wire.serverIdentity();
    const first = identity.current();
    let told = 0;
    const stop = identity.onChange(() => (told += 1));
    await waitFor(() => told > 0, seconds(5), 'the renewal');
    stop();
    const next = identity.current();
    expect(next.chain).not.toBe(first.chain);
    expect(next.notAfter).toBeGreaterThan(first.notAfter);
    expect(new X509Certificate(next.chain).checkPrivateKey(createPrivateKey(next.key))).toBe(true);
  });
});
