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
const NO_ATTRIBUTES = Buffer.alloc(4);

// Sorted by the bytes of the name, not by UTF-16 units: every language can do that alike.
const sorted = (attributes: Readonly<Record<string, string>>): readonly Buffer[] =>
  Object.keys(attributes)
    .map((name) => [Buffer.from(name), Buffer.from(attributes[name] ?? '')] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
    .flat();

/**
 * `"shub1"` ‖ header ‖ tenant ‖ classification ‖ purpose ‖ number of attributes (4 bytes, big-endian) ‖ name, value of each,
 * by name ‖ associated data; each part behind its length in 4 bytes, big-endian.
 */
export const aadV1 = (header: Uint8Array, binding: Binding): Buffer => {
  const attributes = sorted(binding.attributes);
  let count = NO_ATTRIBUTES;
  if (attributes.length > 0) {
    count = Buffer.alloc(4);
    count.writeUInt32BE(attributes.length / 2);
  }
  const parts: (Uint8Array | string)[] = [
    MARK,
    header,
    binding.tenantId,
    binding.classification === '' ? 'internal' : binding.classification,
    binding.purpose,
    count,
    ...attributes,
    binding.associatedData,
  ];
  const sizes = parts.map((part) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length));
  const out = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + size + 4, 0));
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const size = sizes[i] ?? 0;
    at = out.writeUInt32BE(size, at);
    if (typeof part === 'string') out.write(part, at);
    else out.set(part, at);
    at += size;
  }
  return out;
};
