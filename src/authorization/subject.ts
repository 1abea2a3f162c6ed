// A subject and what is stored about it: roles, grants, memberships, loans, each within its time.
import type { Instant } from '../base/time.ts';
import type { Condition } from './condition/condition.ts';

/** `user` and a user id, `service` and `<namespace>/<name>`, `group` and its name. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  /** Roles it brings along besides those assigned here: of a trusted issuer's token. The same list for the same token. */
  readonly roles?: readonly string[];
}

export const isSame = (a: Subject, b: Subject): boolean => a.type === b.type && a.id === b.id;

/** From the first instant to before the second; null = no such bound. */
export interface Window {
  readonly notBefore: Instant | null;
  readonly expiresAt: Instant | null;
}

export interface Assignment extends Window {
  readonly role: string;
}

export interface Grant extends Window {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly permission: string;
  /** '' = every resource of the type. */
  readonly resourceId: string;
  /** '' = none. */
  readonly condition: string;
  readonly tree: Condition | null;
}

export interface Membership {
  readonly group: string;
  readonly expiresAt: Instant | null;
}

/** What somebody lends the subject, for as long as he holds it himself. */
export interface Delegation extends Window {
  readonly id: string;
  readonly grantor: Subject;
  readonly permissions: readonly string[];
  readonly resourceId: string;
  /** How many further hands it may pass through. */
  readonly depth: number;
}

export interface StoredClearance {
  readonly clearance: string;
  readonly expiresAt: Instant | null;
}

/** What is stored about a subject, ended things included: they end by the clock, not by a write. */
export interface SubjectRows {
  readonly subject: Subject;
  readonly assignments: readonly Assignment[];
  readonly grants: readonly Grant[];
  readonly memberships: readonly Membership[];
  readonly delegations: readonly Delegation[];
  readonly clearance: StoredClearance | null;
}

export const hasEnded = ({ expiresAt }: { readonly expiresAt: Instant | null }, now: Instant): boolean =>
  expiresAt !== null && expiresAt <= now;
export const hasBegun = ({ notBefore }: { readonly notBefore: Instant | null }, now: Instant): boolean =>
  notBefore === null || notBefore <= now;
export const inForce = (window: Window, now: Instant): boolean => !hasEnded(window, now) && hasBegun(window, now);
