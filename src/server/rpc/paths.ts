// Where something stands in a decoded request, as the proto spells it. Pure.

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The path of the first value that matches, such as `checks[1].resource.owner_id`; '' for the message itself, null where there is none. */
export const pathOf = (value: unknown, matches: (value: unknown) => boolean, path = ''): string | null => {
  if (matches(value)) return path;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return null;
  for (const [name, inner] of Object.entries(value)) {
    // A oneof is no level of its own: its chosen member stands in its place.
    const choice = inner as { readonly $case?: unknown; readonly value?: unknown } | null | undefined;
    const chosen = typeof choice?.$case === 'string' && 'value' in choice;
    const step = snake(chosen ? String(choice.$case) : name);
    const below = Array.isArray(value) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`;
    const found = pathOf(chosen ? choice.value : inner, matches, below);
    if (found !== null) return found;
  }
  return null;
};
