// How a capability declares its slice of the configuration: name, default, meaning, secrecy.
import type { Millis } from '../../base/time.ts';

export interface Field<T> {
  /** Environment name; the key in the file is the same. */
  readonly name: string;
  /** As a user would write it; '' means not set. */
  readonly default: string;
  readonly doc: string;
  readonly secret: boolean;
  /** What the reference prints behind the name: `minutes, 1 to 1440`. */
  readonly type: string;
  /** The value, or a sentence that says what would be right. */
  readonly parse: (text: string) => { readonly value: T } | { readonly problem: string };
}

export type Slice = Readonly<Record<string, Field<unknown>>>;
export type Values<S extends Slice> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never };

interface About {
  readonly default?: string;
  readonly doc: string;
}
interface Bounds extends About {
  readonly min: number;
  readonly max: number;
}

export const text = (name: string, about: About & { readonly pattern?: RegExp; readonly hint?: string }): Field<string> => ({
  name,
  default: about.default ?? '',
  doc: about.doc,
  secret: false,
  type: about.hint ?? 'text',
  parse: (given) =>
    about.pattern === undefined || given === '' || about.pattern.test(given)
      ? { value: given }
      : { problem: `must be ${about.hint ?? String(about.pattern)}` },
});

/** Never printed; also read from the file named by `<NAME>_FILE`. */
export const secret = (
  name: string,
  about: About & { readonly accepts?: (given: string) => boolean; readonly hint?: string },
): Field<string> => ({
  name,
  default: about.default ?? '',
  doc: about.doc,
  secret: true,
  type: 'secret',
  parse: (given) =>
    given === '' || about.accepts?.(given) !== false ? { value: given } : { problem: `must be ${about.hint ?? 'another'}` },
});

const number = (name: string, about: Bounds, unit: string, scale: number): Field<number> => ({
  name,
  default: about.default ?? '',
  doc: about.doc,
  secret: false,
  type: `${unit}, ${about.min} to ${about.max}`,
  parse: (given) => {
    const value = Number(given);
    return given !== '' && /^-?\d+(\.\d+)?$/.test(given) && value >= about.min && value <= about.max
      ? { value: value * scale }
      : { problem: `must be a number of ${unit} from ${about.min} to ${about.max}` };
  },
});

export const integer = (name: string, about: Bounds): Field<number> => ({
  ...number(name, about, 'whole number', 1),
  parse: (given) => {
    const value = Number(given);
    return /^-?\d+$/.test(given) && value >= about.min && value <= about.max
      ? { value }
      : { problem: `must be a whole number from ${about.min} to ${about.max}` };
  },
});

export const port = (name: string, about: About): Field<number> => integer(name, { ...about, min: 0, max: 65535 });
export const secondsField = (name: string, about: Bounds): Field<Millis> => number(name, about, 'seconds', 1000);
export const minutesField = (name: string, about: Bounds): Field<Millis> => number(name, about, 'minutes', 60_000);
export const daysField = (name: string, about: Bounds): Field<Millis> => number(name, about, 'days', 86_400_000);

export const flag = (name: string, about: About): Field<boolean> => ({
  name,
  default: about.default ?? 'false',
  doc: about.doc,
  secret: false,
  type: 'true or false',
  parse: (given) => (given === 'true' || given === 'false' ? { value: given === 'true' } : { problem: 'must be true or false' }),
});

export const choice = <const C extends readonly string[]>(name: string, options: C, about: About): Field<C[number]> => ({
  name,
  default: about.default ?? options[0] ?? '',
  doc: about.doc,
  secret: false,
  type: options.join(' | '),
  parse: (given) => (options.includes(given) ? { value: given as C[number] } : { problem: `must be one of ${options.join(', ')}` }),
});

/** Comma-separated words; spaces around them and empty ones do not count. */
export const list = (name: string, about: About & { readonly pattern?: RegExp; readonly hint?: string }): Field<readonly string[]> => ({
  name,
  default: about.default ?? '',
  doc: about.doc,
  secret: false,
  type: `comma-separated ${about.hint ?? 'words'}`,
  parse: (given) => {
    const words = given
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
    const bad = about.pattern === undefined ? undefined : words.find((word) => !about.pattern?.test(word));
    return bad === undefined ? { value: words } : { problem: `must be comma-separated ${about.hint ?? String(about.pattern)}` };
  },
});

/** A variable whose capability is not here yet: anything but its default is refused, never ignored. */
export const reserved = (name: string, about: About & { readonly default: string }): Field<string> => ({
  name,
  default: about.default,
  doc: `${about.doc} Not available yet: only the default is accepted.`,
  secret: false,
  type: 'reserved',
  parse: (given) =>
    given === about.default
      ? { value: given }
      : { problem: `is not supported yet; leave it at its default (${about.default || 'not set'})` },
});
