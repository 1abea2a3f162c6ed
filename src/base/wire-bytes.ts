// Protobuf fields written straight into a buffer, for answers that are made on every request.

/** Tag of a field: wire type 0 is a varint, 2 is bytes with a length. */
export const tagOf = (field: number, wire: 0 | 2): number => (field << 3) | wire;

/** How many bytes a varint takes. */
export const sizeOfVarint = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 3 + sizeOfVarint(Math.floor(value / 0x200000));

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

/** A field that is a whole number, also where it is 0; of one with a length, all that comes before its bytes. At most NUMBER_BYTES. */
export const whole = (bytes: Buffer, tag: number, value: number, at: number): number => varint(bytes, value, varint(bytes, tag, at));

/** Most bytes of such a field, of a tag that takes two. */
export const NUMBER_BYTES = 10;

/** Most bytes of an instant, likewise. */
export const INSTANT_BYTES = 18;

/** A Timestamp or Duration as a field; not negative, whole milliseconds. At most INSTANT_BYTES. */
export const instant = (bytes: Buffer, tag: number, millis: number, at: number): number => {
  const length = varint(bytes, tag, at);
  const start = length + 1;
  let end = start;
  const seconds = Math.floor(millis / 1000);
  const nanos = Math.floor(millis - seconds * 1000) * 1_000_000;
  if (seconds > 0) {
    bytes[end] = 0x08;
    end = varint(bytes, seconds, end + 1);
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
  const { length } = value;
  if (length === 0) return at;
  const head = varint(bytes, tag, at);
  // A character below U+0080 is its own byte, and so is nearly every id; asking the platform first costs more than trying.
  if (length < 0x80) {
    const start = head + 1;
    let done = 0;
    for (; done < length; done += 1) {
      const char = value.charCodeAt(done);
      if (char > 0x7f) break;
      bytes[start + done] = char;
    }
    if (done === length) {
      bytes[head] = length;
      return start + length;
    }
  }
  const start = varint(bytes, Buffer.byteLength(value), head);
  return start + bytes.write(value, start, 'utf8');
};
