// How a question was answered, without who asked or when: built once per rule and shared by every decision that rests on it.

export interface Ruling {
  readonly allowed: boolean;
  /** docs/reasons.md, "Decisions". */
  readonly code: string;
  /** One sentence for people. It never holds what the caller said. */
  readonly reason: string;
  /** `role:admin`, `grant:<id>`, `deny:<id>`, `delegation:<id>`, `owner`: the rules that decided. */
  readonly rules: readonly string[];
  /** What the rules ask for, as it was written. */
  readonly conditions?: readonly string[];
  /** What the caller must do when it goes on. */
  readonly obligations?: readonly string[];
  /** Attributes that a rule needed and did not find. */
  readonly missing?: readonly string[];
  /** Allowed once the subject has shown a second factor. */
  readonly stepUp?: boolean;
  /** Nothing forbids it; something that is no rule of ours may still allow it. */
  readonly open?: boolean;
}

const ruling = (allowed: boolean, code: string, reason: string, rules: readonly string[] = [], more: Partial<Ruling> = {}): Ruling =>
  Object.freeze({ allowed, code, reason, rules: Object.freeze(rules), ...more });

export const denied = (code: string, reason: string, rules: readonly string[] = [], more: Partial<Ruling> = {}): Ruling =>
  ruling(false, code, reason, rules, more);

export const allowedBy = (rule: string, conditions: readonly string[] = []): Ruling =>
  ruling(true, 'ALLOWED', `allowed by ${rule}`, [rule], conditions.length === 0 ? {} : { conditions });

export const deniedBy = (rule: string, conditions: readonly string[] = []): Ruling =>
  denied('DENIED_EXPLICIT', `denied by ${rule}`, [rule], conditions.length === 0 ? {} : { conditions });

/** A rule that would allow does not, for this reason: another one may. */
export const withheld = (code: string, rule: string, reason: string, more: Partial<Ruling> = {}): Ruling =>
  denied(code, `${rule} would allow it: ${reason}`, [rule], { ...more, open: true });

export const OWNED = ruling(true, 'ALLOWED', 'allowed to the owner of the resource', ['owner']);
export const DEFAULT = denied('DENIED_DEFAULT', 'nothing allows it', [], { open: true });
export const FOREIGN = denied('DENIED_TENANT', 'the resource belongs to another tenant');
