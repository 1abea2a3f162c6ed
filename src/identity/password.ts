// Passwords: which are accepted, and how their hashes are written down.
import type { Millis } from '../base/time.ts';

export interface PasswordPolicy {
  /** In characters (code points). */
  readonly minLength: number;
  readonly requireSpecial: boolean;
}

/** Cost of one argon2id hash (RFC 9106 §3.1): memory in KiB, passes, lanes. */
export interface HashParameters {
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface PasswordRecord {
  readonly parameters: HashParameters;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** Hashing as the use cases see it. `until` is when nobody waits any more. */
export interface Passwords {
  /** A fresh record in PHC form. RESOURCE_EXHAUSTED / LOGIN_BUSY when too many wait. */
  hash(password: string, until: Millis): Promise<string>;
  /** Whether the password is the record's; without a record it spends the same time on a dummy and says no. */
  verify(record: string | null, password: string, until: Millis): Promise<boolean>;
  /** True where the record was made with other parameters than today's. */
  outdated(record: string): boolean;
}

export const SALT_BYTES = 16;
export const HASH_BYTES = 32;
const MAX_CHARACTERS = 1024;
const MAX_BYTES = 256;

/** What is hashed: NFKC, so that one password typed on two keyboards is one (RFC 8265 §4.2 uses NFC; we fold width as well). Null where it is beyond every bound. */
export const normalisePassword = (password: string): string | null => {
  if (password.length > MAX_CHARACTERS) return null;
  const normal = password.normalize('NFKC');
  return Buffer.byteLength(normal) <= MAX_BYTES ? normal : null;
};

/** What is wrong with a new password, or null. `names` are what the account goes by. */
export const passwordProblem = (policy: PasswordPolicy, password: string, names: readonly string[]): string | null => {
  const normal = normalisePassword(password);
  if (normal === null) return `must not be longer than ${MAX_BYTES} bytes`;
  if (Array.from(normal).length < policy.minLength) return `must have at least ${policy.minLength} characters`;
  if (policy.requireSpecial && !/[^\p{L}\p{M}\p{N}]/u.test(normal)) return 'must hold a character that is neither a letter nor a digit';
  const folded = normal.toLowerCase();
  if (names.some((name) => name !== '' && folded === name.normalize('NFKC').toLowerCase())) return 'must not be the name of the account';
  return null;
};

const plain = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

/** The PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. */
export const printRecord = ({ parameters: { memory, passes, lanes }, salt, hash }: PasswordRecord): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${lanes}$${plain(salt)}$${plain(hash)}`;

const RECORD = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;

/** Null for what is not such a string. */
export const parseRecord = (text: string): PasswordRecord | null => {
  const match = RECORD.exec(text);
  if (match === null) return null;
  const [memory, passes, lanes] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return {
    parameters: { memory, passes, lanes },
    salt: Buffer.from(match[4] ?? '', 'base64'),
    hash: Buffer.from(match[5] ?? '', 'base64'),
  };
};

export const sameParameters = (a: HashParameters, b: HashParameters): boolean =>
  a.memory === b.memory && a.passes === b.passes && a.lanes === b.lanes;
