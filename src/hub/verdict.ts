// The verdict on a credential, as pure rules: for whom, bound to whom, allowed what. Everything it needs is an argument.
import { canonicalAddress } from '../base/address.ts';
import type { Caller } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { Fault } from '../base/fault.ts';
import { type Confirmation, type Shown, unmet } from '../base/possession.ts';
import { scopeAllows, scopeCovers } from '../base/scope.ts';
import type { Instant } from '../base/time.ts';

/** A stable code of the contract and a sentence for people. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/** What the rules read of a credential that has proved itself; the claims of an access token are one as they stand. */
export interface Credential {
  readonly tenantId: string;
  /** A user's, an API key's id, or `<namespace>/<name>`. */
  readonly subject: string;
  /** null where the kind has none: API keys and certificates are for the whole tenant. */
  readonly audience: readonly string[] | null;
  /** null where the kind has none: nothing is capped by them. */
  readonly scopes: readonly string[] | null;
  readonly confirmation: Confirmation | null;
  /** '' unless bound. */
  readonly ipAddress: string;
  readonly deviceId: string;
  /** Hash of the device's fingerprint; '' unless known. */
  readonly fingerprint: string;
  readonly riskLevel: string;
  /** From 0 to 1, where it was weighed. */
  readonly riskScore?: number;
  readonly riskIndicators?: readonly string[];
  /** null = no end of its own. */
  readonly expiresAt: Instant | null;
}

/** What the subject may do now. */
export interface LiveRights {
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
  holds(permission: string): boolean;
  readonly validUntil: Instant | null;
  readonly revision: number;
  /** Limits of the roles in force. */
  readonly constraints?: readonly Constraints[];
}

/** Who a token must be meant for, decided by who asks. */
export type AudienceRule =
  | { readonly kind: 'any' }
  /** Nothing to check against: the answer says so. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'one_of'; readonly names: readonly string[] };

const ANY: AudienceRule = { kind: 'any' };
const UNCHECKED: AudienceRule = { kind: 'unchecked' };

/**
 * A workload's registered audiences count even when it names none; a name that is not among them is its own mistake.
 * @throws Fault PERMISSION_DENIED / AUDIENCE_FORBIDDEN
 */
export const audienceRule = (caller: Caller, named: string): AudienceRule => {
  if (caller.kind !== 'workload') return named === '' ? UNCHECKED : { kind: 'one_of', names: [named] };
  const entry = caller.entry;
  if (entry?.anyAudience === true) return named === '' ? ANY : { kind: 'one_of', names: [named] };
  const registered = entry?.audiences ?? [];
  if (named === '') return { kind: 'one_of', names: registered };
  if (!registered.includes(named))
    throw new Fault('PERMISSION_DENIED', 'AUDIENCE_FORBIDDEN', `audience: "${named}" is not registered for this workload`);
  return { kind: 'one_of', names: [named] };
};

export const audienceFits = (rule: AudienceRule, audience: readonly string[] | null): boolean => {
  if (audience === null || rule.kind !== 'one_of') return true;
  for (const name of rule.names) if (audience.includes(name)) return true;
  return false;
};

/** The other end of the connection that the credential came over, as far as it is believed. */
export interface Presenter {
  readonly shown: Shown;
  /** A DPoP proof was shown that does not count, and why. */
  readonly badProof: Reason | null;
  readonly address: string;
  readonly deviceId: string;
  /** As in claims. */
  readonly fingerprint: string;
  /** It holds context:assert: what it says of address and device counts. */
  readonly believed: boolean;
}

const MISSING: Reason = { code: 'BINDING_MISSING', message: 'the token is bound to a key that nobody has shown' };
const MISMATCH: Reason = { code: 'BINDING_MISMATCH', message: 'the token is bound to another key' };

export const OTHER_DEVICE: Reason = { code: 'DEVICE_MISMATCH', message: 'the token belongs to another device' };

export const isSameAddress = (a: string, b: string): boolean => a === b || canonicalAddress(a) === canonicalAddress(b);

/** What was recorded, and shown, must be the same. */
const isOther = (recorded: string, shown: string): boolean => recorded !== '' && shown !== '' && recorded !== shown;

/** Why the token's binding is not met by what this presenter has shown, or null. */
export const bindingProblem = (confirmation: Confirmation, { shown, badProof }: Pick<Presenter, 'shown' | 'badProof'>): Reason | null => {
  if (confirmation.jkt !== '' && badProof !== null) return badProof;
  const problem = unmet(confirmation, shown);
  return problem === null ? null : problem === 'missing' ? MISSING : MISMATCH;
};

export interface Wanted {
  readonly permissions: readonly string[];
  readonly scopes: readonly string[];
}

/** The first few of a list, for a message. */
const some = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

const missingScopes = (scopes: readonly string[] | null, wanted: readonly string[]): readonly string[] =>
  wanted.filter((scope) => scopes === null || !scopeCovers(scopes, scope));

/** Held now, and covered by the token's scopes. What the claims say of permissions is never asked. */
export const holdsNow = (credential: Pick<Credential, 'scopes'>, rights: Pick<LiveRights, 'holds'>, permission: string): boolean =>
  rights.holds(permission) && (credential.scopes === null || scopeAllows(credential.scopes, permission));

/** Why the credential is not good for this use, or null. Allocates nothing when it is. */
export const useProblems = (
  credential: Credential,
  presenter: Presenter,
  wanted: Wanted,
  rights: Pick<LiveRights, 'holds'>,
): readonly Reason[] | null => {
  let problems: Reason[] | null = null;
  const add = (reason: Reason): void => {
    if (problems === null) problems = [reason];
    else problems.push(reason);
  };
  if (credential.confirmation !== null) {
    const problem = bindingProblem(credential.confirmation, presenter);
    if (problem !== null) add(problem);
  }
  if (credential.ipAddress !== '' && !isSameAddress(credential.ipAddress, presenter.address))
    add({ code: 'IP_MISMATCH', message: 'the token is bound to another address' });
  if (isOther(credential.deviceId, presenter.deviceId) || isOther(credential.fingerprint, presenter.fingerprint)) add(OTHER_DEVICE);
  if (wanted.scopes.length > 0) {
    const missing = missingScopes(credential.scopes, wanted.scopes);
    if (missing.length > 0) add({ code: 'SCOPE_MISSING', message: `the credential lacks ${some(missing)}` });
  }
  if (wanted.permissions.length > 0) {
    const missing = wanted.permissions.filter((permission) => !holdsNow(credential, rights, permission));
    if (missing.length > 0) add({ code: 'PERMISSION_MISSING', message: `the subject may not ${some(missing)}` });
  }
  return problems;
};

/** A rough number for each level, so that callers can compare. */
export const riskScore = (level: string): number =>
  level === 'critical' ? 1 : level === 'high' ? 0.8 : level === 'medium' ? 0.5 : level === 'low' ? 0.1 : 0;
