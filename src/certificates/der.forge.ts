// Reading DER and PEM with node-forge: strict, bounded, with the bytes as they came. The only file that imports the library.
import asn1, { type Asn1 } from 'node-forge/lib/asn1.js';
import pem from 'node-forge/lib/pem.js';
import { spanAt } from './der.ts';

/** One object may not be longer; nothing we issue is. */
export const MAX_OBJECT = 16 * 1024;
const MAX_DEPTH = 32;

export interface Element {
  /** The identifier octet: class, constructed, number. */
  readonly tag: number;
  /** The whole element as it came. */
  readonly der: Buffer;
  readonly content: Buffer;
  readonly children: readonly Element[];
}

/** Thrown inside the readers only; nothing of it leaves them. */
const notDer = (): Error => new Error('not DER of the wanted shape');

// The library tells the tree; the spans beside it give back the original bytes, which it does not keep, and refuse what is BER only.
const withBytes = (node: Asn1, bytes: Buffer, offset: number): Element => {
  const span = spanAt(bytes, offset);
  if (span === null) throw notDer();
  const children: Element[] = [];
  if (typeof node.value !== 'string') {
    let at = span.content;
    for (const child of node.value) {
      const element = withBytes(child, bytes, at);
      children.push(element);
      at += element.der.length;
    }
    if (at !== span.end) throw notDer();
  }
  return { tag: bytes[offset] ?? 0, der: bytes.subarray(offset, span.end), content: bytes.subarray(span.content, span.end), children };
};

/** Throws for everything but exactly one element in DER. */
export const readDer = (bytes: Buffer): Element => {
  if (bytes.length > MAX_OBJECT) throw notDer();
  // A BIT STRING is bytes to us: guessing at structure inside it is how parsers come to disagree.
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH };
  const element = withBytes(asn1.fromDer(bytes.toString('latin1'), options), bytes, 0);
  if (element.der.length !== bytes.length) throw notDer();
  return element;
};

/** The element itself if its tag is the wanted one. */
export const tagged = (element: Element | undefined, tag: number): Element => {
  if (element?.tag !== tag) throw notDer();
  return element;
};

export const sequenceOf = (element: Element | undefined): readonly Element[] => tagged(element, 0x30).children;

export const oidOf = (element: Element | undefined): string => asn1.derToOid(tagged(element, 0x06).content.toString('latin1'));

/** The bytes of a BIT STRING that has no unused bits. */
export const bitsOf = (element: Element | undefined): Buffer => {
  const { content } = tagged(element, 0x03);
  if (content.length < 2 || content[0] !== 0) throw notDer();
  return content.subarray(1);
};

/** A small non-negative integer. */
export const smallOf = (element: Element | undefined): number => {
  const { content } = tagged(element, 0x02);
  const value = content[0] ?? 0x80;
  if (content.length !== 1 || value > 127) throw notDer();
  return value;
};

export const booleanOf = (element: Element | undefined): boolean => {
  const { content } = tagged(element, 0x01);
  // X.690 §11.1: true is 0xff.
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw notDer();
  return content[0] === 0xff;
};

/** Objects of a PEM text in their order: label and DER. Throws on more than `most` of them or on what is not PEM. */
export const readPem = (text: string, most: number): readonly { readonly label: string; readonly der: Buffer }[] => {
  const objects = pem.decode(text);
  if (objects.length === 0 || objects.length > most || objects.some((object) => object.headers.length > 0)) throw notDer();
  return objects.map(({ type, body }) => ({ label: type, der: Buffer.from(body, 'latin1') }));
};
