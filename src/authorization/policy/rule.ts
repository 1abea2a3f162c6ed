// A rule or a requirement of a policy as it is kept: what was written, and nothing made of it. What weighs a question is made when the first
// one comes: of ten thousand most are never asked about.
import type { Condition, Schema } from '../condition/condition.ts';
import type { PackedCondition } from '../condition/packed.ts';
import type { Asked } from '../conditional.ts';
import { hoursWords } from '../gate.ts';
import type { Rights } from '../rights.ts';
import type { Ruling } from '../ruling.ts';
import type { Situation } from '../situation.ts';
import type { Window } from '../subject.ts';
import type { Layer, Requirements, Rule } from './document.ts';

/** What one question brings along; `asked` is made where a condition is weighed, and once. */
export interface Questioned {
  readonly rights: Rights;
  readonly situation: Situation;
  readonly asked: () => Asked;
}

/** Rules that ask for nothing beyond rights have no condition to weigh. */
export const UNASKED = (): never => {
  throw new Error('a lasting rule asked for its situation');
};

/** What remains to be weighed of a rule that is about the question: its conditions, and what comes of them. */
export interface Remaining {
  readonly conditions: readonly Condition[];
  readonly schema: Schema;
  readonly met: Ruling;
  readonly unmet: Ruling | null;
}

export interface Weigher {
  /** null: the rule says nothing about it. */
  weigh(questioned: Questioned): Ruling | null;
  /** What it says before its conditions are looked at: the same for every resource. */
  before(questioned: Questioned): Ruling | Remaining | null;
  /** Compiles its conditions, which the first question within its scope would do. */
  prepare(): void;
}

export interface Origin {
  readonly layer: Layer;
  readonly policy: string;
  readonly version: number;
}

interface Kept {
  readonly origin: Origin;
  /** Made by the first question; null: none came yet. */
  weigher: Weigher | null;
}

export interface CompiledRule extends Kept {
  readonly rule: Rule;
  /** Its own and the named ones; null where one of them is not there: it cannot be evaluated. */
  readonly conditions: readonly PackedCondition[] | null;
  readonly schema: Schema;
}

/** They give and take nothing by themselves. */
export interface CompiledRequirements extends Kept {
  readonly requirements: Requirements;
}

export const isRule = (one: CompiledRule | CompiledRequirements): one is CompiledRule => 'rule' in one;

/** `policy:<layer>/<name>@<version>/<rule>`. */
export const nameOfRule = (one: CompiledRule | CompiledRequirements): string => {
  const { layer, policy, version } = one.origin;
  return `policy:${layer}/${policy}@${version}/${isRule(one) ? one.rule.name : 'requirements'}`;
};

/** Neither time nor situation nor resource matters: what it says holds for a permission as such. */
export const isLasting = (one: CompiledRule | CompiledRequirements): boolean => {
  const { timeWindows, environments, workloads } = isRule(one) ? one.rule : one.requirements;
  return timeWindows.length + environments.length + workloads.length === 0 && (!isRule(one) || one.conditions?.length === 0);
};

/** Is it about this subject, in some situation? */
export const concerns = ({ rule: { principals, roles } }: CompiledRule, { subject, groups, roles: held }: Rights): boolean =>
  (principals.length === 0 ||
    principals.includes(`${subject.type}:${subject.id}`) ||
    groups.some((group) => principals.includes(`group:${group}`)) ||
    held.some((role) => principals.includes(`role:${role}`))) &&
  (roles.length === 0 || held.some((role) => roles.includes(role)));

/** The group through which it is about the subject; '' = about it as such. */
export const groupOf = ({ rule: { principals } }: CompiledRule, { subject, groups }: Rights): string =>
  principals.includes(`${subject.type}:${subject.id}`) ? '' : (groups.find((one) => principals.includes(`group:${one}`)) ?? '');

/** Its conditions as written. */
export const sourcesOf = ({ conditions }: CompiledRule): readonly string[] => (conditions ?? []).map(({ source }) => source.trim());

/** What it asks for besides the subject, in words. */
export const asksOf = (compiled: CompiledRule): readonly string[] => {
  const { environments, workloads, timeWindows } = compiled.rule;
  return [
    ...(environments.length === 0 ? [] : [`environment in [${environments.join(', ')}]`]),
    ...(workloads.length === 0 ? [] : [`workload in [${workloads.join(', ')}]`]),
    ...(timeWindows.length === 0 ? [] : [`hours ${hoursWords(timeWindows)}`]),
    ...sourcesOf(compiled),
  ];
};

const outermost = (edges: readonly (number | null)[], most: (...of: number[]) => number): number | null =>
  edges.length === 0 || edges.includes(null) ? null : most(...(edges as number[]));

/** Bounds of all its times. */
export const windowOf = ({ rule: { timeWindows } }: CompiledRule): Window => {
  const from = timeWindows.map(({ notBefore }) => notBefore);
  const until = timeWindows.map(({ notAfter }) => notAfter);
  return { notBefore: outermost(from, Math.min), expiresAt: outermost(until, Math.max) };
};
