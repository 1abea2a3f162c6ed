// Reads the claims of a payload one by one, each by its type, and remembers the first that is wrong.
import type { Instant } from '../base/time.ts';
import type { Refusal } from './jws.ts';
import { type JsonObject, member } from './strict-json.ts';

export const invalid = (claim: string, wanted: string): Refusal => ({
  reason: 'CLAIM_INVALID',
  message: `claim "${claim}" must be ${wanted}`,
});

export const claimReader = (payload: JsonObject) => {
  let problem: Refusal | null = null;
  const wrong = <T>(name: string, wanted: string, instead: T): T => {
    problem ??= invalid(name, wanted);
    return instead;
  };
  /** What JSON can spell and no database and no proto can hold, a NUL or half a surrogate pair, is no text. */
  const isText = (value: unknown): value is string =>
    typeof value === 'string' && value.length <= 1024 && value.isWellFormed() && !value.includes('\0');
  const text = (name: string, required: boolean): string => {
    const value = member(payload, name);
    if (value === undefined && !required) return '';
    return isText(value) && (value !== '' || !required) ? value : wrong(name, 'text', '');
  };
  const texts = (value: unknown, name: string): readonly string[] =>
    Array.isArray(value) && value.length <= 256 && value.every(isText) ? value : wrong(name, 'a list of texts', []);
  return {
    problem: () => problem,
    wrong,
    required: (name: string) => text(name, true),
    optional: (name: string) => text(name, false),
    list: (name: string) => (member(payload, name) === undefined ? [] : texts(member(payload, name), name)),
    /** `aud` is one text or a list (RFC 7519 §4.1.3). */
    audience: (): readonly string[] => {
      const value = member(payload, 'aud');
      const list = typeof value === 'string' ? [value] : texts(value, 'aud');
      return list.length > 0 && !list.includes('') ? list : wrong('aud', 'a text or a list of texts', []);
    },
    flag: (name: string): boolean => {
      const value = member(payload, name);
      return value === undefined ? false : typeof value === 'boolean' ? value : wrong(name, 'true or false', false);
    },
    count: (name: string): number => {
      const value = member(payload, name);
      return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : wrong(name, 'a whole number', 0);
    },
    /** From 0 to 1; absent is 0. */
    share: (name: string): number => {
      const value = member(payload, name) ?? 0;
      return typeof value === 'number' && value >= 0 && value <= 1 ? value : wrong(name, 'a number from 0 to 1', 0);
    },
    /** NumericDate (RFC 7519 §2), whole seconds, before the year 10000; texts are refused. */
    date: (name: string, fallback?: Instant): Instant => {
      const value = member(payload, name);
      if (value === undefined && fallback !== undefined) return fallback;
      return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 253_402_300_800
        ? (value as number) * 1000
        : wrong(name, 'a number of seconds', 0);
    },
  };
};
