// Issues a certificate: key, entitlement, names, signature; answered when it is stored together with its audit event.
import { sha256 } from '../base/bytes.ts';
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { badField, Fault, unavailable } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Tx, Write } from '../storage/storage.ts';
import { type Attest, keyOfTheEndedOne } from './attest.ts';
import type { StoredCertificate } from './certificate.ts';
import { type CertifyDeps, createCertify } from './certify.ts';
import type { Entitlement, WhoFor } from './entitle.ts';
import type { Issued, IssueRequest, KeyWish, Names, Subject } from './issuance.ts';
import { defaultDnsNames, keptNames, permittedAddresses, permittedDnsNames } from './names.ts';
import { serialFrom } from './profile.ts';
import type { CertificateStore } from './stores.ts';
import { createSubject, type SubjectDeps } from './subject-key.ts';
import type { Codec } from './x509.ts';

export interface IssueDeps extends CertifyDeps, SubjectDeps {
  readonly codec: Codec;
  readonly random: Pick<Random, 'bytes'>;
  readonly leastLife: Millis;
  readonly write: Write;
  readonly certificates: Pick<CertificateStore, 'insert' | 'find'>;
  /** Stores certificate and event with others of the same moment; durable when it resolves. */
  readonly record: (certificate: StoredCertificate, event: AuditEntry) => Promise<void>;
  readonly claim: ClaimIdempotency;
  readonly attest: Attest;
  readonly entitle: (call: Call, who: WhoFor) => Promise<Entitlement>;
}

interface Wish {
  readonly names: Names;
  readonly ttl: Millis | null;
  readonly idempotencyKey: string;
  /** What makes two requests the same one. */
  readonly sameness: unknown;
}

/** Whatever keeps it from being recorded keeps it from being issued. */
const recorded = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.reason === 'STORE_UNAVAILABLE')
      throw unavailable('AUDIT_UNAVAILABLE', 'the certificate cannot be recorded; nothing was issued', thrown);
    throw thrown;
  }
};

export const createIssue = (deps: IssueDeps) => {
  const { attest } = deps;
  const { certify, answer } = createCertify(deps);
  const subjectOf = createSubject(deps);
  const freshSerial = (): Buffer => serialFrom(deps.random.bytes(16));

  const lifeOf = (requested: Millis | null, { ttl }: Entitlement): Millis => {
    if (requested === null) return ttl.default;
    if (requested < deps.leastLife) throw badField('ttl', `must be at least ${deps.leastLife / 1000} s`);
    return Math.min(requested, ttl.most);
  };

  const namesFor = (entitlement: Entitlement, { dnsNames, ipAddresses }: Names): Names => ({
    dnsNames: dnsNames.length === 0 ? defaultDnsNames(entitlement.permitted) : permittedDnsNames(dnsNames, entitlement.permitted),
    ipAddresses: permittedAddresses(ipAddresses, entitlement.permitted),
  });

  const again = async (tx: Tx, tenantId: TenantId, serialNumber: string, now: Instant): Promise<Issued> => {
    const stored = await deps.certificates.find(tx, tenantId, serialNumber);
    const der = stored?.certificate ?? null;
    if (stored === null || der === null)
      throw new Fault('FAILED_PRECONDITION', 'IDEMPOTENCY_KEY_REUSED', 'this idempotency key belongs to a certificate that is long gone');
    return answer({ stored, der }, '', now, true);
  };

  /** In a transaction of its own, because an idempotency key or a join token is decided in it. */
  const inTransaction = async (
    entitlement: Entitlement,
    subject: Subject,
    wish: Wish,
    call: Call,
    use: (tx: Tx, serialNumber: string) => Promise<void>,
  ): Promise<Issued> => {
    const { tenantId } = entitlement;
    const leaf = { names: wish.names, ttl: lifeOf(wish.ttl, entitlement), serial: freshSerial(), keep: wish.idempotencyKey !== '' };
    const made = certify(entitlement, subject, leaf, call);
    const { stored } = made;
    const claimed = { tenantId, call, key: wish.idempotencyKey, request: wish.sameness, objectId: stored.serialNumber };
    const { result } = await recorded(
      deps.write(tenantId, async (tx) => {
        const earlier = await deps.claim(tx, claimed);
        if (earlier !== null) return { result: await again(tx, tenantId, earlier, call.now) };
        await use(tx, stored.serialNumber);
        await deps.certificates.insert(tx, [stored]);
        return { result: answer(made, subject.privateKeyPem, call.now, false), events: [made.event] };
      }),
    );
    return result;
  };

  const issueTo = async (entitlement: Entitlement, subject: Subject, wish: Wish, call: Call): Promise<Issued> => {
    if (wish.idempotencyKey !== '') return inTransaction(entitlement, subject, wish, call, async () => {});
    const leaf = { names: wish.names, ttl: lifeOf(wish.ttl, entitlement), serial: freshSerial(), keep: false };
    const made = certify(entitlement, subject, leaf, call);
    await recorded(deps.record(made.stored, made.event));
    return answer(made, subject.privateKeyPem, call.now, false);
  };

  const samenessOf = (request: Partial<IssueRequest>): unknown => ({
    ...request,
    idempotencyKey: undefined,
    csr: sha256(request.csr ?? Buffer.alloc(0)).toString('hex'),
    attestation: sha256(JSON.stringify(request.attestation ?? null)).toString('hex'),
  });

  const wishOf = (entitlement: Entitlement, request: IssueRequest): Wish => ({
    names: namesFor(entitlement, request),
    ttl: request.ttl,
    idempotencyKey: request.idempotencyKey,
    sameness: samenessOf(request),
  });

  const byJoinToken = async (token: string, request: IssueRequest, call: Call): Promise<Issued> => {
    const key = attest.openJoinToken(token);
    // A retry gets its certificate again, never a key: for a spent token none is made.
    const entitlement = await attest.byJoinToken(key, request, request.idempotencyKey !== '' && request.generate === null);
    const subject = await subjectOf(request);
    return inTransaction(entitlement, subject, wishOf(entitlement, request), call, (tx, serial) => attest.use(tx, key, serial));
  };

  return {
    async issue(request: IssueRequest, call: Call): Promise<Issued> {
      const { attestation } = request;
      if (attestation?.kind === 'kubernetes_token')
        throw new Fault('FAILED_PRECONDITION', 'ATTESTATION_NOT_CONFIGURED', 'no Kubernetes cluster is configured to attest services');
      if (attestation?.kind === 'join_token') return byJoinToken(attestation.token, request, call);
      // Nobody has proved anything yet: no key is made for whoever comes along.
      if (attestation !== null && request.csr.length === 0) throw keyOfTheEndedOne();
      // Who may have it is settled first: signatures are checked for those who may.
      const early = attestation === null ? await deps.entitle(call, request) : null;
      const subject = await subjectOf(request);
      const proven = subject.request === null ? null : subject.key;
      const entitlement = early ?? (await attest.byExpiredCertificate(attestation?.pem ?? '', proven, request, call.now));
      return issueTo(entitlement, subject, wishOf(entitlement, request), call);
    },

    /** For the holder of an earlier certificate: the same identity, and of its names those that it may still carry. */
    async renew(
      entitlement: Entitlement,
      earlier: Names,
      request: KeyWish & Pick<IssueRequest, 'ttl' | 'idempotencyKey'>,
      call: Call,
    ): Promise<Issued> {
      const subject = await subjectOf(request);
      const names = keptNames(earlier, entitlement.permitted);
      const { ttl, idempotencyKey } = request;
      return issueTo(entitlement, subject, { names, ttl, idempotencyKey, sameness: samenessOf(request) }, call);
    },
  };
};
