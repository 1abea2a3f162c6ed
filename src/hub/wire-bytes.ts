// Protobuf fields written straight into a buffer, for answers that are made on every request.

/** Tag of a field: wire type 0 is a varint, 2 is bytes with a length. */
export const tagOf = (field: number, wire: 0 | 2): number => (field << 3) | wire;

/** A varint of up to 2^53 at `at`; the position after it. */
export const varint = (bytes: Buffer, value: number, at: number): number => {
  let rest = value;
  let end = at;
  while (rest > 0x7f) {
    bytes[end++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[end++] = rest;
  return end;
};

/** A Timestamp or Duration as a field; not negative, whole milliseconds. At most 18 bytes. */
export const instant = (bytes: Buffer, tag: number, millis: number, at: number): number => {
  const length = varint(bytes, tag, at);
  const start = length + 1;
  let end = start;
  const whole = Math.floor(millis / 1000);
  const nanos = Math.floor(millis - whole * 1000) * 1_000_000;
  if (whole > 0) {
    bytes[end] = 0x08;
    end = varint(bytes, whole, end + 1);
  }
  if (nanos > 0) {
    bytes[end] = 0x10;
    end = varint(bytes, nanos, end + 1);
  }
  bytes[length] = end - start;
  return end;
};

/** Text as a field, nothing where it is empty. At most 7 bytes beyond its own. */
export const text = (bytes: Buffer, tag: number, value: string, at: number): number => {
  if (value === '') return at;
  const length = Buffer.byteLength(value);
  const start = varint(bytes, length, varint(bytes, tag, at));
  // A character below U+0080 is its own byte; anything else is left to the platform.
  if (length !== value.length) bytes.write(value, start, 'utf8');
  else for (let i = 0; i < length; i += 1) bytes[start + i] = value.charCodeAt(i);
  return start + length;
};
