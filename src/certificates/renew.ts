// Renews for the holder of a certificate: the identity is the one the connection was made with, whoever else the caller may be.
import type { Call } from '../base/call.ts';
import { Fault } from '../base/fault.ts';
import type { Admission } from './entitle.ts';
import type { createIdentify } from './identify.ts';
import type { Issued, IssueRequest, KeyWish } from './issuance.ts';
import type { createIssue } from './issue.ts';
import { type Codec, NO_NAMES } from './x509.ts';

export type RenewRequest = KeyWish & Pick<IssueRequest, 'ttl' | 'idempotencyKey'>;

export interface RenewDeps {
  readonly codec: Pick<Codec, 'parseCertificate'>;
  readonly identify: ReturnType<typeof createIdentify>;
  readonly admission: Pick<Admission, 'admit'>;
  readonly renew: ReturnType<typeof createIssue>['renew'];
}

export const createRenew =
  ({ codec, identify, admission, renew }: RenewDeps) =>
  async (request: RenewRequest, call: Call): Promise<Issued> => {
    const held = call.peer.certificate;
    if (held === null)
      throw new Fault('FAILED_PRECONDITION', 'CERTIFICATE_REQUIRED', 'connect with the certificate to renew: this call needs mTLS');
    const found = await identify(held, call.now);
    if (!found.ok) throw new Fault('UNAUTHENTICATED', found.reason, found.message);
    const { tenantId, namespace, name } = found.identity;
    // What it carries was granted once; what it may still carry is asked again.
    const entitlement = await admission.admit(
      tenantId,
      { namespace, service: name },
      { issuedBy: `service:${namespace}/${name}`, actor: null, attestation: '', anyInNamespace: true },
    );
    const { dnsNames, ipAddresses } = codec.parseCertificate(held.der)?.fields.subjectAltName ?? NO_NAMES;
    return renew(entitlement, { dnsNames, ipAddresses }, request, call);
  };
