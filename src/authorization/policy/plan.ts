// What applying policies to a set would do: which come, which go, whether the whole still holds together, and how dangerous it is.
// A thousand may come at once, so whatever looks at all of them yields at each.
import type { PolicyDocument } from './document.ts';
import { layerOf } from './document.ts';
import type { PolicyProblem, ReadPolicy } from './read-policies.ts';
import { allowedBy, allowedThrough, alteredConditions, assess, type Level, type PolicyChange, worst } from './risk.ts';
import { nameOf, type Standing, standingOf, typeIn } from './standing.ts';

export const POLICIES_MAX = 10_000;

/** What is stored of a policy's meaning. */
export interface Body {
  readonly document: PolicyDocument;
  /** Its conditions, typed and packed, by path. */
  readonly trees: Readonly<Record<string, string>>;
}

export interface Coming {
  readonly policy: ReadPolicy;
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
export function* concerns(policies: readonly ReadPolicy[], before: Iterable<PolicyDocument>): Generator<void, ReadonlySet<string>> {
  const names = new Set<string>();
  for (const { standing } of policies) {
    for (const key of [...standing.offers, ...standing.needs]) names.add(nameOf(key));
    yield;
  }
  for (const one of before) {
    for (const key of standingOf(one).offers) names.add(nameOf(key));
    yield;
  }
  return names;
}

/** What the set would lack: conditions nobody offers, or that two offer. `rest`: those that stay and have to do with one of `concerned`. */
export function* lacking(
  policies: readonly ReadPolicy[],
  rest: readonly Standing[],
  concerned: ReadonlySet<string>,
): Generator<void, readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  const offered = new Map<string, string>();
  for (const { offers } of rest) {
    for (const offer of offers) offered.set(nameOf(offer), typeIn(offer));
    yield;
  }
  for (const policy of policies) {
    for (const offer of policy.standing.offers) {
      const name = nameOf(offer);
      if (offered.has(name))
        problems.push(about(policy, `spec.conditions.${name}`, `two policies offer a condition ${name}`, 'give it another name'));
      offered.set(name, typeIn(offer));
    }
    yield;
  }
  const missing = (need: string): string | null => {
    const type = offered.get(nameOf(need));
    if (type === undefined) return `no ConditionSet offers ${nameOf(need)}`;
    return type === '*' || type === typeIn(need) ? null : `${nameOf(need)} is about ${type}, not about ${typeIn(need)}`;
  };
  for (const policy of policies) {
    for (const need of policy.standing.needs) {
      const why = missing(need);
      if (why !== null) problems.push(about(policy, place(policy, need), why, 'correct the name, or add it to a ConditionSet'));
    }
    yield;
  }
  for (const { name, needs } of rest) {
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
    yield;
  }
  return problems;
}

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
export function* leaningOn(
  { policies, before }: Pick<PlanInput, 'policies' | 'before'>,
  rest: readonly Standing[],
): Generator<void, { readonly altered: ReadonlySet<string>; readonly names: readonly string[] }> {
  const altered = yield* alteredConditions(
    [...before.values()].map(({ document }) => document),
    policies.map(({ document }) => document),
  );
  const names =
    altered.size === 0 ? [] : rest.filter(({ needs }) => needs.some((need) => altered.has(nameOf(need)))).map(({ name }) => name);
  return { altered, names };
}

export function* planOf({ policies, deleted, standing, before, installation, leaning }: PlanInput): Generator<void, Plan> {
  const coming: Coming[] = [];
  const replaced: string[] = [];
  const changes: PolicyChange[] = [];
  const allowed = new Set<string>();
  for (const policy of policies) {
    yield;
    const { document } = policy;
    const known = before.get(document.name);
    // What is there already, word for word, is no change.
    if (known?.content === policy.content) continue;
    const old = known?.document ?? null;
    if (old !== null) replaced.push(document.name);
    coming.push({ policy, layer: layerOf(installation, document.about) });
    changes.push(assess(old, document, installation));
    yield;
    for (const permission of allowedBy(old, document)) allowed.add(permission);
  }
  for (const name of deleted) {
    changes.push(assess(before.get(name)?.document ?? null, null, installation));
    yield;
  }
  const { altered } = yield* leaningOn({ policies, before }, []);
  for (const document of altered.size === 0 ? [] : [...leaning, ...policies.map((one) => one.document)]) {
    for (const permission of allowedThrough(altered, document)) allowed.add(permission);
    yield;
  }
  return {
    coming,
    going: [...replaced, ...deleted],
    changes,
    level: worst(changes.map(({ level }) => level)),
    allowed: [...allowed],
    count: standing - replaced.length - deleted.length + coming.length,
  };
}
