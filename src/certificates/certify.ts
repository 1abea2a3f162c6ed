// Signs a certificate for an entitlement, and puts the answer together. Nothing is stored here.
import { sha256 } from '../base/bytes.ts';
import type { Call } from '../base/call.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { unavailable } from '../base/fault.ts';
import type { Instant, Millis } from '../base/time.ts';
import { bundle, certifyLeaf, type Ring, signing } from './authority.ts';
import type { StoredCertificate } from './certificate.ts';
import type { Entitlement } from './entitle.ts';
import type { Issued, Names, Subject } from './issuance.ts';
import { assertAsksForItself } from './names.ts';
import { renewAt } from './profile.ts';
import { spiffeIdOf } from './spiffe-id.ts';
import { canonicalSerial, certificatePem, type Codec } from './x509.ts';

export interface CertifyDeps {
  readonly codec: Codec;
  readonly ring: () => Ring;
}

export interface Certified {
  readonly stored: StoredCertificate;
  readonly event: AuditEntry;
  readonly der: Buffer;
}

export interface Leaf {
  readonly names: Names;
  readonly ttl: Millis;
  readonly serial: Buffer;
  /** Keep the certificate itself, for whoever asks again. */
  readonly keep: boolean;
}

export const createCertify = ({ codec, ring: ringNow }: CertifyDeps) => ({
  /** UNAVAILABLE / AUTHORITY_MISSING where no authority can sign; INVALID_ARGUMENT where the signing request asks for somebody else. */
  certify(entitlement: Entitlement, subject: Subject, { names, ttl, serial, keep }: Leaf, call: Call): Certified {
    const { now } = call;
    const ring = ringNow();
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
  },

  answer({ stored, der }: Omit<Certified, 'event'>, privateKeyPem: string, now: Instant, replayed: boolean): Issued {
    const ring = ringNow();
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
  },
});
