// Bytes of a request → message, strictly: what the proto does not allow is refused, never repaired.
import { isUtf8 } from 'node:buffer';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Fault } from '../../base/fault.ts';
import type { Method } from './define.ts';

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

/** INVALID_ARGUMENT / REQUEST_MALFORMED for truncated bytes, bad UTF-8 and integers beyond ±2⁵³. */
export const decode = (method: Method, bytes: Uint8Array): unknown => {
  try {
    // Generated decoders take a reader wherever they take bytes; the reader carries our text decoder into every nested message.
    return method.requestDeserialize(new BinaryReader(asBuffer(bytes), strictText) as unknown as Buffer);
  } catch (cause) {
    throw new Fault('INVALID_ARGUMENT', 'REQUEST_MALFORMED', 'the request is not a valid message of this method', { cause });
  }
};

/** Bytes are an answer already encoded. */
export const encode = (method: Method, answer: unknown): Buffer =>
  ArrayBuffer.isView(answer) ? asBuffer(answer as Uint8Array) : method.responseSerialize(answer);
