// DER as it is written (X.690 §10): the few types that certificates are made of. Pure; reading is an edge's business.

/** One element: tag, definite length in the fewest octets, content. */
export const element = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  let length = 0;
  for (const part of content) length += part.length;
  let head: Buffer;
  if (length < 0x80) head = Buffer.from([tag, length]);
  else if (length < 0x100) head = Buffer.from([tag, 0x81, length]);
  else if (length < 0x1_0000) head = Buffer.from([tag, 0x82, length >> 8, length & 0xff]);
  else throw new RangeError('nothing we write is longer than 64 KiB');
  return Buffer.concat([head, ...content], head.length + length);
};

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(0x30, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => element(0x31, ...content);
export const octets = (...content: readonly Uint8Array[]): Buffer => element(0x04, ...content);
export const boolean = (value: boolean): Buffer => Buffer.from([0x01, 0x01, value ? 0xff : 0x00]);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
export const printable = (text: string): Buffer => element(0x13, Buffer.from(text, 'latin1'));
export const explicit = (tag: number, ...content: readonly Uint8Array[]): Buffer => element(0xa0 | tag, ...content);
/** Implicit and primitive: a GeneralName's text, a key identifier. */
export const implicit = (tag: number, content: Uint8Array): Buffer => element(0x80 | tag, content);

const NO_UNUSED_BITS = Buffer.from([0]);
export const bits = (bytes: Uint8Array): Buffer => element(0x03, NO_UNUSED_BITS, bytes);

/** A named bit list without trailing zero bits (X.690 §11.2.2): `positions` counts from the first bit. Up to 8 of them. */
export const namedBits = (...positions: readonly number[]): Buffer => {
  let byte = 0;
  for (const position of positions) byte |= 0x80 >> position;
  return element(0x03, Buffer.from([7 - Math.max(...positions), byte]));
};

/** A non-negative integer from big-endian bytes, in the fewest octets (X.690 §8.3.2). */
export const unsigned = (bytes: Uint8Array): Buffer => {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const body = bytes.subarray(start);
  return ((body[0] ?? 0) & 0x80) === 0 ? element(0x02, body) : element(0x02, NO_UNUSED_BITS, body);
};

const base128 = (value: number): number[] => {
  const out = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) out.unshift(0x80 | (rest & 0x7f));
  return out;
};

/** Dotted decimal, arcs below 2³². */
export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
};

const two = (value: number): string => String(value).padStart(2, '0');

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5); whole seconds, Z. `at` in milliseconds. */
export const time = (at: number): Buffer => {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  const rest = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  const text = `${rest.map(two).join('')}Z`;
  return year < 2050
    ? element(0x17, Buffer.from(two(year % 100) + text, 'latin1'))
    : element(0x18, Buffer.from(String(year).padStart(4, '0') + text, 'latin1'));
};

/**
 * Where the element at `offset` has its content and its end; null where there is none. Only what DER allows: one tag octet,
 * definite lengths in the fewest octets (X.690 §10.1), here up to 64 KiB.
 */
export const spanAt = (bytes: Uint8Array, offset: number): { readonly content: number; readonly end: number } | null => {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return null;
  let content = offset + 2;
  let length = first;
  if (first === 0x81) {
    length = bytes[content] ?? 0;
    content += 1;
    if (length < 0x80) return null;
  } else if (first === 0x82) {
    length = ((bytes[content] ?? 0) << 8) | (bytes[content + 1] ?? 0);
    content += 2;
    if (length < 0x100) return null;
  } else if (first >= 0x80) return null;
  return content + length > bytes.length ? null : { content, end: content + length };
};
