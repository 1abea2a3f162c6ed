// Free data that a caller keeps with a thing of its own.
import { canonicalJson } from './canonical.ts';
import { badField } from './fault.ts';

export type Metadata = Readonly<Record<string, unknown>>;

const MAX_METADATA = 16_384;

/** Of bounded size. A NUL character has no place in a JSON document of Postgres. */
export const newMetadata = (metadata: Metadata): Metadata => {
  const text = canonicalJson(metadata);
  if (Buffer.byteLength(text) > MAX_METADATA) throw badField('metadata', `must not be larger than ${MAX_METADATA} bytes as JSON`);
  if (text.includes('\\u0000')) throw badField('metadata', 'must not hold NUL characters');
  return metadata;
};
