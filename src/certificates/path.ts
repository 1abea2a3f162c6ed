// Is this certificate one of ours? A path validator for our own chains (RFC 5280 §6.1, SPIFFE X.509-SVID §5). Pure; its cost is bounded.
import { verify } from 'node:crypto';
import type { Instant } from '../base/time.ts';
import { publicKeyOf } from './public-key.ts';
import { serviceOf, type ServiceName } from './spiffe-id.ts';
import { type Certificate, OID, SIGNATURE_HASH } from './x509.ts';

export interface Anchors {
  readonly trustDomain: string;
  readonly roots: readonly Certificate[];
  /** Those of ours; the presented ones are tried as well. */
  readonly intermediates: readonly Certificate[];
}

/** The vocabulary of the contract. */
export type PathReason = 'TOKEN_MALFORMED' | 'ALGORITHM_NOT_ALLOWED' | 'SIGNATURE_INVALID' | 'ISSUER_MISMATCH' | 'CLAIM_INVALID';

export type PathVerdict =
  | {
      readonly ok: true;
      readonly name: ServiceName;
      readonly spiffeId: string;
      readonly serialNumber: string;
      /** The leaf's own end and beginning. */
      readonly notBefore: Instant;
      readonly notAfter: Instant;
      /** When the whole path, anchor included, is good: never wider than the leaf. */
      readonly from: Instant;
      readonly until: Instant;
    }
  | { readonly ok: false; readonly reason: PathReason; readonly message: string };

const MAX_SIGNATURES = 16;
const MAX_ISSUERS = 3;

const refused = (reason: PathReason, message: string): PathVerdict => ({ ok: false, reason, message });

/** What every certificate of a path must be, whatever its place. */
const malformed = ({ fields, signatureAlgorithmDer }: Certificate): string | null => {
  if (fields.version !== 3) return 'a certificate is not of version 3';
  if (fields.serial.length > 20 || ((fields.serial[0] ?? 0x80) & 0x80) !== 0 || fields.serial.every((byte) => byte === 0))
    return 'a serial number is not positive, or longer than 20 octets';
  if (!fields.signatureAlgorithmDer.equals(signatureAlgorithmDer)) return 'a certificate names two signature algorithms';
  if (fields.duplicateExtensions) return 'an extension stands twice';
  return null;
};

const leafProblem = ({ fields }: Certificate): string | null => {
  const { basicConstraints, keyUsage, extendedKeyUsage, subjectAltName } = fields;
  if (basicConstraints?.ca === true) return 'an authority is not a service';
  if (keyUsage === null || !keyUsage.bits.includes(0)) return 'the key may not sign';
  if (keyUsage.bits.includes(5) || keyUsage.bits.includes(6)) return 'the key may sign certificates or lists';
  if (
    extendedKeyUsage !== null &&
    !extendedKeyUsage.purposes.includes(OID.clientAuth) &&
    !extendedKeyUsage.purposes.includes(OID.serverAuth)
  )
    return 'the key is for neither server nor client';
  if (fields.unknownCritical.length > 0) return 'a critical extension is unknown';
  if (subjectAltName?.uris.length !== 1) return 'there is not exactly one URI among the names';
  return null;
};

/** May `issuer` stand above `below` authorities and a leaf? */
const mayIssue = ({ fields }: Certificate, below: number): boolean =>
  fields.basicConstraints?.ca === true &&
  fields.basicConstraints.critical &&
  (fields.basicConstraints.pathLength === null || fields.basicConstraints.pathLength >= below) &&
  fields.keyUsage?.bits.includes(5) === true &&
  fields.unknownCritical.length === 0;

const couldHaveIssued = (issuer: Certificate, subject: Certificate): boolean =>
  issuer.fields.subject.equals(subject.fields.issuer) &&
  (subject.fields.authorityKeyId === null ||
    issuer.fields.subjectKeyId === null ||
    issuer.fields.subjectKeyId.equals(subject.fields.authorityKeyId));

const signedBy = (subject: Certificate, issuer: Certificate): boolean => {
  const algorithm = SIGNATURE_HASH[subject.fields.signatureAlgorithm];
  const key = publicKeyOf(issuer.fields.spki);
  if (algorithm === undefined || !key.ok || key.key.type !== algorithm.key) return false;
  return verify(algorithm.hash, subject.tbs, key.key.key, subject.signature);
};

/**
 * A path from the leaf to one of the roots, wherever in time: `from` and `until` say when it is good, both ends included.
 * `presented` are further certificates of the peer, in any order.
 */
export const validatePath = (leaf: Certificate, presented: readonly Certificate[], anchors: Anchors): PathVerdict => {
  const broken = malformed(leaf);
  if (broken !== null) return refused('TOKEN_MALFORMED', broken);
  if (SIGNATURE_HASH[leaf.fields.signatureAlgorithm] === undefined)
    return refused('ALGORITHM_NOT_ALLOWED', 'the signature algorithm is not one we accept');
  const claim = leafProblem(leaf);
  if (claim !== null) return refused('CLAIM_INVALID', claim);

  let signatures = 0;
  let forged = false;
  const between = [...anchors.intermediates, ...presented];

  // Depth first, anchors first; the budget bounds what a hostile heap of look-alikes can cost.
  const climb = (subject: Certificate, below: number): readonly Certificate[] | null => {
    const holds = (issuer: Certificate): boolean => {
      if (!couldHaveIssued(issuer, subject) || malformed(issuer) !== null || !mayIssue(issuer, below)) return false;
      signatures += 1;
      if (signatures > MAX_SIGNATURES) return false;
      if (signedBy(subject, issuer)) return true;
      forged = true;
      return false;
    };
    const root = anchors.roots.find(holds);
    if (root !== undefined) return [root];
    if (below >= MAX_ISSUERS - 1) return null;
    for (const issuer of between) {
      if (!holds(issuer)) continue;
      const rest = climb(issuer, below + 1);
      if (rest !== null) return [issuer, ...rest];
    }
    return null;
  };

  const issuers = climb(leaf, 0);
  if (issuers === null)
    return forged
      ? refused('SIGNATURE_INVALID', 'the signature is not its issuer’s')
      : refused('ISSUER_MISMATCH', 'no authority of ours has issued it');
  const spiffeId = leaf.fields.subjectAltName?.uris[0] ?? '';
  const name = serviceOf(anchors.trustDomain, spiffeId);
  if (name === null) return refused('CLAIM_INVALID', 'the URI names no service of our trust domain');
  const path = [leaf, ...issuers];
  return {
    ok: true,
    name,
    spiffeId,
    serialNumber: leaf.fields.serialNumber,
    notBefore: leaf.fields.notBefore,
    notAfter: leaf.fields.notAfter,
    from: Math.max(...path.map(({ fields }) => fields.notBefore)),
    until: Math.min(...path.map(({ fields }) => fields.notAfter)),
  };
};

/** Is an authority of ours a root that signed itself, or signed by one of the roots? Told when it is loaded. */
export const isOurAuthority = (certificate: Certificate, { roots }: Pick<Anchors, 'roots'>): boolean =>
  malformed(certificate) === null &&
  mayIssue(certificate, 0) &&
  (roots.includes(certificate)
    ? signedBy(certificate, certificate)
    : roots.some((root) => couldHaveIssued(root, certificate) && mayIssue(root, 1) && signedBy(certificate, root)));

/** Both seconds included (RFC 5280 §4.1.2.5). */
export const timeReason = (
  { from, until }: { readonly from: Instant; readonly until: Instant },
  now: Instant,
): 'TOKEN_EXPIRED' | 'TOKEN_NOT_YET_VALID' | null => {
  if (now < from) return 'TOKEN_NOT_YET_VALID';
  return now >= until + 1000 ? 'TOKEN_EXPIRED' : null;
};
