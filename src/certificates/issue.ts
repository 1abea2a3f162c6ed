// Issues a certificate: key, entitlement, names, signature; answered when it is stored together with its audit event.
import { sha256 } from '../base/bytes.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { badField, Fault, unavailable } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Tx, Write } from '../storage/storage.ts';
import { type Attest, keyOfTheEndedOne } from './attest.ts';
import { bundle, certifyLeaf, type Ring, signing } from './authority.ts';
import type { StoredCertificate } from './certificate.ts';
import type { Entitlement, WhoFor } from './entitle.ts';
import { assertAsksForItself, defaultDnsNames, keptNames, permittedAddresses, permittedDnsNames } from './names.ts';
import { renewAt, serialFrom } from './profile.ts';
import { type PublicKey, publicKeyOf } from './public-key.ts';
import { spiffeIdOf } from './spiffe-id.ts';
import type { CertificateStore } from './stores.ts';
import { provenKey } from './subject-key.ts';
import { canonicalSerial, certificatePem, type Codec, pem, type SigningRequest } from './x509.ts';

export type KeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'rsa-3072';

/** DER, both. */
export interface MadeKey {
  readonly spki: Buffer;
  readonly pkcs8: Buffer;
}

/** Port: makes keys without holding the event loop. */
export interface KeyMaker {
  make(type: KeyType): MaybePromise<MadeKey>;
}

export type Attestation =
  | { readonly kind: 'join_token'; readonly token: string }
  | { readonly kind: 'expired_certificate'; readonly pem: string }
  | { readonly kind: 'kubernetes_token' };

/** The key to certify, or the wish for one. */
export interface KeyWish {
  /** PEM or DER; empty = none. */
  readonly csr: Uint8Array;
  readonly generate: KeyType | null;
}

export interface IssueRequest extends WhoFor, KeyWish {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** null: the service's own. */
  readonly ttl: Millis | null;
  readonly attestation: Attestation | null;
  readonly idempotencyKey: string;
}

export interface Issued {
  /** Leaf first, then intermediates. */
  readonly certificatePem: string;
  /** PKCS #8; '' unless it was made here and now. Never stored. */
  readonly privateKeyPem: string;
  readonly trustBundlePem: string;
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly renewAt: Instant;
  /** This idempotency key had made it before. */
  readonly replayed: boolean;
}

/** Port of the storage: which object an idempotency key has made. */
export type Claim = (
  tx: Tx,
  one: {
    readonly tenantId: TenantId;
    readonly call: Pick<Call, 'caller' | 'method'>;
    readonly key: string;
    readonly request: unknown;
    readonly objectId: string;
  },
) => Promise<string | null>;

export interface IssueDeps {
  readonly codec: Codec;
  readonly ring: () => Ring;
  readonly random: Pick<Random, 'bytes'>;
  readonly keys: KeyMaker;
  /** May private keys be made here at all? */
  readonly mayGenerate: boolean;
  readonly leastLife: Millis;
  readonly write: Write;
  readonly certificates: Pick<CertificateStore, 'insert' | 'find'>;
  /** Stores certificate and event with others of the same moment; durable when it resolves. */
  readonly record: (certificate: StoredCertificate, event: AuditEntry) => Promise<void>;
  readonly claim: Claim;
  readonly attest: Attest;
  readonly entitle: (call: Call, who: WhoFor) => Promise<Entitlement>;
}

interface Subject {
  readonly key: PublicKey;
  readonly request: SigningRequest | null;
  readonly privateKeyPem: string;
}

type Names = Pick<IssueRequest, 'dnsNames' | 'ipAddresses'>;

const NO_KEYS_HERE = 'the hub makes no private keys here: send a certificate signing request (or set CERT_ALLOW_GENERATED_KEYS=true)';

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
  const { codec, random, attest } = deps;

  const subjectOf = async ({ csr, generate }: KeyWish): Promise<Subject> => {
    if (csr.length > 0 === (generate !== null)) throw badField('csr', 'give either csr or generate_key');
    if (generate === null) {
      const { key, request } = provenKey(codec, csr);
      return { key, request, privateKeyPem: '' };
    }
    if (!deps.mayGenerate) throw new Fault('FAILED_PRECONDITION', 'KEY_GENERATION_DISABLED', NO_KEYS_HERE);
    const made = await deps.keys.make(generate);
    const judged = publicKeyOf(made.spki);
    if (!judged.ok) throw new Fault('INTERNAL', 'INTERNAL', 'a key of our own making is not good', { cause: judged.why });
    return { key: judged.key, request: null, privateKeyPem: pem('PRIVATE KEY', made.pkcs8) };
  };

  const lifeOf = (requested: Millis | null, { ttl }: Entitlement): Millis => {
    if (requested === null) return ttl.default;
    if (requested < deps.leastLife) throw badField('ttl', `must be at least ${deps.leastLife / 1000} s`);
    return Math.min(requested, ttl.most);
  };

  const namesFor = (entitlement: Entitlement, { dnsNames, ipAddresses }: Names): Names => ({
    dnsNames: dnsNames.length === 0 ? defaultDnsNames(entitlement.permitted) : permittedDnsNames(dnsNames, entitlement.permitted),
    ipAddresses: permittedAddresses(ipAddresses, entitlement.permitted),
  });

  const answer = (stored: StoredCertificate, der: Buffer, privateKeyPem: string, now: Instant, replayed: boolean): Issued => {
    const ring = deps.ring();
    const issuer = ring.authorities.find(({ authorityId }) => authorityId === stored.authorityId);
    return {
      certificatePem: certificatePem([der, ...(issuer === undefined ? [] : [issuer.certificate.der])]),
      trustBundlePem: certificatePem(bundle(ring, now).map((root) => root.der)),
      privateKeyPem,
      spiffeId: stored.spiffeId,
      serialNumber: stored.serialNumber,
      notBefore: stored.notBefore,
      notAfter: stored.notAfter,
      renewAt: stored.renewAt,
      replayed,
    };
  };

  const again = async (tx: Tx, tenantId: TenantId, serialNumber: string, now: Instant): Promise<Issued> => {
    const stored = await deps.certificates.find(tx, tenantId, serialNumber);
    const der = stored?.certificate ?? null;
    if (stored === null || der === null)
      throw new Fault('FAILED_PRECONDITION', 'IDEMPOTENCY_KEY_REUSED', 'this idempotency key belongs to a certificate that is long gone');
    return answer(stored, der, '', now, true);
  };

  /** Signs. Nothing is stored yet. */
  const certify = (entitlement: Entitlement, subject: Subject, names: Names, ttl: Millis, serial: Buffer, call: Call, keep: boolean) => {
    const { now } = call;
    const ring = deps.ring();
    const issuer = signing(ring, 'intermediate', now);
    if (issuer === undefined) throw unavailable('AUTHORITY_MISSING', 'no authority can sign now');
    const { name, tenantId, permitted } = entitlement;
    if (subject.request !== null) assertAsksForItself(subject.request, ring.trustDomain, permitted);
    const spiffeId = spiffeIdOf(ring.trustDomain, name);
    const { spki, type } = subject.key;
    const made = certifyLeaf(codec, ring.trustDomain, issuer, { serial, spki, keyType: type, spiffeId, ...names, now, ttl });
    const stored: StoredCertificate = {
      tenantId,
      serialNumber: canonicalSerial(serial.toString('hex')),
      namespace: name.namespace,
      service: name.service,
      spiffeId,
      dnsNames: names.dnsNames,
      ipAddresses: names.ipAddresses,
      notBefore: made.notBefore,
      notAfter: made.notAfter,
      renewAt: renewAt(now, made.notAfter, (serial[15] ?? 0) / 255),
      sha256: sha256(made.der).toString('hex'),
      spkiSha256: sha256(spki).toString('hex'),
      authorityId: issuer.authorityId,
      certificate: keep ? made.der : null,
      issuedBy: entitlement.issuedBy,
      issuedAt: now,
      revokedAt: null,
      revocationReason: '',
    };
    const event = eventOf(call, tenantId, 'certificate.issued', `certificate:${stored.serialNumber}`, {
      ...(entitlement.actor === null ? {} : { actor: entitlement.actor }),
      details: {
        spiffe_id: spiffeId,
        ...(names.dnsNames.length === 0 ? {} : { dns_names: names.dnsNames }),
        ...(names.ipAddresses.length === 0 ? {} : { ip_addresses: names.ipAddresses }),
        not_after: new Date(made.notAfter).toISOString(),
        authority: issuer.authorityId,
        ...(subject.request === null ? { key: 'generated' } : {}),
        ...(entitlement.attestation === '' ? {} : { attestation: entitlement.attestation }),
      },
    });
    return { stored, event, der: made.der };
  };

  const freshSerial = (): Buffer => serialFrom(random.bytes(16));

  interface Wish {
    readonly names: Names;
    readonly ttl: Millis | null;
    readonly idempotencyKey: string;
    /** What makes two requests the same one. */
    readonly sameness: unknown;
  }

  /** In a transaction of its own, because an idempotency key or a join token is decided in it. */
  const inTransaction = async (
    entitlement: Entitlement,
    subject: Subject,
    wish: Wish,
    call: Call,
    use: (tx: Tx, serialNumber: string) => Promise<void>,
  ): Promise<Issued> => {
    const { tenantId } = entitlement;
    const life = lifeOf(wish.ttl, entitlement);
    const serial = freshSerial();
    const { stored, event, der } = certify(entitlement, subject, wish.names, life, serial, call, wish.idempotencyKey !== '');
    const claimed = { tenantId, call, key: wish.idempotencyKey, request: wish.sameness, objectId: stored.serialNumber };
    const { result } = await recorded(
      deps.write(tenantId, async (tx) => {
        const earlier = await deps.claim(tx, claimed);
        if (earlier !== null) return { result: await again(tx, tenantId, earlier, call.now) };
        await use(tx, stored.serialNumber);
        await deps.certificates.insert(tx, [stored]);
        return { result: answer(stored, der, subject.privateKeyPem, call.now, false), events: [event] };
      }),
    );
    return result;
  };

  const issueTo = async (entitlement: Entitlement, subject: Subject, wish: Wish, call: Call): Promise<Issued> => {
    if (wish.idempotencyKey !== '') return inTransaction(entitlement, subject, wish, call, async () => {});
    const life = lifeOf(wish.ttl, entitlement);
    const { stored, event, der } = certify(entitlement, subject, wish.names, life, freshSerial(), call, false);
    await recorded(deps.record(stored, event));
    return answer(stored, der, subject.privateKeyPem, call.now, false);
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
