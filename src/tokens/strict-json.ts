// JSON as tokens may carry it: one object, UTF-8, every member once (RFC 8725 §3.12 spirit; RFC 7515 §4 "Header Parameter names MUST be unique").

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type JsonObject = Readonly<Record<string, unknown>>;

/** Ends of strings and members, so that a scan needs no grammar: the text is known to be valid JSON here. */
const endOfString = (text: string, from: number): number => {
  for (let at = from + 1; ; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x5c) at++;
    else if (char === 0x22) return at;
  }
};

/** True when some object of valid JSON names a member twice, escapes included (`"a\u0075d"` is `aud`). */
const repeatsMember = (text: string): boolean => {
  const open: (Set<string> | null)[] = [];
  // After `{` or `,` of an object comes a name.
  let nameNext = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      nameNext = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      nameNext = false;
    } else if (char === ',') {
      nameNext = open.at(-1) !== null;
    } else if (char === '"') {
      const end = endOfString(text, at);
      if (nameNext) {
        const names = open.at(-1);
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        if (names?.has(name)) return true;
        names?.add(name);
        nameNext = false;
      }
      at = end;
    }
  }
  return false;
};

/** The object, or null for anything else: no UTF-8, a byte order mark, no object, a repeated member. Read it by own members only. */
export const strictJsonObject = (bytes: Uint8Array): JsonObject | null => {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== 'object' || Array.isArray(value) || repeatsMember(text)) return null;
    return value as JsonObject;
  } catch {
    return null;
  }
};

/** An own member; what hangs on the prototype is not a claim. */
export const member = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);
