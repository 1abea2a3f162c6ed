// A rule or a requirement, compiled: what it says to one question. A deny that cannot be evaluated denies; an allow that cannot allows nothing.
import { type Condition, compileCondition, type ConditionError, type Schema } from '../condition/condition.ts';
import type { Asked } from '../conditional.ts';
import { holdsPattern } from '../holds.ts';
import type { Rights } from '../rights.ts';
import type { Window } from '../subject.ts';
import { allowedBy, denied, type Ruling, withheld } from '../ruling.ts';
import { NOWHERE, type Situation } from '../situation.ts';
import { hoursWords } from '../gate.ts';
import type { Layer, Requirements, Rule } from './document.ts';
import { createTimer } from './window.ts';

/** What one question brings along; `asked` is made where a condition is weighed, and once. */
export interface Questioned {
  readonly rights: Rights;
  readonly situation: Situation;
  readonly asked: () => Asked;
}

/** null: the rule says nothing about it. */
export type Weigh = (questioned: Questioned) => Ruling | null;

/** What remains to be weighed of a rule that is about the question: its conditions, and what comes of them. */
export interface Remaining {
  readonly conditions: readonly Condition[];
  readonly schema: Schema;
  readonly met: Ruling;
  readonly unmet: Ruling | null;
}

export interface CompiledRule {
  /** `policy:<layer>/<name>@<version>/<rule>`. */
  readonly name: string;
  readonly weigh: Weigh;
  /** What it says before its conditions are looked at: the same for every resource. */
  readonly before: (questioned: Questioned) => Ruling | Remaining | null;
  /** Neither time nor situation nor resource matters: what it says holds for a permission as such. */
  readonly lasting: boolean;
  /** As it stands in the document, for whoever tells what somebody may do; null of what gives and takes nothing by itself. */
  readonly told: ToldRule | null;
}

export interface ToldRule {
  /** Is it about this subject, in some situation? */
  concerns(rights: Rights): boolean;
  /** The group through which it is about the subject; '' = about it as such. */
  group(rights: Rights): string;
  /** What it asks for besides, in words. */
  asks(): readonly string[];
  /** Its conditions as written, and the attributes they read. */
  readonly sources: readonly string[];
  readonly reads: readonly string[];
  /** Bounds of all its times. */
  window(): Window;
}

/** Rules that ask for nothing beyond rights have no condition to weigh. */
export const UNASKED = (): never => {
  throw new Error('a lasting rule asked for its situation');
};

export interface Origin {
  readonly layer: Layer;
  readonly policy: string;
  readonly version: number;
}

const ruleName = ({ layer, policy, version }: Origin, rule: string): string => `policy:${layer}/${policy}@${version}/${rule}`;

const overlaps = (wanted: ReadonlySet<string>, held: readonly string[]): boolean => {
  for (const one of held) if (wanted.has(one)) return true;
  return false;
};

const setOf = (names: readonly string[]): ReadonlySet<string> | null => (names.length === 0 ? null : new Set(names));

const includesPrincipal = (principals: ReadonlySet<string>, { subject, groups, roles }: Rights): boolean =>
  principals.has(`${subject.type}:${subject.id}`) ||
  groups.some((group) => principals.has(`group:${group}`)) ||
  roles.some((role) => principals.has(`role:${role}`));

interface Scoped {
  readonly principals: readonly string[];
  readonly roles: readonly string[];
  readonly environments: readonly string[];
  readonly workloads: readonly string[];
}

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
  const compiled = conditions.map((condition) => ({ condition, ...compileCondition(condition, schema) }));
  return ({ asked }) => {
    const { activation, meter, horizon } = asked();
    let error: ConditionError | null = null;
    for (const { condition, evaluate, nextChange } of compiled) {
      const value = evaluate(activation, meter);
      if (horizon !== null && condition.usesNow) horizon.until = Math.min(horizon.until, nextChange(activation));
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

const scopeWords = ({ environments, workloads, timeWindows }: Rule): readonly string[] => [
  ...(environments.length === 0 ? [] : [`environment in [${environments.join(', ')}]`]),
  ...(workloads.length === 0 ? [] : [`workload in [${workloads.join(', ')}]`]),
  ...(timeWindows.length === 0 ? [] : [`hours ${hoursWords(timeWindows)}`]),
];

const outermost = (edges: readonly (number | null)[], most: (...of: number[]) => number): number | null =>
  edges.length === 0 || edges.includes(null) ? null : most(...(edges as number[]));

const toldOf = (rule: Rule, sources: readonly string[], reads: readonly string[]): ToldRule => {
  const concerns = scopeOf({ ...rule, environments: [], workloads: [] }, false);
  return {
    concerns: (rights) => concerns({ rights, situation: NOWHERE, asked: UNASKED }),
    group: ({ subject, groups }) =>
      rule.principals.includes(`${subject.type}:${subject.id}`)
        ? ''
        : (groups.find((one) => rule.principals.includes(`group:${one}`)) ?? ''),
    asks: () => [...scopeWords(rule), ...sources],
    sources,
    reads,
    window: () => ({
      notBefore: outermost(
        rule.timeWindows.map(({ notBefore }) => notBefore),
        Math.min,
      ),
      expiresAt: outermost(
        rule.timeWindows.map(({ notAfter }) => notAfter),
        Math.max,
      ),
    }),
  };
};

/** `conditions`: its own and the named ones; null where one of them has no tree, so that nothing can be evaluated. */
export const compileRule = (rule: Rule, origin: Origin, conditions: readonly Condition[] | null, schema: Schema): CompiledRule => {
  const name = ruleName(origin, rule.name);
  const deny = rule.effect === 'deny';
  const inScope = scopeOf(rule, deny);
  const timer = createTimer(rule.timeWindows);
  const sources = (conditions ?? []).map(({ source }) => source.trim());
  const words = rule.reason === '' ? '' : `: ${rule.reason}`;
  const more: Partial<Ruling> = {
    ...(sources.length === 0 ? {} : { conditions: sources }),
    ...(rule.obligations.length === 0 ? {} : { obligations: rule.obligations }),
  };
  const met = deny
    ? denied('DENIED_EXPLICIT', `denied by ${name}${words}`, [name], more)
    : { ...allowedBy(name, sources), ...(rule.obligations.length === 0 ? {} : { obligations: rule.obligations }) };
  const early = deny ? null : withheld('DENIED_TIME_WINDOW', name, 'it is not the time');
  const unmet = deny ? null : withheld('DENIED_CONDITION', name, `its condition is not met${words}`, more);
  const failed = errorRulings((error) =>
    deny
      ? denied('DENIED_CONDITION_ERROR', `${name} cannot be evaluated, so it denies: ${error.message}`, [name], {
          ...more,
          ...missingOf(error),
        })
      : withheld('DENIED_CONDITION_ERROR', name, `its condition cannot be evaluated: ${error.message}`, { ...more, ...missingOf(error) }),
  );
  const lost = deny
    ? denied('DENIED_CONDITION_ERROR', `${name} cannot be evaluated, so it denies: a condition it needs is not there`, [name])
    : withheld('DENIED_CONDITION_ERROR', name, 'a condition it needs is not there');
  const test = conditions === null || conditions.length === 0 ? null : testOf(conditions, schema);

  const remaining: Remaining = { conditions: conditions ?? [], schema, met, unmet };

  const before = (questioned: Questioned): Ruling | Remaining | null => {
    if (!inScope(questioned)) return null;
    const { now, horizon } = questioned.situation;
    if (timer !== null && !timer.open(now, horizon)) return early;
    if (conditions === null) return lost;
    return test === null ? met : remaining;
  };

  return {
    name,
    lasting: timer === null && test === null && conditions !== null && rule.environments.length + rule.workloads.length === 0,
    told: toldOf(rule, sources, [...new Set((conditions ?? []).flatMap(({ attributes }) => attributes))]),
    before,
    weigh(questioned) {
      const said = before(questioned);
      if (said !== remaining || test === null) return said as Ruling | null;
      const value = test(questioned);
      return value === true ? met : value === false ? unmet : failed(value);
    },
  };
};

/** null: met, or not about it. Weighed only where something allows: a second factor is asked of nobody who gains nothing by it. */
export const compileRequirements = (requirements: Requirements, origin: Origin): CompiledRule => {
  const name = ruleName(origin, 'requirements');
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
  const weigh: Weigh = (questioned) => {
    if (!inScope(questioned)) return null;
    const { rights, situation } = questioned;
    if (roles !== null && !overlaps(roles, rights.roles)) return noRole;
    for (const [permission, ruling] of noPermission) if (!holdsPattern(rights.index, permission, situation, true)) return ruling;
    if (timer !== null && !timer.open(situation.now, situation.horizon)) return early;
    return mfa && !situation.mfaVerified ? noFactor : null;
  };
  const lasting = timer === null && requirements.environments.length + requirements.workloads.length === 0;
  return { name, lasting, before: weigh, weigh, told: null };
};

/** Whether a requirement's obligations go with an answer about this question. */
export const compileScope = (requirements: Requirements): ((questioned: Questioned) => boolean) =>
  scopeOf({ ...requirements, principals: [], roles: [] }, true);
