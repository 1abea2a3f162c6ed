// Unambiguous bytes for hashing and authenticating: every part carries its length.

/** Each part as a 4-byte big-endian length and its bytes; text is UTF-8. No two lists give the same bytes. */
export const lengthPrefixed = (parts: readonly (string | Uint8Array)[]): Buffer => {
  const chunks: Buffer[] = [];
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    chunks.push(length, bytes);
  }
  return Buffer.concat(chunks);
};

/** JSON with object members sorted by code unit at every depth (the shape of RFC 8785; numbers as JSON.stringify prints them). */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
};
