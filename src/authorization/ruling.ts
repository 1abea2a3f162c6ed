// How a question was answered, without who asked or when: built once per rule and shared by every decision that rests on it.

export interface Ruling {
  readonly allowed: boolean;
  /** docs/reasons.md, "Decisions". */
  readonly code: string;
  /** One sentence for people. It never holds what the caller said. */
  readonly reason: string;
  /** `role:admin`, `grant:<id>`, `deny:<id>`, `owner`: the rules that decided. */
  readonly rules: readonly string[];
}

const ruling = (allowed: boolean, code: string, reason: string, rules: readonly string[] = []): Ruling =>
  Object.freeze({ allowed, code, reason, rules: Object.freeze(rules) });

export const denied = (code: string, reason: string, rules: readonly string[] = []): Ruling => ruling(false, code, reason, rules);

export const allowedBy = (rule: string): Ruling => ruling(true, 'ALLOWED', `allowed by ${rule}`, [rule]);
export const deniedBy = (rule: string): Ruling => denied('DENIED_EXPLICIT', `denied by ${rule}`, [rule]);

export const OWNED = ruling(true, 'ALLOWED', 'allowed to the owner of the resource', ['owner']);
export const DEFAULT = denied('DENIED_DEFAULT', 'nothing allows it');
export const FOREIGN = denied('DENIED_TENANT', 'the resource belongs to another tenant');
/** One answer for a subject that does not exist and for everything of a foreign tenant. */
export const UNKNOWN_SUBJECT = denied('SUBJECT_UNKNOWN', 'no such subject');
