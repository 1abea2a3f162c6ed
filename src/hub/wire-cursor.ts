// Reads the usual bytes of a message where they lie. Whatever is unusual is ODD: the generated decoder then says what it is.

export interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

/** No fault of anybody: thrown where these readers give up. Made once, since its stack tells nothing. */
export const ODD = new Error('not as usual');

/** A tag or a length: below 2²⁸, as all are that fit into a request. */
export const varint = (cursor: Cursor, end: number): number => {
  let value = 0;
  for (let shift = 0; shift < 28 && cursor.at < end; shift += 7) {
    const byte = cursor.bytes[cursor.at++] as number;
    if (byte < 0x80) return value | (byte << shift);
    value |= (byte & 0x7f) << shift;
  }
  throw ODD;
};

/** Where the field ends whose length stands here. */
export const fieldEnd = (cursor: Cursor, end: number): number => {
  const length = varint(cursor, end);
  if (length > end - cursor.at) throw ODD;
  return cursor.at + length;
};

/** Past a number, or a field with a length; the tag has been read. */
export const skip = (cursor: Cursor, tag: number, end: number): void => {
  if ((tag & 7) === 2) cursor.at = fieldEnd(cursor, end);
  else if ((tag & 7) === 0 && tag !== 0) while (cursor.at < end && (cursor.bytes[cursor.at++] as number) > 0x7f);
  else throw ODD;
};

const SLOTS = 2048;
/** As long as a UUID; tokens and the like are longer. */
const LONGEST = 36;

/**
 * Short texts as they were read last, and their bytes. Names of types, actions and attributes come again and again: the same string
 * object costs neither a copy nor another hash where it is looked up. One that shares a slot takes it over. All of them are ASCII.
 */
const known: string[] = Array.from({ length: SLOTS }, () => '');
const knownBytes = Buffer.alloc(SLOTS * LONGEST);

/** By what tells names apart most often: length, beginning, middle and end. A tag and a length stand before each text. */
const slotOf = (bytes: Buffer, start: number, length: number): number => {
  const end = start + length;
  const head = (bytes[start] as number) * 31 + (bytes[start + 1] as number);
  const middle = (bytes[start + (length >> 1)] as number) * 131;
  const tail = ((bytes[end - 1] as number) * 31 + (bytes[end - 2] as number)) * 31 + (bytes[end - 3] as number);
  return (head * 37 + middle + tail * 7 + length) & (SLOTS - 1);
};

const isKnown = (slot: number, bytes: Buffer, start: number, length: number): boolean => {
  const own = slot * LONGEST;
  for (let i = 0; i < length; i += 1) if (knownBytes[own + i] !== bytes[start + i]) return false;
  return true;
};

const decoded = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString('utf8', start, end);
  // Only text with a replacement character can have come from bytes that are no UTF-8.
  if (text.includes('\ufffd')) throw ODD;
  return text;
};

/** A string field. Not for secrets: short ones are kept. */
export const text = (cursor: Cursor, end: number): string => {
  const { bytes } = cursor;
  const stop = fieldEnd(cursor, end);
  const start = cursor.at;
  cursor.at = stop;
  const length = stop - start;
  if (length === 0) return '';
  if (length > LONGEST) return decoded(bytes, start, stop);
  const slot = slotOf(bytes, start, length);
  const found = known[slot] as string;
  if (found.length === length && isKnown(slot, bytes, start, length)) return found;
  const fresh = decoded(bytes, start, stop);
  if (fresh.length === length) {
    known[slot] = fresh;
    bytes.copy(knownBytes, slot * LONGEST, start, stop);
  }
  return fresh;
};
