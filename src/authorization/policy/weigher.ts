// What weighs questions for a rule or a requirement: its scope, its rulings, its conditions. A deny that cannot be evaluated denies; an
// allow that cannot allows nothing.
import { type Condition, compileCondition, type ConditionError, type Schema } from '../condition/condition.ts';
import { unpackCondition } from '../condition/packed.ts';
import { holdsPattern } from '../holds.ts';
import type { Rights } from '../rights.ts';
import { allowedBy, denied, type Ruling, withheld } from '../ruling.ts';
import type { Requirements, Rule } from './document.ts';
import {
  type CompiledRequirements,
  type CompiledRule,
  isRule,
  nameOfRule,
  type Questioned,
  type Remaining,
  sourcesOf,
  type Weigher,
} from './rule.ts';
import { createTimer } from './window.ts';

const overlaps = (wanted: ReadonlySet<string>, held: readonly string[]): boolean => {
  for (const one of held) if (wanted.has(one)) return true;
  return false;
};

const setOf = (names: readonly string[]): ReadonlySet<string> | null => (names.length === 0 ? null : new Set(names));

const includesPrincipal = (principals: ReadonlySet<string>, { subject, groups, roles }: Rights): boolean =>
  principals.has(`${subject.type}:${subject.id}`) ||
  groups.some((group) => principals.has(`group:${group}`)) ||
  roles.some((role) => principals.has(`role:${role}`));

type Scoped = Pick<Rule, 'principals' | 'roles' | 'environments' | 'workloads'>;

/** What takes away goes by what was said of place and purpose, too; what gives, only by what is believed. */
const scopeOf = (scoped: Scoped, takes: boolean): ((questioned: Questioned) => boolean) => {
  const [principals, roles] = [setOf(scoped.principals), setOf(scoped.roles)];
  const [environments, workloads] = [setOf(scoped.environments), setOf(scoped.workloads)];
  return ({ rights, situation }) =>
    (principals === null || includesPrincipal(principals, rights)) &&
    (roles === null || overlaps(roles, rights.roles)) &&
    (environments === null || environments.has(situation.environment) || (takes && environments.has(situation.saidEnvironment))) &&
    (workloads === null || workloads.has(situation.workload) || (takes && workloads.has(situation.saidWorkload)));
};

/** All of them together: false as soon as one is, else what one could not say, else true. */
type Test = (questioned: Questioned) => boolean | ConditionError;

const testOf = (conditions: readonly Condition[], schema: Schema): Test => {
  const compiled = conditions.map((condition) => ({ usesNow: condition.usesNow, ...compileCondition(condition, schema) }));
  return ({ asked }) => {
    const { activation, meter, horizon } = asked();
    let error: ConditionError | null = null;
    for (const { usesNow, evaluate, nextChange } of compiled) {
      const value = evaluate(activation, meter);
      if (horizon !== null && usesNow) horizon.until = Math.min(horizon.until, nextChange(activation));
      if (value === false) return false;
      if (value !== true) error ??= value;
    }
    return error ?? true;
  };
};

const missingOf = ({ attribute }: ConditionError): Partial<Ruling> => (attribute === '' ? {} : { missing: [attribute] });

/** An error is made once, when its condition is compiled; so is what it means. */
const errorRulings = (make: (error: ConditionError) => Ruling): ((error: ConditionError) => Ruling) => {
  const known = new WeakMap<ConditionError, Ruling>();
  return (error) => {
    const found = known.get(error) ?? make(error);
    known.set(error, found);
    return found;
  };
};

const rulingsOf = (rule: Rule, name: string, sources: readonly string[]) => {
  const deny = rule.effect === 'deny';
  const words = rule.reason === '' ? '' : `: ${rule.reason}`;
  const obligations = rule.obligations.length === 0 ? {} : { obligations: rule.obligations };
  const more: Partial<Ruling> = { ...(sources.length === 0 ? {} : { conditions: sources }), ...obligations };
  const unevaluable = (why: string, besides: Partial<Ruling> = {}): Ruling =>
    deny
      ? denied('DENIED_CONDITION_ERROR', `${name} cannot be evaluated, so it denies: ${why}`, [name], besides)
      : withheld('DENIED_CONDITION_ERROR', name, why, besides);
  return {
    met: deny ? denied('DENIED_EXPLICIT', `denied by ${name}${words}`, [name], more) : { ...allowedBy(name, sources), ...obligations },
    early: deny ? null : withheld('DENIED_TIME_WINDOW', name, 'it is not the time'),
    unmet: deny ? null : withheld('DENIED_CONDITION', name, `its condition is not met${words}`, more),
    failed: errorRulings((error) =>
      unevaluable(deny ? error.message : `its condition cannot be evaluated: ${error.message}`, { ...more, ...missingOf(error) }),
    ),
    lost: () => unevaluable('a condition it needs is not there'),
  };
};

/** null where one of them is not there, or does not read, or what is made of them does not compile: all that comes to the same. */
const made = <T>(conditions: CompiledRule['conditions'], make: (conditions: readonly Condition[]) => T): T | null => {
  if (conditions === null) return null;
  try {
    return make(conditions.map(unpackCondition));
  } catch {
    return null;
  }
};

/** Attributes that its conditions read. */
export const readsOf = ({ conditions }: CompiledRule): readonly string[] =>
  made(conditions, (all) => [...new Set(all.flatMap(({ attributes }) => attributes))]) ?? [];

/** What its conditions make of a question that it is about. */
type Conclude = (questioned: Questioned) => Ruling | null;

/** Conditions are compiled when the first question comes within the rule's scope; their trees are kept where rows are asked about. */
const makeRule = (compiled: CompiledRule): Weigher => {
  const { rule, conditions, schema } = compiled;
  const inScope = scopeOf(rule, rule.effect === 'deny');
  const timer = createTimer(rule.timeWindows);
  const { met, early, unmet, failed, lost } = rulingsOf(rule, nameOfRule(compiled), sourcesOf(compiled));

  const conclusion = (): Conclude => {
    const test = made(conditions, (all) => testOf(all, schema));
    if (test === null) {
      const missing = lost();
      return () => missing;
    }
    return (questioned) => {
      const value = test(questioned);
      return value === true ? met : value === false ? unmet : failed(value);
    };
  };
  const unconditional = conditions?.length === 0;
  let conclude: Conclude | null = unconditional ? () => met : null;
  let rest: Ruling | Remaining | null = unconditional ? met : null;

  return {
    weigh(questioned) {
      if (!inScope(questioned)) return null;
      const { now, horizon } = questioned.situation;
      if (timer !== null && !timer.open(now, horizon)) return early;
      return (conclude ??= conclusion())(questioned);
    },
    before(questioned) {
      if (!inScope(questioned)) return null;
      const { now, horizon } = questioned.situation;
      if (timer !== null && !timer.open(now, horizon)) return early;
      return (rest ??= made(conditions, (all): Remaining => ({ conditions: all, schema, met, unmet })) ?? lost());
    },
    prepare() {
      conclude ??= conclusion();
    },
  };
};

/** null: met, or not about it. Weighed only where something allows: a second factor is asked of nobody who gains nothing by it. */
const makeRequirements = (compiled: CompiledRequirements): Weigher => {
  const { requirements } = compiled;
  const name = nameOfRule(compiled);
  const { permissions, mfa, timeWindows } = requirements;
  const inScope = scopeOf({ ...requirements, principals: [], roles: [] }, true);
  const roles = setOf(requirements.roles);
  const timer = createTimer(timeWindows);
  const failed = (code: string, words: string, more: Partial<Ruling> = {}): Ruling =>
    denied(code, `${name} asks for more: ${words}`, [name], more);
  const noRole = failed('DENIED_CONDITION', `one of the roles ${requirements.roles.join(', ')}`);
  const noPermission = new Map(permissions.map((permission) => [permission, failed('DENIED_CONDITION', `the permission ${permission}`)]));
  const early = failed('DENIED_TIME_WINDOW', 'it is not the time');
  const noFactor = failed('MFA_REQUIRED', 'a second factor', { stepUp: true });
  const weighOne = (questioned: Questioned): Ruling | null => {
    if (!inScope(questioned)) return null;
    const { rights, situation } = questioned;
    if (roles !== null && !overlaps(roles, rights.roles)) return noRole;
    for (const [permission, ruling] of noPermission) if (!holdsPattern(rights.index, permission, situation, true)) return ruling;
    if (timer !== null && !timer.open(situation.now, situation.horizon)) return early;
    return mfa && !situation.mfaVerified ? noFactor : null;
  };
  return { weigh: weighOne, before: weighOne, prepare: () => {} };
};

/** Whether a requirement's obligations go with an answer about this question. */
export const compileScope = (requirements: Requirements): ((questioned: Questioned) => boolean) =>
  scopeOf({ ...requirements, principals: [], roles: [] }, true);

const weigherOf = (one: CompiledRule | CompiledRequirements): Weigher =>
  (one.weigher ??= isRule(one) ? makeRule(one) : makeRequirements(one));

/** What it says to a question; null: nothing. */
export const weigh = (one: CompiledRule | CompiledRequirements, questioned: Questioned): Ruling | null => weigherOf(one).weigh(questioned);

export const weighBefore = (rule: CompiledRule, questioned: Questioned): Ruling | Remaining | null => weigherOf(rule).before(questioned);

/** Makes all of it before anybody asks: where one question may find more that is not made than it has time for. */
export const prepare = (rule: CompiledRule): void => weigherOf(rule).prepare();
