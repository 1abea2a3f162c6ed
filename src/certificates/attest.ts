// Attestation of a caller that has no credential yet: a join token, or a certificate of ours that has just ended.
import { badField, Fault } from '../base/fault.ts';
import { hours, type Instant, type Millis } from '../base/time.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { TenantId } from '../base/caller.ts';
import type { Admission, Entitlement, EntitlementPorts, WhoFor } from './entitle.ts';
import { type JoinTokenKey, openJoinToken } from './join-token.ts';
import { type Anchors, validatePath } from './path.ts';
import type { PublicKey } from './public-key.ts';
import type { ServiceName } from './spiffe-id.ts';
import type { CertificateStore, JoinTokenStore } from './stores.ts';
import type { Codec } from './x509.ts';

/** How long after its end a certificate still vouches for its key. */
const RECENT: Millis = hours(24);

export interface AttestDeps {
  readonly codec: Codec;
  readonly db: Pick<Database, 'tenant'>;
  readonly certificates: Pick<CertificateStore, 'find'>;
  readonly joinTokens: Pick<JoinTokenStore, 'find' | 'use'>;
  readonly joinTokenKey: Uint8Array;
  readonly anchors: () => Anchors;
  readonly namespaceOwner: EntitlementPorts['namespaceOwner'];
  readonly admission: Admission;
}

const invalid = (): Fault =>
  new Fault('UNAUTHENTICATED', 'ATTESTATION_INVALID', 'the attestation proves nothing: unknown, used, ended, or another’s');

/** An ended certificate vouches for its own key only. */
export const keyOfTheEndedOne = (): Fault =>
  badField('csr', 'must be signed with the key of the certificate that has ended', 'ATTESTATION_INVALID');

/** What the caller says about itself must be what the attestation says, or nothing. */
const assertSame = (who: WhoFor, tenantId: TenantId, name: ServiceName): void => {
  const other = (['namespace', 'service'] as const).find((field) => who[field] !== '' && who[field] !== name[field]);
  if (other !== undefined || (who.tenantId !== '' && who.tenantId !== tenantId))
    throw new Fault('PERMISSION_DENIED', 'IDENTITY_FORBIDDEN', 'the attestation is for another service');
};

export const createAttest = (deps: AttestDeps) => {
  const { codec, admission } = deps;

  return {
    /** The token's own key; what we did not make is refused without a look-up. */
    openJoinToken(text: string): JoinTokenKey {
      const key = openJoinToken(deps.joinTokenKey, text);
      if (key === null) throw invalid();
      return key;
    },

    /** Whom the token is for. It stays unused until `use`. `again`: may one that is spent be a retry of the call that spent it? */
    async byJoinToken(key: JoinTokenKey, who: WhoFor, again: boolean): Promise<Entitlement> {
      const { tenantId, tokenId } = key;
      const found = await deps.db.tenant(tenantId, (tx) => deps.joinTokens.find(tx, key));
      if (found === null || (found.spent && !again)) throw invalid();
      assertSame(who, tenantId, found.name);
      return admission.admit(tenantId, found.name, {
        issuedBy: `join_token:${tokenId}`,
        actor: { type: 'join_token', id: tokenId, tenantId },
        attestation: 'join_token',
        anyInNamespace: false,
      });
    },

    /** Once, for one of all racers. */
    async use(tx: Tx, key: JoinTokenKey, serialNumber: string): Promise<void> {
      if (!(await deps.joinTokens.use(tx, key, serialNumber))) throw invalid();
    },

    /** `proven` is the key of the signing request: it must be the certificate's own. */
    async byExpiredCertificate(pem: string, proven: PublicKey | null, who: WhoFor, now: Instant): Promise<Entitlement> {
      if (proven === null) throw keyOfTheEndedOne();
      const [leaf, ...presented] = codec.readPem(pem)?.map((der) => codec.parseCertificate(der)) ?? [];
      if (leaf === null || leaf === undefined || !leaf.fields.spki.equals(proven.spki)) throw invalid();
      const others = presented.filter((one) => one !== null);
      const path = validatePath(leaf, others, deps.anchors());
      if (!path.ok || now < path.from || now > path.notAfter + RECENT) throw invalid();
      const { name, serialNumber } = path;
      const tenantId = await deps.namespaceOwner(name.namespace);
      if (tenantId === null) throw invalid();
      // The mirror forgets a revocation at the certificate's end; the row does not.
      const stored = await deps.db.tenant(tenantId, (tx) => deps.certificates.find(tx, tenantId, serialNumber));
      if (stored === null || stored.revokedAt !== null) throw invalid();
      assertSame(who, tenantId, name);
      const id = `${name.namespace}/${name.service}`;
      return admission.admit(tenantId, name, {
        issuedBy: `service:${id}`,
        actor: { type: 'service', id, tenantId },
        attestation: 'expired_certificate',
        anyInNamespace: false,
      });
    },
  };
};

export type Attest = ReturnType<typeof createAttest>;
