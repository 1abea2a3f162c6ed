// What stands between a principal's rights and a decision about it: the hours of its account, and all that ValidateToken would have
// against its token beyond shape and binding; above all a second factor that its session lacks.
import type { Question, Rights, Ruling, Step } from '../authorization/authorization.ts';
import type { SecondFactor } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import type { StepUp } from '../gen/securityhub/v1/token.ts';
import { guardsOf, hours, lackingFactor, type Limited, MFA_REQUIRED, OUTSIDE } from './guards.ts';
import type { Presenter, Reason } from './verdict.ts';
import { type SessionToken, stepUpOf, weighUse } from './weigh-use.ts';

/** Where a principal's limits are written. */
export interface Ground {
  readonly tenant: Limited;
  readonly user: Limited;
  /** The token it came with, and who showed it; null = it came without one, and nothing is known of its session. */
  readonly shown: { readonly token: SessionToken; readonly presenter: Presenter } | null;
}

export interface Gate {
  /** What nothing can overcome for now; null = nothing. */
  readonly refusal: Ruling | null;
  readonly factor: SecondFactor | null;
  /** When this may be otherwise. */
  readonly until: Instant;
}

const rulingOf = ({ code, message }: Reason, more: Partial<Ruling> = {}): Ruling =>
  Object.freeze({ allowed: false, code, reason: message, rules: Object.freeze([]), ...more });
const CLOSED = rulingOf(OUTSIDE);
const STEP_UP = rulingOf(MFA_REQUIRED, { stepUp: true });
/** Of a rule that asks for a second factor, whichever. */
export const ANY_FACTOR: StepUp = { acrValues: ['aal2'], methods: [], maxAge: undefined };

/** Whatever rights say, the answer is no. */
export const isClosed = (gate: Gate | null): boolean => gate !== null && (gate.refusal !== null || gate.factor !== null);

/** null where nothing stands in the way. */
export const gateOf = ({ tenant, user, shown }: Ground, { constraints }: Pick<Rights, 'constraints'>, now: Instant): Gate | null => {
  const guards = guardsOf(shown === null ? undefined : shown.token.restrictions, tenant, constraints, user);
  if (guards === null) return null;
  if (shown === null) {
    const { open, until } = hours(guards, now);
    return { refusal: open ? null : CLOSED, factor: null, until };
  }
  const { problems, until } = weighUse(guards, shown.token, shown.presenter, [], now);
  const [problem] = problems;
  return { refusal: problem === undefined ? null : rulingOf(problem), factor: lackingFactor(guards, shown.token, now), until };
};

/** A caller's own gate: its hours were looked at when it came. */
export const ownGate = (factor: SecondFactor | undefined): Gate | null =>
  factor === undefined ? null : { refusal: null, factor, until: Number.POSITIVE_INFINITY };

/** What is denied stays denied; what is allowed may have to wait for the hour, or for a better proof. */
export const through = (gate: Gate | null, ruling: Ruling, { type, action }: Pick<Question, 'type' | 'action'>): Ruling => {
  if (gate === null) return ruling;
  if (gate.refusal !== null) return gate.refusal;
  return ruling.allowed && gate.factor?.neededFor(`${type}:${action}`) === true ? STEP_UP : ruling;
};

/** For whoever wants to know how the decision came about: what stood before the rights, and whether it was in the way. */
export const gateSteps = (gate: Gate | null, { type, action }: Pick<Question, 'type' | 'action'>): readonly Step[] => {
  if (gate === null) return [];
  const step = (rule: string, matched: boolean, detail: string): Step => ({ kind: 'policy', rule, effect: 'deny', matched, detail });
  return [
    step('constraints', gate.refusal !== null, gate.refusal?.reason ?? 'the limits of tenant, roles and account let it through'),
    ...(gate.factor === null
      ? []
      : [step('require_mfa_for', gate.factor.neededFor(`${type}:${action}`), 'the session has no second factor')]),
  ];
};

export const stepUpAt = (gate: Gate | null, ruling: Ruling): StepUp | undefined => {
  if (ruling.stepUp !== true) return undefined;
  return gate !== null && gate.factor !== null ? stepUpOf(gate.factor) : ANY_FACTOR;
};
