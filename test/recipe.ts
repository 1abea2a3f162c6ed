// How the data of misuse cases describes a signed text: what differs from a good one, in words that are filled in when it is made.
type Members = Readonly<Record<string, unknown>>;

export interface Recipe {
  readonly name: string;
  readonly header?: Members;
  readonly payload?: Members;
  readonly headerText?: string;
  readonly payloadText?: string;
  readonly key?: string;
  readonly shape?: string;
}

export type Fill = (value: unknown) => unknown;

/** `@now-60` is that many seconds from `now` (milliseconds), a name what it stands for; anything else is meant as it is written. */
export const filler = (now: number, names: Members): Fill => {
  const fill: Fill = (value) => {
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'string') return value;
    const at = /^@now([+-]\d+)$/.exec(value)?.[1];
    if (at !== undefined) return now / 1000 + Number(at);
    return Object.hasOwn(names, value) ? names[value] : value;
  };
  return fill;
};

/** JSON of `base` with these changes, filled in; null takes a member away. */
export const merged = (fill: Fill, base: Members, changes: Members = {}): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries({ ...base, ...changes })
        .filter(([, value]) => value !== null)
        .map(([name, value]) => [name, fill(value)]),
    ),
  );
