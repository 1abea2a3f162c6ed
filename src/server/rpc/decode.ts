// Bytes of a request → message, strictly: what the proto does not allow is refused, never repaired.
import { isUtf8 } from 'node:buffer';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { badField, Fault } from '../../base/fault.ts';
import type { Method } from './define.ts';
import { pathOf } from './paths.ts';

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * proto3: "a string must always contain UTF-8". The lossy decode is several times faster than a fatal TextDecoder,
 * and only text with a replacement character can have come from bad bytes.
 */
const strictText = (bytes: Uint8Array): string => {
  const text = asBuffer(bytes).toString('utf8');
  if (text.includes('\ufffd') && !isUtf8(bytes)) throw new Error('invalid UTF-8');
  return text;
};

const read = (method: Method, reader: BinaryReader): unknown => {
  try {
    // Generated decoders take a reader wherever they take bytes; the reader carries our text decoder into every nested message.
    const message = method.requestDeserialize(reader as unknown as Buffer);
    // They take a zero tag for the end and pass over what follows.
    if (reader.pos !== reader.len) throw new Error('the message goes on after its end');
    return message;
  } catch (cause) {
    const beyond = /(?:MAX|MIN)_SAFE_INTEGER/.test(Object(cause).message);
    const message = beyond ? 'the request holds a whole number beyond ±2⁵³' : 'the request is not a valid message of this method';
    throw new Fault('INVALID_ARGUMENT', 'REQUEST_MALFORMED', message, { cause });
  }
};

/**
 * Generated decoders keep maps and Structs as plain objects, which take this name for their prototype: what a caller puts under it
 * would be gone, and an encryption context without it would open. So it is no name here.
 */
export const LOST = '__proto__';
const LOST_BYTES = Buffer.from(LOST);
const FOUND = `\0${LOST}`;

/** Reads that text as another one, which no object takes for anything. */
const showing = (bytes: Buffer): BinaryReader => {
  const reader = new BinaryReader(bytes, strictText);
  const text = reader.string.bind(reader);
  reader.string = (strict) => {
    const read = text(strict);
    return read === LOST ? FOUND : read;
  };
  return reader;
};

const holdsLost = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.hasOwn(value, FOUND);

const generated = (method: Method, buffer: Buffer): unknown => {
  const message = read(method, new BinaryReader(buffer, strictText));
  if (!buffer.includes(LOST_BYTES)) return message;
  // As a value the text does no harm.
  const holder = pathOf(read(method, showing(buffer)), holdsLost);
  if (holder !== null) throw badField(holder, `must not have the name ${LOST}`);
  return message;
};

/**
 * INVALID_ARGUMENT / REQUEST_MALFORMED for truncated bytes, bad UTF-8 and integers beyond ±2⁵³; INVALID_ARGUMENT that names the
 * field for a map or Struct with a name that cannot be kept.
 */
export const decode = (method: Method, bytes: Uint8Array): unknown => {
  const buffer = asBuffer(bytes);
  return method.read?.(buffer, (part) => generated(method, part)) ?? generated(method, buffer);
};

/** Bytes are an answer already encoded. */
export const encode = (method: Method, answer: unknown): Buffer =>
  ArrayBuffer.isView(answer) ? asBuffer(answer as Uint8Array) : method.responseSerialize(answer);
