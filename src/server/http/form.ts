// A form as OAuth endpoints take it (RFC 6749 appendix B): UTF-8, every parameter once. Pure.

/** By name; null where it is no such form, or names a parameter twice (RFC 6749 §3.2). */
export const readForm = (body: Uint8Array): ReadonlyMap<string, string> | null => {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
  const parameters = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    try {
      const [name, value] = [at < 0 ? pair : pair.slice(0, at), at < 0 ? '' : pair.slice(at + 1)].map((part) =>
        decodeURIComponent(part.replaceAll('+', ' ')),
      );
      if (name === undefined || value === undefined || parameters.has(name)) return null;
      parameters.set(name, value);
    } catch {
      return null;
    }
  }
  return parameters;
};
