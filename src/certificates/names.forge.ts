// Names of a subject read from DER: GeneralNames (RFC 5280 §4.2.1.6) and the common names of a Name.
import { type Element, oidOf, sequenceOf } from './der.forge.ts';
import { type Names, OID } from './x509.ts';

const ipText = (bytes: Buffer): string | null => {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return null;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
};

export const namesOf = (value: Element): Names => {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  let others = 0;
  for (const { tag, content } of sequenceOf(value)) {
    const text = content.toString('latin1');
    const ip = tag === 0x87 ? ipText(content) : null;
    if (tag === 0x86) uris.push(text);
    else if (tag === 0x82) dnsNames.push(text);
    else if (ip !== null) ipAddresses.push(ip);
    else others += 1;
  }
  return { uris, dnsNames, ipAddresses, others };
};

export const commonNamesOf = (name: Element | undefined): readonly string[] =>
  sequenceOf(name)
    .flatMap(({ children }) => children)
    .map(({ children }) => children)
    .filter(([type]) => oidOf(type) === OID.commonName)
    .map(([, value]) => value?.content.toString('utf8') ?? '');
