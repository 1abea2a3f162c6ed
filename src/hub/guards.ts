// What guards the use of a user's tokens now: the hours, the second factor, the device, what is outdated. Made once for many tokens;
// null where nothing does, so that a tenant without limits pays one test.
import { type AccessWindow, type WindowState, windowState } from '../base/access-window.ts';
import { canonicalJson } from '../base/canonical.ts';
import type { SecondFactor } from '../base/caller.ts';
import { CARRIED, type Constraints, createMatcher, NO_RESTRICTIONS, type Restrictions, restrictionsOf } from '../base/constraints.ts';
import type { Instant } from '../base/time.ts';
import type { TenantPolicy } from '../identity/identity.ts';
import type { Reason } from './verdict.ts';

/** What the tenant and the account say; absent or null = nothing. */
export interface Limited {
  readonly constraints?: Constraints | null;
  readonly policy?: TenantPolicy | null;
}

export interface Guards {
  /** Of every group one window must be open. */
  readonly windows: readonly (readonly AccessWindow[])[];
  readonly factor: SecondFactor | null;
  /** Only whoever shows the token's device may use it. */
  readonly device: boolean;
  readonly outdated: readonly Reason[];
  readonly outdatedBlocks: boolean;
  readonly policy: TenantPolicy | null;
}

export const OUTSIDE: Reason = { code: 'OUTSIDE_ACCESS_WINDOW', message: 'outside the hours in which it may be used' };
export const MFA_REQUIRED: Reason = { code: 'MFA_REQUIRED', message: 'a second factor is needed for this: log in with one' };
const CONSENT: Reason = { code: 'CONSENT_OUTDATED', message: 'the subject has not given the consent that its tenant asks for' };
const COMPLIANCE: Reason = {
  code: 'COMPLIANCE_OUTDATED',
  message: 'the token was issued before its compliance flags or data residency changed: refresh it',
};

const outdatedOf = (claims: Restrictions | null | undefined, live: Restrictions, tenant: Limited): readonly Reason[] => {
  const found: Reason[] = [];
  const asked = tenant.constraints?.consentVersion ?? '';
  if (asked !== '' && live.consentVersion !== asked) found.push(CONSENT);
  if (claims === undefined) return found;
  const said = claims ?? NO_RESTRICTIONS;
  const flags = live.complianceFlags.slice(0, CARRIED).every((flag) => said.complianceFlags.includes(flag));
  if (!flags || said.dataResidency !== live.dataResidency) found.push(COMPLIANCE);
  return found;
};

const make = (claims: Restrictions | null | undefined, tenant: Limited, roles: readonly Constraints[], user: Limited): Guards | null => {
  const policy = tenant.policy ?? null;
  const live = restrictionsOf(tenant.constraints ?? null, roles, user.constraints ?? null) ?? NO_RESTRICTIONS;
  // A token's own groups are mostly those that hold now: the same ones once.
  const known = new Set(live.windows.map((group) => canonicalJson(group)));
  const windows = [...live.windows, ...(claims?.windows ?? []).filter((group) => !known.has(canonicalJson(group)))];
  const patterns = [...new Set([...live.requireMfaFor, ...(claims?.requireMfaFor ?? [])])];
  const outdated = outdatedOf(claims, live, tenant);
  const device = policy?.bindDevice === 'always';
  if (windows.length + patterns.length + outdated.length === 0 && policy === null) return null;
  return {
    windows,
    factor:
      patterns.length === 0
        ? null
        : { neededFor: createMatcher(patterns), methods: policy?.mfaMethods ?? [], maxAge: policy?.mfaMaxAge ?? 0 },
    device,
    outdated,
    outdatedBlocks: policy?.onOutdated === 'block',
    policy,
  };
};

interface Made {
  readonly roles: readonly Constraints[];
  readonly user: Constraints | null;
  readonly guards: Guards | null;
}

/** Combinations of one tenant and one set of claims that are remembered. */
const KEPT = 64;
const kept = new WeakMap<Limited, WeakMap<object, Made[]>>();
const UNCLAIMED = {};

/**
 * `claims`: what the token itself says, undefined where there is none. The same object as long as the same things are said:
 * what the caches of tenants, users and roles answer are the same objects until something changes.
 */
export const guardsOf = (
  claims: Restrictions | null | undefined,
  tenant: Limited,
  roles: readonly Constraints[],
  user: Limited,
): Guards | null => {
  const own = user.constraints ?? null;
  if (!claims && !tenant.constraints && !tenant.policy && own === null && roles.length === 0) return null;
  let byClaims = kept.get(tenant);
  if (byClaims === undefined) kept.set(tenant, (byClaims = new WeakMap()));
  const key = claims === undefined ? UNCLAIMED : (claims ?? NO_RESTRICTIONS);
  let list = byClaims.get(key);
  if (list === undefined) byClaims.set(key, (list = []));
  const found = list.find((one) => one.roles === roles && one.user === own);
  if (found !== undefined) return found.guards;
  const guards = make(claims, tenant, roles, user);
  if (list.length >= KEPT) list.shift();
  list.push({ roles, user: own, guards });
  return guards;
};

interface Known extends WindowState {
  readonly from: Instant;
}
const states = new WeakMap<readonly AccessWindow[], Known>();

/** Worked out once from edge to edge. */
const stateOf = (group: readonly AccessWindow[], now: Instant): WindowState => {
  const known = states.get(group);
  if (known !== undefined && known.from <= now && now < known.until) return known;
  const state = { ...windowState(group, now), from: now };
  states.set(group, state);
  return state;
};

/** Open when one window of every group is; until the first edge of any. */
export const hours = ({ windows }: Pick<Guards, 'windows'>, now: Instant): WindowState => {
  let open = true;
  let until = Number.POSITIVE_INFINITY;
  for (const group of windows) {
    const state = stateOf(group, now);
    if (!state.open) open = false;
    if (state.until < until) until = state.until;
  }
  return { open, until };
};

/** How a session has proved itself. */
export interface Proved {
  readonly mfaVerified: boolean;
  readonly authTime: Instant;
}

/** Until when a second factor counts that was shown at the login; 0 where none was. */
export const provedUntil = ({ mfaVerified, authTime }: Proved, { maxAge }: Pick<SecondFactor, 'maxAge'>): Instant =>
  !mfaVerified ? 0 : maxAge === 0 ? Number.POSITIVE_INFINITY : authTime + maxAge;

/** The factor that the session lacks now, null where it lacks none. */
export const lackingFactor = (guards: Pick<Guards, 'factor'>, proved: Proved, now: Instant): SecondFactor | null =>
  guards.factor !== null && now >= provedUntil(proved, guards.factor) ? guards.factor : null;
