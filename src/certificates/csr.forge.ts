// Certificate signing requests read from PEM or DER (RFC 2986 §4): the key, the signature, and what it asks for.
import { bitsOf, type Element, MAX_OBJECT, oidOf, readDer, readPem, sequenceOf, smallOf, tagged } from './der.forge.ts';
import { commonNamesOf, namesOf } from './names.forge.ts';
import { type Names, NO_NAMES, OID, type SigningRequest } from './x509.ts';

const bad = (): Error => new Error('not a certificate signing request');

const derOf = (bytes: Buffer): Buffer => {
  if (bytes.length > MAX_OBJECT) throw bad();
  if (bytes[0] === 0x30) return bytes;
  const [object] = readPem(bytes.toString('latin1'), 1);
  if (object?.label !== 'CERTIFICATE REQUEST') throw bad();
  return object.der;
};

const requestedNames = (attributes: Element | undefined): Names => {
  if (attributes === undefined) return NO_NAMES;
  for (const attribute of tagged(attributes, 0xa0).children) {
    const [type, values] = sequenceOf(attribute);
    if (oidOf(type) !== OID.extensionRequest) continue;
    for (const extension of sequenceOf(tagged(values, 0x31).children[0])) {
      const members = sequenceOf(extension);
      if (oidOf(members[0]) === OID.subjectAltName) return namesOf(readDer(tagged(members.at(-1), 0x04).content));
    }
  }
  return NO_NAMES;
};

/** Throws on everything that is not a request in strict DER. Does not check the signature. */
export const parseRequest = (bytes: Buffer): SigningRequest => {
  const [info, algorithm, signature, ...more] = sequenceOf(readDer(derOf(bytes)));
  const [version, subject, spki, attributes, ...beyond] = sequenceOf(info);
  if (info === undefined || more.length > 0 || beyond.length > 0 || smallOf(version) !== 0) throw bad();
  return {
    info: info.der,
    spki: tagged(spki, 0x30).der,
    signatureAlgorithm: oidOf(sequenceOf(algorithm)[0]),
    signature: bitsOf(signature),
    commonNames: commonNamesOf(subject),
    requested: requestedNames(attributes),
  };
};
