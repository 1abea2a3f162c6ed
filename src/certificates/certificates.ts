// Door of the certificates capability: issuing, renewing, revoking, and telling whose certificate one is.
import type { Call, MaybePromise, Payer, PeerCertificate } from '../base/call.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Instant } from '../base/time.ts';
import type { Database, Write } from '../storage/storage.ts';
import { createAttest } from './attest.ts';
import { bundle, bundleSequence } from './authority.ts';
import type { CertificateFilter, CertificateStatus, StoredCertificate } from './certificate.ts';
import { createCreateJoinToken, type CreatedJoinToken, type JoinTokenRequest } from './create-join-token.ts';
import { createAdmission, createEntitle, type EntitleDeps } from './entitle.ts';
import { createIdentify, type Identified } from './identify.ts';
import type { Issued, IssueRequest } from './issuance.ts';
import { createIssue, type IssueDeps } from './issue.ts';
import type { Keeper } from './keep-authority.ts';
import { createList, type ListRequest } from './list.ts';
import { createRenew, type RenewRequest } from './renew.ts';
import type { Revocations } from './revocations.ts';
import { createEndService, createRevoke, type RevokedCertificate, type RevokeRequest } from './revoke.ts';
import type { CertificateStore, JoinTokenStore } from './stores.ts';
import { certificatePem, type Codec } from './x509.ts';

export { statusOf } from './certificate.ts';
export type { EntitlementPorts } from './entitle.ts';
export type { CertificateIdentity, Identified } from './identify.ts';
export type { Attestation, Issued, IssueRequest, KeyType } from './issuance.ts';
export type { ListRequest } from './list.ts';
export type { ServerCertificate, ServerIdentity } from './server-identity.ts';
export type { CertificateFilter, CertificateStatus, StoredCertificate };

export interface TrustBundle {
  readonly trustDomain: string;
  readonly pem: string;
  /** Grows with every change. */
  readonly sequence: number;
}

export interface Certificates {
  /** Durable, with its audit event, before it is answered. The reasons of IssueServiceCert. */
  issue(request: IssueRequest, call: Call): Promise<Issued>;
  /** For the holder of the connection's certificate. FAILED_PRECONDITION / CERTIFICATE_REQUIRED off mTLS. */
  renew(request: RenewRequest, call: Call): Promise<Issued>;
  /** NOT_FOUND / CERTIFICATE_NOT_FOUND for what is not there, or another's. Again: the same answer. */
  revoke(request: RevokeRequest, call: Call): Promise<RevokedCertificate>;
  /** Inside the change that deletes a service: revokes what was issued for it, join tokens included; what the writer adds to its changes. */
  endService: ReturnType<typeof createEndService>;
  /** Newest first. */
  list(
    request: ListRequest,
    now: Instant,
  ): Promise<{ readonly certificates: readonly StoredCertificate[]; readonly nextPageToken: string }>;
  createJoinToken(request: JoinTokenRequest, call: Call): Promise<CreatedJoinToken>;
  bundle(now: Instant): TrustBundle;
  /** The certificate of a connection, or a PEM chain (leaf first): whose it is now, or why it is refused. Cheap when asked again. */
  identify(presented: PeerCertificate | string, now: Instant): MaybePromise<Identified>;
  /** The same for a chain that somebody shows us of somebody else, who pays for it: RESOURCE_EXHAUSTED / BUDGET_EXHAUSTED. */
  validate(chainPem: string, now: Instant, payer?: Payer): MaybePromise<Identified>;
}

export interface CertificatesDeps extends EntitleDeps, Pick<IssueDeps, 'keys' | 'mayGenerate' | 'record' | 'claim'> {
  readonly codec: Codec;
  readonly keeper: Pick<Keeper, 'ring' | 'onChange'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly pager: Pager;
  readonly db: Pick<Database, 'tenant'>;
  readonly write: Write;
  readonly certificates: CertificateStore;
  readonly joinTokens: JoinTokenStore;
  /** The same on every replica. */
  readonly joinTokenKey: Uint8Array;
  readonly revocations: Pick<Revocations, 'has' | 'full'>;
  /** Asked for before work that no cache spares. */
  readonly pay: (what: 'cold', payer: Payer) => void;
}

export const createCertificates = (deps: CertificatesDeps): Certificates => {
  const { keeper, trustDomain, own } = deps;
  const admission = createAdmission(deps);
  const entitle = createEntitle(admission, deps.holds);
  const attest = createAttest({ ...deps, admission, anchors: keeper.ring });
  const { issue, renew } = createIssue({ ...deps, ring: keeper.ring, leastLife: deps.life.least, attest, entitle });
  const identify = createIdentify({
    ...deps,
    anchors: keeper.ring,
    onAnchors: keeper.onChange,
    ownNamespace: own.namespace,
    pay: (payer) => deps.pay('cold', payer),
  });
  return {
    issue,
    renew: createRenew({ codec: deps.codec, identify, admission, renew }),
    revoke: createRevoke(deps),
    endService: createEndService(deps),
    list: createList(deps.certificates, deps.pager),
    createJoinToken: createCreateJoinToken({ ...deps, admission }),
    bundle(now) {
      const ring = keeper.ring();
      return { trustDomain, pem: certificatePem(bundle(ring, now).map(({ der }) => der)), sequence: bundleSequence(ring, now) };
    },
    identify,
    validate: identify,
  };
};
