// A certificate after its issue: whose it is, renewed, revoked, listed; first certificates by join token and by an ended one.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { Call, PeerCertificate } from '../../../src/base/call.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { days, hours, minutes, seconds } from '../../../src/base/time.ts';
import { CertificateServiceService } from '../../../src/gen/securityhub/v1/certificate.ts';
import type { IssueServiceCertResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, type TestClock, testClock, waitFor } from '../../harness.ts';
import {
  anonymous,
  createGround,
  csrPem,
  type Ground,
  leafOf,
  operator,
  p256,
  peerOf,
  plainUser,
  sealerOf,
  TENANT,
  workloadCaller,
} from './setup.ts';

let database: FreshDatabase;
let clock: TestClock;
let ground: Ground;
let replica: Ground;
beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  const sealer = sealerOf();
  ground = await createGround({ database, clock, sealer });
  replica = await createGround({ database, clock, sealer });
});
afterAll(async () => {
  await Promise.all([ground.stop(), replica.stop()]);
  await database.close();
});

const billing = workloadCaller();
const good = { namespace: 'shop', service: 'billing' };
const issued = (over: object = {}): Promise<IssueServiceCertResponse> =>
  ground.issue(operator(), { ...good, csr: csrPem(p256()), ...over });
const call = (caller: Caller, over: Partial<Call> = {}): Call => callAs(caller, { now: clock.now(), ...over });
const certificateOf = (pem: string): PeerCertificate => peerOf(pem).certificate as PeerCertificate;
const door = () => ground.wire.door;
const reasonOf = async (found: ReturnType<ReturnType<typeof door>['identify']>): Promise<string> => {
  const one = await found;
  return one.ok ? `${one.identity.tenantId} ${one.identity.namespace}/${one.identity.name}` : one.reason;
};

describe('identify', () => {
  it('tells whose certificate a connection has, at once', async () => {
    const { certificatePem, serialNumber, spiffeId } = await issued();
    const found = door().identify(certificateOf(certificatePem), clock.now());
    expect(found).toMatchObject({
      ok: true,
      identity: { tenantId: TENANT, namespace: 'shop', name: 'billing', serialNumber, spiffeId, issuer: 'spiffe://test.example' },
    });
  });

  it('tells it of a chain as well as of its leaf alone', async () => {
    const { certificatePem } = await issued();
    expect(await reasonOf(door().validate(certificatePem, clock.now()))).toBe('acme shop/billing');
    expect(await reasonOf(door().validate(leafOf(certificatePem), clock.now()))).toBe('acme shop/billing');
  });

  it('answers the same object again, so that callers can keep beside it what they made of it', async () => {
    const certificate = certificateOf((await issued()).certificatePem);
    expect(door().identify(certificate, clock.now())).toBe(door().identify(certificate, clock.now()));
  });

  it('asks for the time on every call', async () => {
    const { certificatePem, notAfter } = await issued();
    const certificate = certificateOf(certificatePem);
    const end = (notAfter?.seconds ?? 0) * 1000;
    expect(await reasonOf(door().identify(certificate, end + 999))).toBe('acme shop/billing');
    expect(await reasonOf(door().identify(certificate, end + 1000))).toBe('TOKEN_EXPIRED');
    expect(await reasonOf(door().identify(certificate, clock.now() - minutes(2)))).toBe('TOKEN_NOT_YET_VALID');
  });

  it('asks for the owner of the namespace on every call', async () => {
    const owners: Record<string, string> = { shop: TENANT };
    const other = await createGround({ database, clock, sealer: ground.platform.sealer, owners });
    const certificate = certificateOf((await issued()).certificatePem);
    expect(await reasonOf(other.wire.door.identify(certificate, clock.now()))).toBe('acme shop/billing');
    owners['shop'] = 'other';
    expect(await reasonOf(other.wire.door.identify(certificate, clock.now()))).toBe('other shop/billing');
    delete owners['shop'];
    expect(await reasonOf(other.wire.door.identify(certificate, clock.now()))).toBe('CLAIM_INVALID');
    await other.stop();
  });

  it('does not know the certificate of another hub, whatever it says', async () => {
    const elsewhere = await freshDatabase();
    const stranger = await createGround({ database: elsewhere, clock });
    const foreign = await stranger.issue(operator(), { ...good, csr: csrPem(p256()) });
    expect(await reasonOf(door().identify(certificateOf(foreign.certificatePem), clock.now()))).toBe('ISSUER_MISMATCH');
    expect(await reasonOf(door().validate(foreign.certificatePem, clock.now()))).toBe('ISSUER_MISMATCH');
    await stranger.stop();
    await elsewhere.close();
  });

  it.each(['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'x'.repeat(65_536)])(
    'calls rubbish malformed',
    async (text) => {
      expect(await reasonOf(door().validate(text, clock.now()))).toBe('TOKEN_MALFORMED');
    },
  );
});

describe('a renewed certificate', () => {
  const renew = async (certificatePem: string, csr: Buffer, caller: Caller = billing) =>
    door().renew({ csr, generate: null, ttl: null, idempotencyKey: '' }, call(caller, { peer: peerOf(certificatePem) }));

  it('has the identity and the names of the one the connection was made with, for the new key', async () => {
    const first = await issued({ dnsNames: ['a.shop.svc'], ipAddresses: ['10.0.0.7'] });
    const pair = p256();
    const next = new X509Certificate((await renew(first.certificatePem, csrPem(pair))).certificatePem);
    expect(next.subjectAltName).toBe(new X509Certificate(first.certificatePem).subjectAltName);
    expect(next.publicKey.equals(pair.publicKey)).toBe(true);
  });

  it('needs mTLS', async () => {
    const work = door().renew({ csr: csrPem(p256()), generate: null, ttl: null, idempotencyKey: '' }, call(operator()));
    expect(await outcome(work)).toBe('FAILED_PRECONDITION/CERTIFICATE_REQUIRED');
  });

  it('is refused to a revoked one', async () => {
    const first = await issued();
    await door().revoke({ tenantId: '', serialNumber: first.serialNumber, reason: '' }, call(operator()));
    expect(await outcome(renew(first.certificatePem, csrPem(p256())))).toBe('UNAUTHENTICATED/TOKEN_REVOKED');
  });

  it('is refused when the request asks for another', async () => {
    const first = await issued();
    const csr = csrPem(p256(), { uris: ['spiffe://test.example/ns/shop/sa/payments'] });
    expect(await outcome(renew(first.certificatePem, csr))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
  });
});

describe('a revoked certificate', () => {
  const revoke = (serialNumber: string, caller: Caller = operator(), reason = '') =>
    door().revoke({ tenantId: '', serialNumber, reason }, call(caller));

  it('is refused here at once and by the other replica soon', async () => {
    const { certificatePem, serialNumber } = await issued();
    const certificate = certificateOf(certificatePem);
    expect(await reasonOf(replica.wire.door.identify(certificate, clock.now()))).toBe('acme shop/billing');
    const { revision, effectiveBy } = await revoke(serialNumber);
    expect(await reasonOf(door().identify(certificate, clock.now()))).toBe('TOKEN_REVOKED');
    expect(effectiveBy).toBe(clock.now() + seconds(2));
    await waitFor(async () => (await reasonOf(replica.wire.door.identify(certificate, clock.now()))) === 'TOKEN_REVOKED', seconds(3));
    await waitFor(() => replica.platform.feed.cursor() >= revision, seconds(3));
  });

  it('stays refused after a restart', async () => {
    const { certificatePem, serialNumber } = await issued();
    await revoke(serialNumber);
    const restarted = await createGround({ database, clock, sealer: ground.platform.sealer });
    expect(await reasonOf(restarted.wire.door.validate(certificatePem, clock.now()))).toBe('TOKEN_REVOKED');
    await restarted.stop();
  });

  it('is answered the same again, and was revoked once', async () => {
    const { serialNumber } = await issued();
    const first = await revoke(`00${serialNumber.toUpperCase()}`, operator(), 'superseded');
    const again = await revoke(serialNumber, operator(), 'unspecified');
    expect(again.certificate).toEqual(first.certificate);
    const events = ground.platform.audit.entries.filter(
      ({ resource, type }) => resource === `certificate:${serialNumber}` && type.endsWith('revoked'),
    );
    expect(events).toHaveLength(1);
  });

  it('may be revoked by its holder, not by its neighbour, and not by a user without the right', async () => {
    const { serialNumber } = await issued();
    expect(await outcome(revoke(serialNumber, workloadCaller({ name: 'payments' })))).toBe('NOT_FOUND/CERTIFICATE_NOT_FOUND');
    expect(await outcome(revoke(serialNumber, plainUser()))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await outcome(revoke(serialNumber, billing))).toBe('OK');
  });

  it('is unknown to another tenant', async () => {
    const { serialNumber } = await issued();
    expect(await outcome(revoke(serialNumber, operator('other')))).toBe('NOT_FOUND/CERTIFICATE_NOT_FOUND');
    const named = door().revoke({ tenantId: TENANT, serialNumber, reason: '' }, call(operator('other')));
    expect(await outcome(named)).toBe('PERMISSION_DENIED/TENANT_FORBIDDEN');
  });

  it('needs a reason of the list', async () => {
    const { serialNumber } = await issued();
    expect(await outcome(revoke(serialNumber, operator(), 'because'))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });

  it('takes every certificate of its key with it when the key is compromised', async () => {
    const csr = csrPem(p256());
    const [one, two] = [await issued({ csr }), await issued({ csr })];
    await revoke(one.serialNumber, operator(), 'keyCompromise');
    expect(await reasonOf(door().validate(two.certificatePem, clock.now()))).toBe('TOKEN_REVOKED');
  });
});

describe('the list', () => {
  const row = calling();
  it('shows what was issued, newest first, page by page, by status', async () => {
    const tenantCalls = operator();
    const serials: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      clock.advance(1000);
      serials.unshift((await issued({ service: 'listed' })).serialNumber);
    }
    const page = async (pageToken: string, status = '') =>
      row('listCertificates', { tenantId: '', namespace: 'shop', service: 'listed', status, pageSize: 2, pageToken }, tenantCalls);
    const first = await page('');
    const second = await page(first.nextPageToken);
    expect([...first.certificates, ...second.certificates].map((one: { serialNumber: string }) => one.serialNumber)).toEqual(serials);
    expect(second.nextPageToken).toBe('');
    await door().revoke({ tenantId: '', serialNumber: serials[1] ?? '', reason: '' }, call(operator()));
    expect((await page('', 'revoked')).certificates).toMatchObject([
      { serialNumber: serials[1], status: 'revoked', revocationReason: 'unspecified' },
    ]);
    expect((await page('', 'active')).certificates).toHaveLength(2);
    expect((await page('', 'expired')).certificates).toHaveLength(0);
  });
});

describe('a join token', () => {
  const created = (over: object = {}, caller: Caller = operator()) =>
    door().createJoinToken(
      { tenantId: TENANT, name: { namespace: 'shop', service: 'newcomer' }, ttl: null, idempotencyKey: '', ...over },
      call(caller),
    );
  const join = (token: string, over: object = {}) =>
    ground.issue(anonymous, { csr: csrPem(p256()), attestation: { proof: { $case: 'joinToken', value: token } }, ...over });

  it('gets somebody unknown the certificate it names', async () => {
    const { joinToken, spiffeId } = await created();
    const first = await join(joinToken);
    expect(first.spiffeId).toBe(spiffeId);
    expect(await reasonOf(door().validate(first.certificatePem, clock.now()))).toBe('acme shop/newcomer');
    const event = ground.platform.audit.entries.findLast(({ type }) => type === 'certificate.issued');
    expect(event).toMatchObject({ tenantId: TENANT, actor: { type: 'join_token' }, details: { attestation: 'join_token' } });
  });

  it('is good once, for one of ten who come together', async () => {
    const { joinToken } = await created();
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        outcome(
          (i % 2 === 0 ? ground : replica).issue(anonymous, {
            csr: csrPem(p256()),
            attestation: { proof: { $case: 'joinToken', value: joinToken } },
          }),
        ),
      ),
    );
    expect(results.toSorted()).toEqual(['OK', ...Array.from({ length: 9 }, () => 'UNAUTHENTICATED/ATTESTATION_INVALID')].toSorted());
    const [count] = await database.sql(
      'SELECT count(*)::int AS n FROM certificates c JOIN join_tokens j ON c.serial_number = j.used_for AND c.issued_by = $1 || j.token_id',
      ['join_token:'],
    );
    expect(count).toEqual({ n: 2 });
  });

  it('that is spent is refused before a key is made or a request looked at', async () => {
    const { joinToken } = await created();
    expect(await outcome(join(joinToken, { csr: Buffer.from('x') }))).toBe('INVALID_ARGUMENT/CSR_INVALID');
    await join(joinToken);
    expect(await outcome(join(joinToken, { csr: Buffer.from('x') }))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
    // Both are a mistake that is found where a key would be made.
    const both = { generateKey: { type: 3 }, idempotencyKey: 'again' };
    expect(await outcome(join(joinToken, both))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
  });

  it('is for no service that may do more than its maker', async () => {
    expect(await outcome(created({ name: { namespace: 'shop', service: 'mighty' } }))).toBe('PERMISSION_DENIED/ESCALATION');
  });

  it('is not spent by a bad request', async () => {
    const { joinToken } = await created();
    expect(await outcome(join(joinToken, { csr: Buffer.from('x') }))).toBe('INVALID_ARGUMENT/CSR_INVALID');
    expect(await outcome(join(joinToken, { dnsNames: ['www.example.org'] }))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
    expect(await outcome(join(joinToken, { service: 'billing' }))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
    expect(await outcome(join(joinToken))).toBe('OK');
  });

  it('ends', async () => {
    const { joinToken } = await created({ ttl: 50 });
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(await outcome(join(joinToken))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
  });

  it('of our making only, and of no other shape', async () => {
    const { joinToken } = await created();
    const last = joinToken.at(-1) === 'A' ? 'B' : 'A';
    for (const text of ['', 'x', `${joinToken.slice(0, -1)}${last}`, joinToken.replace('acme', 'other')])
      expect(await outcome(join(text))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
  });

  it('is made for a namespace of the tenant only', async () => {
    expect(await outcome(created({ name: { namespace: 'other', service: 'x' } }))).toBe('PERMISSION_DENIED/NAMESPACE_FORBIDDEN');
    expect(await outcome(created({ name: { namespace: 'security-hub', service: 'x' } }))).toBe('PERMISSION_DENIED/NAMESPACE_FORBIDDEN');
  });

  it('is shown once, and kept as a keyed hash', async () => {
    const first = await created({ idempotencyKey: 'j1' });
    const again = await created({ idempotencyKey: 'j1' });
    expect(again).toMatchObject({ joinToken: '', replayed: true, expiresAt: first.expiresAt });
    const rows = await database.sql<{ row: string }>('SELECT join_tokens::text AS row FROM join_tokens');
    expect(rows.some(({ row: text }) => text.includes(first.joinToken.split('.')[2] ?? '?'))).toBe(false);
  });

  it('answers a retry with the same certificate', async () => {
    const { joinToken } = await created();
    const wish = { csr: csrPem(p256()), idempotencyKey: 'first-certificate' };
    const first = await join(joinToken, wish);
    expect((await join(joinToken, wish)).certificatePem).toBe(first.certificatePem);
  });
});

describe('a certificate that has ended', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const vouch = (certificatePem: string, over: object = {}, key = pair) =>
    ground.issue(anonymous, { csr: csrPem(key), attestation: { proof: { $case: 'expiredCertificate', value: certificatePem } }, ...over });

  it('vouches for its own key for a day', async () => {
    const { certificatePem } = await issued({ csr: csrPem(pair) });
    clock.advance(hours(2));
    expect((await vouch(certificatePem)).spiffeId).toContain('/ns/shop/sa/billing');
    clock.advance(hours(24));
    expect(await outcome(vouch(certificatePem))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
  });

  it('does not vouch for another key, nor for a key made here', async () => {
    const { certificatePem } = await issued({ csr: csrPem(pair) });
    clock.advance(hours(2));
    expect(await outcome(vouch(certificatePem, {}, p256()))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
    expect(await outcome(vouch(certificatePem, { csr: Buffer.alloc(0), generateKey: { type: 1 } }))).toBe(
      'INVALID_ARGUMENT/ATTESTATION_INVALID',
    );
  });

  it('does not vouch once it was revoked, though every mirror has forgotten it', async () => {
    const { certificatePem, serialNumber } = await issued({ csr: csrPem(pair) });
    await door().revoke({ tenantId: '', serialNumber, reason: '' }, call(operator()));
    clock.advance(hours(2));
    expect(await outcome(vouch(certificatePem))).toBe('UNAUTHENTICATED/ATTESTATION_INVALID');
  });

  it('does not vouch for another service', async () => {
    const { certificatePem } = await issued({ csr: csrPem(pair) });
    clock.advance(hours(2));
    expect(await outcome(vouch(certificatePem, { service: 'payments' }))).toBe('PERMISSION_DENIED/IDENTITY_FORBIDDEN');
  });
});

describe('the trust bundle', () => {
  it('is for anybody', async () => {
    const answer = await calling()('getTrustBundle', {}, anonymous);
    expect(answer).toMatchObject({ trustDomain: 'test.example', refreshHint: { seconds: 300, nanos: 0 }, sequence: 1 });
    expect(new X509Certificate(answer.trustBundlePem).ca).toBe(true);
  });
});

describe('the sweep', () => {
  it('forgets certificates long after their end', async () => {
    const { serialNumber } = await issued();
    clock.advance(days(32));
    await ground.wire.sweep();
    expect(await database.sql('SELECT FROM certificates WHERE serial_number = $1', [serialNumber])).toHaveLength(0);
  });
});

/** A row of CertificateService, called as the method table would. */
function calling() {
  // oxlint-disable-next-line typescript/no-explicit-any -- rows of every type go through here
  return async (name: keyof typeof CertificateServiceService, request: object, caller: Caller): Promise<any> => {
    const path = CertificateServiceService[name].path;
    const found = ground.wire.services.flatMap(({ methods }) => methods).find(({ method }) => method.path === path);
    const row = found?.row as { handle: (request: object, call: Call) => unknown };
    return row.handle(request, call(caller));
  };
}
