// Whose certificate is this? The path is checked once a certificate; time, revocation and the namespace's owner on every call.
import { boundedMap } from '../base/bounded.ts';
import { sha256 } from '../base/bytes.ts';
import type { MaybePromise, Payer, PeerCertificate } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { unavailable } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { hours, type Instant, seconds } from '../base/time.ts';
import { type Anchors, type PathReason, type PathVerdict, timeReason, validatePath } from './path.ts';
import type { Revocations } from './revocations.ts';
import type { Codec } from './x509.ts';

export interface CertificateIdentity {
  readonly tenantId: TenantId;
  readonly namespace: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly serialNumber: string;
  /** Who vouches: the trust domain as a SPIFFE ID. */
  readonly issuer: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** Of the certificate, lower-case hex. */
  readonly sha256: string;
}

export type IdentifyReason = PathReason | 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID' | 'TOKEN_REVOKED';

export type Identified =
  | { readonly ok: true; readonly identity: CertificateIdentity }
  | { readonly ok: false; readonly reason: IdentifyReason; readonly message: string };

export interface IdentifyDeps {
  readonly codec: Codec;
  readonly anchors: () => Anchors;
  readonly onAnchors: (listener: () => void) => void;
  readonly revocations: Pick<Revocations, 'has' | 'full'>;
  readonly namespaceOwner: (namespace: string) => MaybePromise<TenantId | null>;
  readonly ownNamespace: string;
  /** Asked for before the signatures of a chain are checked for somebody. */
  readonly pay: (payer: Payer) => void;
}

/** What was found out about one certificate for good, and the answer last given for it. */
interface Judged {
  readonly verdict: PathVerdict;
  readonly sha256: string;
  answer: (Identified & { readonly ok: true }) | null;
}

const refused = (reason: IdentifyReason, message: string): Identified => ({ ok: false, reason, message });
const EXPIRED = refused('TOKEN_EXPIRED', 'the certificate has ended');
const EARLY = refused('TOKEN_NOT_YET_VALID', 'the certificate has not begun');
const REVOKED = refused('TOKEN_REVOKED', 'the certificate was revoked');
const NOBODYS = refused('CLAIM_INVALID', 'the namespace belongs to no tenant');
const MALFORMED: PathVerdict = { ok: false, reason: 'TOKEN_MALFORMED', message: 'not a chain of certificates, leaf first' };

export const createIdentify = ({ codec, anchors, onAnchors, revocations, namespaceOwner, ownNamespace, pay }: IdentifyDeps) => {
  const good = boundedMap<string, Judged>(20_000);
  // Apart, so that rubbish cannot push out what is good.
  const bad = boundedMap<string, Judged>(1000);
  onAnchors(() => {
    good.clear();
    bad.clear();
  });

  const verdictOf = (ders: readonly Buffer[] | null): PathVerdict => {
    const [leaf, ...presented] = ders?.map((der) => codec.parseCertificate(der)) ?? [];
    if (leaf === null || leaf === undefined || presented.includes(null)) return MALFORMED;
    return validatePath(
      leaf,
      presented.filter((one) => one !== null),
      anchors(),
    );
  };

  const judge = (key: string, now: Instant, ders: () => readonly Buffer[] | null, payer?: Payer): Judged => {
    const known = good.get(key, now) ?? bad.get(key, now);
    if (known !== undefined) return known;
    if (payer !== undefined) pay(payer);
    const chain = ders();
    const verdict = verdictOf(chain);
    const leaf = chain?.[0];
    const judged: Judged = { verdict, sha256: leaf === undefined ? '' : sha256(leaf).toString('hex'), answer: null };
    if (verdict.ok) good.set(key, judged, Math.min(now + hours(1), verdict.until + seconds(1)));
    else bad.set(key, judged, now + seconds(30));
    return judged;
  };

  const answer = (judged: Judged, verdict: PathVerdict & { readonly ok: true }, owner: TenantId | null): Identified => {
    const { namespace, service } = verdict.name;
    if (owner === null || namespace === ownNamespace) return NOBODYS;
    if (judged.answer?.identity.tenantId === owner) return judged.answer;
    const { spiffeId, serialNumber, notBefore, notAfter } = verdict;
    const issuer = `spiffe://${anchors().trustDomain}`;
    const identity = {
      tenantId: owner,
      namespace,
      name: service,
      spiffeId,
      serialNumber,
      issuer,
      notBefore,
      notAfter,
      sha256: judged.sha256,
    };
    judged.answer = { ok: true, identity };
    return judged.answer;
  };

  /** `presented`: the certificate of the connection, or a PEM chain, leaf first. Answers at once when the owner is at hand. */
  return (presented: PeerCertificate | string, now: Instant, payer?: Payer): MaybePromise<Identified> => {
    const judged =
      typeof presented === 'string'
        ? judge(`pem ${sha256(presented).toString('base64')}`, now, () => codec.readPem(presented), payer)
        : judge(presented.sha256, now, () => [presented.der]);
    const { verdict } = judged;
    if (!verdict.ok) return verdict;
    const time = timeReason(verdict, now);
    if (time !== null) return time === 'TOKEN_EXPIRED' ? EXPIRED : EARLY;
    if (revocations.full) throw unavailable('MIRROR_FULL', 'more certificates are revoked than this replica can remember');
    if (revocations.has(verdict.serialNumber)) return REVOKED;
    return andThen(namespaceOwner(verdict.name.namespace), (owner) =>
      // Asked again after the wait: the news may have come meanwhile.
      revocations.has(verdict.serialNumber) ? REVOKED : answer(judged, verdict, owner),
    );
  };
};
