// What applying policies to a set would do: which come, which go, whether the whole still holds together, and how dangerous it is.
import type { PolicyDocument } from './document.ts';
import { layerOf } from './document.ts';
import type { Condition } from '../condition/condition.ts';
import type { PolicyProblem, ReadPolicy } from './read-policies.ts';
import { allowedBy, allowedThrough, alteredConditions, assess, type Level, type PolicyChange, worst } from './risk.ts';

export const POLICIES_MAX = 10_000;

/** A policy of the active set, as far as others depend on it. */
export interface Standing {
  readonly name: string;
  /** Names of conditions it offers and needs, `<name>:<resource type>`. */
  readonly offers: readonly string[];
  readonly needs: readonly string[];
}

/** What is stored of a policy's meaning. */
export interface Body {
  readonly document: PolicyDocument;
  readonly conditions: Readonly<Record<string, Condition>>;
}

export interface Coming {
  readonly policy: ReadPolicy;
  readonly standing: Standing;
  readonly layer: string;
}

export interface Plan {
  readonly coming: readonly Coming[];
  /** Replaced and deleted ones: both leave. */
  readonly going: readonly string[];
  readonly changes: readonly PolicyChange[];
  readonly level: Level;
  /** Permissions that are newly allowed: whoever applies it must hold them. */
  readonly allowed: readonly string[];
  /** How many there are afterwards. */
  readonly count: number;
}

const standingOf = (document: PolicyDocument): Standing => ({
  name: document.name,
  offers: Object.keys(document.named).map((name) => `${name}:${document.about}`),
  needs: [...new Set(document.rules.flatMap((rule) => rule.conditions.map((name) => `${name}:${rule.resource}`)))],
});

const nameOf = (key: string): string => key.slice(0, key.indexOf(':'));
const typeIn = (key: string): string => key.slice(key.indexOf(':') + 1);

const about = (policy: ReadPolicy, path: string, message: string, next: string): PolicyProblem => {
  const { line, column } = policy.places.get(path) ?? policy.places.get('metadata.name') ?? { line: 1, column: 1 };
  return { source: policy.source, document: policy.number, line, column, field: path.replace(/=.*/, ''), message, next };
};

/** Names that stand twice among the given ones. */
export const repeated = (policies: readonly ReadPolicy[]): readonly PolicyProblem[] => {
  const first = new Map(policies.toReversed().map((policy) => [policy.document.name, policy]));
  return policies
    .filter((policy) => first.get(policy.document.name) !== policy)
    .map((policy) => about(policy, 'metadata.name', `two policies are named ${policy.document.name}`, 'give each its own name'));
};

const place = (policy: ReadPolicy, need: string): string => {
  const index = policy.document.rules.findIndex((rule) => rule.conditions.includes(nameOf(need)));
  return `spec.rules[${index}].conditions=${nameOf(need)}`;
};

/** Names of the conditions that a change has to do with: others hold together as they did. */
export const concerns = (policies: readonly ReadPolicy[], before: Iterable<PolicyDocument>): ReadonlySet<string> => {
  const coming = policies.map(({ document }) => standingOf(document));
  const keys = [...coming.flatMap(({ offers, needs }) => [...offers, ...needs]), ...[...before].flatMap((one) => standingOf(one).offers)];
  return new Set(keys.map(nameOf));
};

/** What the set would lack: conditions nobody offers, or that two offer. `rest`: those that stay and have to do with one of `concerned`. */
export const lacking = (
  policies: readonly ReadPolicy[],
  rest: readonly Standing[],
  concerned: ReadonlySet<string>,
): readonly PolicyProblem[] => {
  const problems: PolicyProblem[] = [];
  const offered = new Map<string, string>();
  for (const offer of rest.flatMap(({ offers }) => offers)) offered.set(nameOf(offer), typeIn(offer));
  for (const policy of policies)
    for (const offer of standingOf(policy.document).offers) {
      const name = nameOf(offer);
      if (offered.has(name))
        problems.push(about(policy, `spec.conditions.${name}`, `two policies offer a condition ${name}`, 'give it another name'));
      offered.set(name, typeIn(offer));
    }
  const missing = (need: string): string | null => {
    const type = offered.get(nameOf(need));
    if (type === undefined) return `no ConditionSet offers ${nameOf(need)}`;
    return type === '*' || type === typeIn(need) ? null : `${nameOf(need)} is about ${type}, not about ${typeIn(need)}`;
  };
  for (const policy of policies)
    for (const need of standingOf(policy.document).needs) {
      const why = missing(need);
      if (why !== null) problems.push(about(policy, place(policy, need), why, 'correct the name, or add it to a ConditionSet'));
    }
  for (const { name, needs } of rest)
    for (const need of needs) {
      const why = concerned.has(nameOf(need)) ? missing(need) : null;
      if (why !== null)
        problems.push({
          source: '',
          document: 0,
          line: 0,
          column: 0,
          field: name,
          message: `${name}: ${why}`,
          next: 'change or delete that policy as well',
        });
    }
  return problems;
};

export interface PlanInput {
  readonly policies: readonly ReadPolicy[];
  /** Named to go, and there. */
  readonly deleted: readonly string[];
  /** How many there are now. */
  readonly standing: number;
  /** Active ones that are replaced or deleted. */
  readonly before: ReadonlyMap<string, { readonly content: string; readonly document: PolicyDocument }>;
  readonly installation: boolean;
  /** Active ones that stay as they are, but lean on a condition that changes. */
  readonly leaning: readonly PolicyDocument[];
}

/** Named conditions that the change alters, and who among those that stay leans on one. */
export const leaningOn = (
  { policies, before }: Pick<PlanInput, 'policies' | 'before'>,
  rest: readonly Standing[],
): { readonly altered: ReadonlySet<string>; readonly names: readonly string[] } => {
  const altered = alteredConditions(
    [...before.values()].map(({ document }) => document),
    policies.map(({ document }) => document),
  );
  const names =
    altered.size === 0 ? [] : rest.filter(({ needs }) => needs.some((need) => altered.has(nameOf(need)))).map(({ name }) => name);
  return { altered, names };
};

export const planOf = ({ policies, deleted, standing, before, installation, leaning }: PlanInput): Plan => {
  // What is there already, word for word, is no change.
  const fresh = policies.filter((policy) => before.get(policy.document.name)?.content !== policy.content);
  const changes = [
    ...fresh.map(({ document }) => assess(before.get(document.name)?.document ?? null, document, installation)),
    ...deleted.map((name) => assess(before.get(name)?.document ?? null, null, installation)),
  ];
  const replaced = fresh.map(({ document }) => document.name).filter((name) => before.has(name));
  return {
    coming: fresh.map((policy) => ({
      policy,
      standing: standingOf(policy.document),
      layer: layerOf(installation, policy.document.about),
    })),
    going: [...replaced, ...deleted],
    changes,
    level: worst(changes.map(({ level }) => level)),
    allowed: [
      ...new Set([
        ...fresh.flatMap(({ document }) => allowedBy(before.get(document.name)?.document ?? null, document)),
        ...allowedThrough(leaningOn({ policies, before }, []).altered, [...leaning, ...policies.map(({ document }) => document)]),
      ]),
    ],
    count: standing - replaced.length - deleted.length + fresh.length,
  };
};
