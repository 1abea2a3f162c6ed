// AAD v1: what a ciphertext is bound to, as bytes that no other binding gives (design §8).

export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted', 'top_secret'] as const;

export interface Binding {
  readonly tenantId: string;
  /** '' means `internal`. */
  readonly classification: string;
  readonly purpose: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly associatedData: Uint8Array;
}

const MARK = Buffer.from('shub1');

// Sorted by the bytes of the name, not by UTF-16 units: every language can do that alike.
const sorted = (attributes: Readonly<Record<string, string>>, names: readonly string[]): readonly Buffer[] =>
  names
    .map((name) => [Buffer.from(name), Buffer.from(attributes[name] ?? '')] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
    .flat();

const putText = (out: Buffer, at: number, text: string): number => {
  const size = out.write(text, at + 4);
  return out.writeUInt32BE(size, at) + size;
};

const putBytes = (out: Buffer, at: number, bytes: Uint8Array): number => {
  const begin = out.writeUInt32BE(bytes.length, at);
  out.set(bytes, begin);
  return begin + bytes.length;
};

/**
 * `"shub1"` ‖ header ‖ tenant ‖ classification ‖ purpose ‖ number of attributes (4 bytes, big-endian) ‖ name, value of each,
 * by name ‖ associated data; each part behind its length in 4 bytes, big-endian.
 */
export const aadV1 = (header: Uint8Array, binding: Binding): Buffer => {
  const { tenantId, purpose, associatedData } = binding;
  const classification = binding.classification === '' ? 'internal' : binding.classification;
  const names = Object.keys(binding.attributes);
  const attributes = names.length === 0 ? [] : sorted(binding.attributes, names);
  let size = MARK.length + header.length + 4 + associatedData.length + 4 * (7 + attributes.length);
  size += Buffer.byteLength(tenantId) + Buffer.byteLength(classification) + Buffer.byteLength(purpose);
  for (const part of attributes) size += part.length;
  const out = Buffer.allocUnsafe(size);
  let at = putBytes(out, 0, MARK);
  at = putBytes(out, at, header);
  at = putText(out, at, tenantId);
  at = putText(out, at, classification);
  at = putText(out, at, purpose);
  at = out.writeUInt32BE(4, at);
  at = out.writeUInt32BE(names.length, at);
  for (const part of attributes) at = putBytes(out, at, part);
  putBytes(out, at, associatedData);
  return out;
};
