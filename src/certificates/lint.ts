// What is about to be signed, judged as a stranger would (RFC 5280 §4.1–4.2, SPIFFE X.509-SVID §2–§4). A finding means: do not sign. Pure.
import { parseSpiffeId } from './spiffe-id.ts';
import { SIGNATURE_ALGORITHM, type Validity } from './profile.ts';
import { OID, type TbsFields } from './x509.ts';

export interface LintContext {
  readonly kind: 'root' | 'intermediate' | 'leaf';
  readonly trustDomain: string;
  /** DER of the issuer's subject and its key id; for a root its own. */
  readonly issuer: { readonly subject: Buffer; readonly keyId: Buffer } & Pick<Validity, 'notAfter'>;
}

type Rule = readonly [broken: boolean, finding: string];

const has = (bits: readonly number[] | undefined, ...wanted: readonly number[]): boolean =>
  wanted.every((bit) => bits?.includes(bit) === true);

const common = (tbs: TbsFields, { issuer, trustDomain }: LintContext): readonly Rule[] => {
  const uri = tbs.subjectAltName?.uris[0] ?? '';
  return [
    [tbs.version !== 3, 'version is not 3'],
    [tbs.serial.length > 20 || tbs.serial.length < 8, 'the serial number is not 8 to 20 octets'],
    [((tbs.serial[0] ?? 0x80) & 0x80) !== 0 || tbs.serial.every((byte) => byte === 0), 'the serial number is not positive'],
    [!tbs.signatureAlgorithmDer.equals(SIGNATURE_ALGORITHM), 'the signature algorithm is not ours'],
    [!tbs.issuer.equals(issuer.subject), 'the issuer is not who signs'],
    [tbs.notBefore >= tbs.notAfter, 'it ends before it begins'],
    [tbs.notAfter > issuer.notAfter, 'it outlives its issuer'],
    [tbs.duplicateExtensions, 'an extension stands twice'],
    [tbs.unknownCritical.length > 0, 'an unknown extension is critical'],
    [tbs.basicConstraints?.critical !== true, 'basic constraints are missing or not critical'],
    [tbs.keyUsage?.critical !== true || tbs.keyUsage.bits.length === 0, 'key usage is missing, empty or not critical'],
    [tbs.subjectKeyId?.length !== 20, 'the subject key id is missing'],
    [
      tbs.subjectAltName === null || tbs.subjectAltName.critical !== tbs.subjectEmpty,
      'names are critical exactly when the subject is empty',
    ],
    [tbs.subjectAltName?.uris.length !== 1, 'there is not exactly one URI'],
    [parseSpiffeId(uri)?.trustDomain !== trustDomain, 'the URI is no SPIFFE ID of our trust domain'],
    [tbs.subjectAltName?.others !== 0, 'there is a name of another kind'],
  ];
};

const authority = (tbs: TbsFields, { kind, issuer }: LintContext): readonly Rule[] => [
  [tbs.basicConstraints?.ca !== true, 'an authority is not marked as one'],
  [tbs.basicConstraints?.pathLength !== (kind === 'root' ? 1 : 0), 'the path length is wrong'],
  [!has(tbs.keyUsage?.bits, 5, 6) || tbs.keyUsage?.bits.length !== 2, 'an authority signs certificates and lists, nothing else'],
  [tbs.extendedKeyUsage !== null, 'an authority has no extended key usage'],
  [tbs.subjectEmpty, 'an authority has no name'],
  [parseSpiffeId(tbs.subjectAltName?.uris[0] ?? '')?.path !== '', 'an authority names a service'],
  [kind === 'intermediate' && tbs.authorityKeyId?.equals(issuer.keyId) !== true, 'the authority key id is not the issuer’s'],
];

const leaf = (tbs: TbsFields, { issuer }: LintContext): readonly Rule[] => [
  [tbs.basicConstraints?.ca !== false, 'a leaf is marked as an authority'],
  [tbs.basicConstraints?.pathLength !== null, 'a leaf has a path length'],
  [
    !has(tbs.keyUsage?.bits, 0) || has(tbs.keyUsage?.bits, 5) || has(tbs.keyUsage?.bits, 6),
    'a leaf signs, and signs no certificates or lists',
  ],
  [tbs.extendedKeyUsage?.purposes.join() !== `${OID.serverAuth},${OID.clientAuth}`, 'a leaf is good as server and as client'],
  [tbs.authorityKeyId?.equals(issuer.keyId) !== true, 'the authority key id is not the issuer’s'],
  [(parseSpiffeId(tbs.subjectAltName?.uris[0] ?? '')?.path ?? '') === '', 'a leaf names no service'],
  [
    tbs.subjectAltName?.dnsNames.some((name) => !/^(\*\.)?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/.test(name)) !== false,
    'a DNS name is not one',
  ],
];

/** Every rule that is broken; empty = sign. */
export const lint = (tbs: TbsFields, context: LintContext): readonly string[] =>
  [...common(tbs, context), ...(context.kind === 'leaf' ? leaf(tbs, context) : authority(tbs, context))]
    .filter(([broken]) => broken)
    .map(([, finding]) => finding);
