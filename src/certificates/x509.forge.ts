// Certificates read from DER (RFC 5280 §4.1): every field the rules ask about, and the signed bytes as they came.
import { bitsOf, booleanOf, type Element, MAX_OBJECT, oidOf, readDer, readPem, sequenceOf, smallOf, tagged } from './der.forge.ts';
import { namesOf } from './names.forge.ts';
import { parseRequest } from './csr.forge.ts';
import { type Certificate, type Codec, canonicalSerial, OID, type TbsFields } from './x509.ts';

const MAX_CERTIFICATES = 8;
const bad = (): Error => new Error('not a certificate');

/** UTCTime to 2049, GeneralizedTime from 2050; Z and whole seconds (RFC 5280 §4.1.2.5). */
const timeOf = (element: Element | undefined): number => {
  const text = element?.content.toString('latin1') ?? '';
  const match = /^(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const year = Number(match?.[1]);
  const utc = element?.tag === 0x17 && text.length === 13;
  const generalized = element?.tag === 0x18 && text.length === 15 && year >= 2050;
  if (match === null || (!utc && !generalized)) throw bad();
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(2).map(Number);
  const full = utc ? (year < 50 ? 2000 + year : 1900 + year) : year;
  const at = Date.UTC(full, month - 1, day, hour, minute, second);
  // 31 February and the 61st second would roll over in silence.
  const date = new Date(at);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) throw bad();
  return at;
};

const serialOf = (element: Element | undefined): Buffer => {
  const { content } = tagged(element, 0x02);
  const [first = 0, second = 0] = content;
  // Nine leading bits alike would be a longer encoding than needed (X.690 §8.3.2).
  if (content.length === 0 || (content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))) throw bad();
  return content;
};

type Extensions = Pick<
  TbsFields,
  | 'basicConstraints'
  | 'keyUsage'
  | 'extendedKeyUsage'
  | 'subjectAltName'
  | 'subjectKeyId'
  | 'authorityKeyId'
  | 'unknownCritical'
  | 'duplicateExtensions'
>;
type Found = { -readonly [K in keyof Extensions]: Extensions[K] };

const basicConstraintsOf = (value: Element): { ca: boolean; pathLength: number | null } => {
  const members = sequenceOf(value);
  const ca = members[0]?.tag === 0x01 && booleanOf(members[0]);
  const length = members[members[0]?.tag === 0x01 ? 1 : 0];
  return { ca, pathLength: length === undefined ? null : smallOf(length) };
};

const usageOf = (value: Element): readonly number[] => {
  const { content } = tagged(value, 0x03);
  const positions: number[] = [];
  for (let at = 1; at < content.length; at += 1)
    for (let bit = 0; bit < 8; bit += 1) if ((((content[at] ?? 0) << bit) & 0x80) !== 0) positions.push((at - 1) * 8 + bit);
  return positions;
};

const readExtension = (found: Found, id: string, critical: boolean, value: Element): void => {
  switch (id) {
    case OID.basicConstraints:
      found.basicConstraints = { ...basicConstraintsOf(value), critical };
      return;
    case OID.keyUsage:
      found.keyUsage = { bits: usageOf(value), critical };
      return;
    case OID.extendedKeyUsage:
      found.extendedKeyUsage = { purposes: sequenceOf(value).map(oidOf), critical };
      return;
    case OID.subjectAltName:
      found.subjectAltName = { ...namesOf(value), critical };
      return;
    case OID.subjectKeyIdentifier:
      found.subjectKeyId = tagged(value, 0x04).content;
      return;
    case OID.authorityKeyIdentifier:
      found.authorityKeyId = sequenceOf(value).find(({ tag }) => tag === 0x80)?.content ?? null;
      return;
    default:
      if (critical) found.unknownCritical = [...found.unknownCritical, id];
  }
};

const extensionsOf = (wrapper: Element | undefined): Extensions => {
  const found: Found = {
    basicConstraints: null,
    keyUsage: null,
    extendedKeyUsage: null,
    subjectAltName: null,
    subjectKeyId: null,
    authorityKeyId: null,
    unknownCritical: [],
    duplicateExtensions: false,
  };
  const seen = new Set<string>();
  for (const extension of wrapper === undefined ? [] : sequenceOf(tagged(wrapper, 0xa3).children[0])) {
    const members = sequenceOf(extension);
    const id = oidOf(members[0]);
    const critical = members[1]?.tag === 0x01;
    // DEFAULT FALSE is not written in DER, so a written boolean is true.
    if (critical && !booleanOf(members[1])) throw bad();
    if (seen.has(id)) found.duplicateExtensions = true;
    seen.add(id);
    readExtension(found, id, critical, readDer(tagged(members[critical ? 2 : 1], 0x04).content));
  }
  return found;
};

const fieldsOf = (tbs: Element): TbsFields => {
  const [version, serial, algorithm, issuer, validity, subject, spki, ...rest] = sequenceOf(tbs);
  const [notBefore, notAfter] = sequenceOf(validity);
  const number = serialOf(serial);
  return {
    version: smallOf(tagged(version, 0xa0).children[0]) + 1,
    serial: number,
    serialNumber: canonicalSerial(number.toString('hex')),
    signatureAlgorithm: oidOf(sequenceOf(algorithm)[0]),
    signatureAlgorithmDer: tagged(algorithm, 0x30).der,
    issuer: tagged(issuer, 0x30).der,
    subject: tagged(subject, 0x30).der,
    subjectEmpty: tagged(subject, 0x30).children.length === 0,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    spki: tagged(spki, 0x30).der,
    ...extensionsOf(rest.find(({ tag }) => tag === 0xa3)),
  };
};

const certificateOf = (der: Buffer): Certificate => {
  const [tbs, algorithm, signature, ...more] = sequenceOf(readDer(der));
  if (tbs === undefined || more.length > 0) throw bad();
  return { der, tbs: tbs.der, fields: fieldsOf(tbs), signatureAlgorithmDer: tagged(algorithm, 0x30).der, signature: bitsOf(signature) };
};

const orNull = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch {
    return null;
  }
};

export const forgeCodec: Codec = {
  parseCertificate: (der) => orNull(() => certificateOf(Buffer.from(der))),
  parseTbs: (tbs) => orNull(() => fieldsOf(readDer(Buffer.from(tbs)))),
  parseRequest: (bytes) => orNull(() => parseRequest(Buffer.from(bytes))),
  readPem: (text) => {
    if (text.length > MAX_CERTIFICATES * MAX_OBJECT) return null;
    return orNull(() =>
      readPem(text, MAX_CERTIFICATES).map(({ label, der }) => {
        if (label !== 'CERTIFICATE' || der.length > MAX_OBJECT) throw bad();
        return der;
      }),
    );
  },
};
