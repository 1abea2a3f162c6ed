// Bounds of google.protobuf.Struct, which rules in a proto cannot express. Pure.

export const STRUCT_DEPTH = 16;

/** Whether a decoded Struct, ListValue or Value is nested at most `depth` deep; its size is bounded by that of the message. */
export const shallow = (value: unknown, depth: number = STRUCT_DEPTH): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => shallow(item, depth - 1));
  for (const key of Object.keys(value)) if (!shallow((value as Readonly<Record<string, unknown>>)[key], depth - 1)) return false;
  return true;
};
