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

const decoded = (bytes: Buffer, start: number, end: number): string => {
  const read = bytes.toString('utf8', start, end);
  // Only text with a replacement character can have come from bytes that are no UTF-8.
  if (read.includes('\ufffd')) throw ODD;
  return read;
};

/** Below so many bytes the platform's decoder costs more to call than all that it does. */
const SHORT = 24;

const textAt = (bytes: Buffer, start: number, end: number): string => {
  const length = end - start;
  if (length > SHORT) return decoded(bytes, start, end);
  const codes: number[] = [];
  for (let i = 0; i < length; i += 1) {
    const byte = bytes[start + i] as number;
    if (byte > 0x7f) return decoded(bytes, start, end);
    codes.push(byte);
  }
  return String.fromCharCode.apply(null, codes);
};

/** A string field. */
export const text = (cursor: Cursor, end: number): string => {
  const stop = fieldEnd(cursor, end);
  const start = cursor.at;
  cursor.at = stop;
  return start === stop ? '' : textAt(cursor.bytes, start, stop);
};

const SLOTS = 2048;
const LONGEST = 36;

/** Words as they were read last, and their bytes; all of them ASCII. One that shares a slot takes it over. */
const known: string[] = Array.from({ length: SLOTS }, () => '');
const knownBytes = Buffer.alloc(SLOTS * LONGEST);

/** By what tells words apart most often: length, beginning, middle and end. A tag and a length stand before each text. */
const slotOf = (bytes: Buffer, start: number, length: number): number => {
  const end = start + length;
  const head = (bytes[start] as number) * 31 + (bytes[start + 1] as number);
  const middle = (bytes[start + (length >> 1)] as number) * 131;
  const tail = ((bytes[end - 1] as number) * 31 + (bytes[end - 2] as number)) * 31 + (bytes[end - 3] as number);
  return (head * 37 + middle + tail * 7 + length) & (SLOTS - 1);
};

/**
 * A string field that holds a name of a type, an action or an attribute, or an attribute's value. These come again and again, and the
 * same string object costs neither a copy nor another hash where it is looked up. Not for secrets, nor for what is new each time.
 */
export const word = (cursor: Cursor, end: number): string => {
  const { bytes } = cursor;
  const stop = fieldEnd(cursor, end);
  const start = cursor.at;
  cursor.at = stop;
  const length = stop - start;
  if (length === 0) return '';
  if (length > LONGEST) return textAt(bytes, start, stop);
  const slot = slotOf(bytes, start, length);
  const found = known[slot] as string;
  if (found.length === length && isSame(knownBytes, slot * LONGEST, bytes, start, length)) return found;
  const fresh = textAt(bytes, start, stop);
  if (fresh.length === length) {
    known[slot] = fresh;
    for (let i = 0; i < length; i += 1) knownBytes[slot * LONGEST + i] = bytes[start + i] as number;
  }
  return fresh;
};

/** From the end, where what has the same length differs first. For a few bytes: calling the platform costs as much as all of it. */
export const isSame = (a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean => {
  for (let i = length - 1; i >= 0; i -= 1) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
};
