// Grants and denies under a condition: weighed when asked. A deny that cannot be evaluated denies; an allow that cannot allows nothing.
import { type Activation, compileCondition, type Condition, type ConditionError, type Meter, type Schema } from './condition/condition.ts';
import type { Question } from './question.ts';
import type { Rights } from './rights.ts';
import { allowedBy, denied, deniedBy, type Ruling, withheld } from './ruling.ts';
import type { Horizon, Situation } from './situation.ts';

/** Steps that all conditions of one question may take together. */
const STEPS = 50_000;

const newMeter = (): Meter => ({ left: STEPS });

/** What the rules of one question read; made once a question, and only where a condition is asked. */
export interface Asked {
  readonly activation: Activation;
  readonly meter: Meter;
  readonly horizon: Horizon | null;
}

export const askedOf = ({ subject, roles, groups, snapshot }: Rights, question: Question, situation: Situation): Asked => ({
  activation: {
    subject: {
      type: subject.type,
      id: subject.id,
      roles,
      groups,
      tenant_id: snapshot.tenantId,
      scopes: situation.scopes,
      session_id: situation.sessionId,
      mfa_verified: situation.mfaVerified,
      auth_method: situation.authMethod || null,
      risk_score: situation.riskScore,
      status: 'active',
    },
    resource: {
      type: question.type,
      id: question.resourceId,
      tenant_id: snapshot.tenantId,
      owner_id: question.ownerId,
      classification: question.classification,
      attributes: situation.resource,
    },
    action: question.action,
    context: situation.context,
    asserted: situation.asserted,
    workload: situation.workload,
    environment: situation.environment,
    now: situation.now,
  },
  meter: newMeter(),
  horizon: situation.horizon,
});

/** null: the condition is not met, and the rule is as if it were not there. */
export interface Weighed {
  weigh(asked: Asked): Ruling | null;
}

const missingOf = ({ attribute }: ConditionError): Partial<Ruling> => (attribute === '' ? {} : { missing: [attribute] });

const errorOnDeny = (rule: string, source: string, error: ConditionError): Ruling =>
  denied('DENIED_CONDITION_ERROR', `${rule} cannot be evaluated, so it denies: ${error.message}`, [rule], {
    conditions: [source],
    ...missingOf(error),
  });

const errorOnAllow = (rule: string, source: string, error: ConditionError): Ruling =>
  withheld('DENIED_CONDITION_ERROR', rule, `its condition cannot be evaluated: ${error.message}`, {
    conditions: [source],
    ...missingOf(error),
  });

/** `rule`: its name in answers. A condition that was stored without its tree cannot be evaluated at all. */
export const compileRule = (
  rule: string,
  effect: 'allow' | 'deny',
  source: string,
  condition: Condition | null,
  schema: Schema,
): Weighed => {
  const deny = effect === 'deny';
  const met = deny ? deniedBy(rule, [source]) : allowedBy(rule, [source]);
  const unmet = deny ? null : withheld('DENIED_CONDITION', rule, 'its condition is not met', { conditions: [source] });
  if (condition === null) {
    const message = 'it was never parsed';
    const lost = deny
      ? denied('DENIED_CONDITION_ERROR', `${rule} cannot be evaluated, so it denies: ${message}`, [rule], { conditions: [source] })
      : withheld('DENIED_CONDITION_ERROR', rule, `its condition cannot be evaluated: ${message}`, { conditions: [source] });
    return { weigh: () => lost };
  }
  const compiled = compileCondition(condition, schema);
  // An error is made once when the condition is compiled, so what it means is put in words once.
  const errors = new WeakMap<ConditionError, Ruling>();
  return {
    weigh({ activation, meter, horizon }) {
      const value = compiled.evaluate(activation, meter);
      if (horizon !== null && condition.usesNow) horizon.until = Math.min(horizon.until, compiled.nextChange(activation));
      if (value === true) return met;
      if (value === false) return unmet;
      const known = errors.get(value) ?? (deny ? errorOnDeny : errorOnAllow)(rule, source, value);
      errors.set(value, known);
      return known;
    },
  };
};
