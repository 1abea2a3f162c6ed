// Policies by what they speak of: resource type, action, and whom. Immutable; a change copies what it touches and shares the rest.
import type { Condition, Schema } from '../condition/condition.ts';
import { type Layer, layerOf, type Mask, type PolicyDocument, type Requirements, type Rule } from './document.ts';
import { type CompiledRule, compileRequirements, compileRule, compileScope, type Origin, type Questioned } from './rule.ts';

/** Rules for everybody, and rules that only some subjects or environments need to look at; null where there are none. */
export interface Bucket<T> {
  readonly any: readonly T[];
  /** By `<type>:<id>` of a principal, `role:<name>`, `group:<name>`. */
  readonly by: ReadonlyMap<string, readonly T[]> | null;
  /** By the name of an environment. */
  readonly at: ReadonlyMap<string, readonly T[]> | null;
}

export interface Obligation {
  readonly names: readonly string[];
  readonly inScope: (questioned: Questioned) => boolean;
}

export interface CompiledMask {
  readonly mask: Mask;
  readonly rule: string;
  readonly condition: Condition | null;
}

export interface Cell {
  readonly denies: Bucket<CompiledRule>;
  readonly allows: Bucket<CompiledRule>;
  readonly requires: Bucket<CompiledRule>;
  readonly obliges: Bucket<Obligation>;
  readonly masks: readonly CompiledMask[];
}

/** Where a rule is looked for: under whom it names, so that others never see it. */
type Place = { readonly under: 'any' } | { readonly under: 'by' | 'at'; readonly keys: readonly string[] };

type Part = 'denies' | 'allows' | 'requires' | 'obliges';
type Placed = {
  readonly type: string;
  readonly actions: readonly string[];
  readonly place: Place;
} & (
  | { readonly part: 'denies' | 'allows' | 'requires'; readonly item: CompiledRule }
  | { readonly part: 'obliges'; readonly item: Obligation }
);

/** What one policy puts into the index; kept so that it can be taken out again. */
export interface CompiledPolicy {
  readonly name: string;
  readonly version: number;
  readonly placed: readonly Placed[];
  readonly pairs: readonly (Paired & { readonly roles: readonly string[] })[];
  readonly masks: readonly CompiledMask[];
  readonly classification: { readonly type: string; readonly level: string } | null;
  /** Types whose attributes its rules were compiled for. */
  readonly types: readonly string[];
  /** It has conditions that are compiled into the rules of others. */
  readonly offers: boolean;
}

export interface PolicyIndex {
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, Cell>>;
  /** What resources of a type count as at least, policy by policy. */
  readonly classes: ReadonlyMap<string, readonly string[]>;
  /** Allowing rules by a role that their principals need besides: for whoever asks what a role would give, not for checks. */
  readonly pairs: ReadonlyMap<string, readonly Paired[]>;
  readonly size: number;
}

export interface Paired {
  readonly principals: readonly string[];
  /** `<type>:<action>`. */
  readonly permissions: readonly string[];
}

export const EMPTY_INDEX: PolicyIndex = { cells: new Map(), classes: new Map(), pairs: new Map(), size: 0 };

const placeOf = ({ principals, roles, environments }: Pick<Rule, 'principals' | 'roles' | 'environments'>): Place => {
  if (principals.length > 0) return { under: 'by', keys: principals };
  if (roles.length > 0) return { under: 'by', keys: roles.map((role) => `role:${role}`) };
  return environments.length > 0 ? { under: 'at', keys: environments } : { under: 'any' };
};

export interface PolicySource {
  readonly name: string;
  readonly version: number;
  readonly document: PolicyDocument;
  readonly conditions: Readonly<Record<string, Condition>>;
}

export interface CompileWorld {
  readonly installation: boolean;
  schema(type: string): Schema;
  /** A condition of a ConditionSet. */
  named(name: string): Condition | undefined;
}

const placeRequirements = (requirements: Requirements, origin: Origin): readonly Placed[] => {
  const { resource: type, actions, obligations, permissions, roles, mfa, timeWindows } = requirements;
  const place = placeOf({ principals: [], roles: [], environments: requirements.environments });
  const placed: Placed[] = [];
  if (mfa || permissions.length + roles.length + timeWindows.length > 0)
    placed.push({ type, actions, place, part: 'requires', item: compileRequirements(requirements, origin) });
  if (obligations.length > 0)
    placed.push({ type, actions, place, part: 'obliges', item: { names: obligations, inScope: compileScope(requirements) } });
  return placed;
};

/** Yields between rules: a policy may have a hundred. */
export function* compilePolicy(
  { name, version, document, conditions }: PolicySource,
  world: CompileWorld,
): Generator<void, CompiledPolicy> {
  const origin = (type: string): Origin => ({ layer: layerOf(world.installation, type) satisfies Layer, policy: name, version });
  const conditionsOf = (rule: Rule, index: number): readonly Condition[] | null => {
    const wanted = [
      ...(rule.condition === '' ? [] : [conditions[`spec.rules[${index}].condition`]]),
      ...rule.conditions.map((one) => world.named(one)),
    ];
    const found = wanted.filter((one) => one !== undefined);
    return found.length === wanted.length ? found : null;
  };
  const rules: Placed[] = [];
  for (const [index, rule] of document.rules.entries()) {
    const { resource: type, actions, effect } = rule;
    const item = compileRule(rule, origin(type), conditionsOf(rule, index), world.schema(type));
    rules.push({ type, actions, place: placeOf(rule), part: effect === 'deny' ? 'denies' : 'allows', item });
    yield;
  }
  const { requirements } = document;
  return {
    name,
    version,
    placed: [...(requirements === null ? [] : placeRequirements(requirements, origin(requirements.resource))), ...rules],
    pairs: document.rules
      .filter(({ effect, principals, roles }) => effect === 'allow' && principals.length > 0 && roles.length > 0)
      .map(({ resource, actions, principals, roles }) => ({
        principals,
        roles: roles.map((role) => `role:${role}`),
        permissions: actions.map((action) => `${resource}:${action}`),
      })),
    masks: document.masks.map((mask, index) => ({
      mask,
      rule: `policy:${origin(mask.resource).layer}/${name}@${version}/mask:${mask.field}`,
      condition: conditions[`spec.masks[${index}].condition`] ?? null,
    })),
    classification: document.classification === '' ? null : { type: document.about, level: document.classification },
    types: [...new Set(document.rules.map(({ resource }) => resource))],
    offers: Object.keys(document.named).length > 0,
  };
}

type Keyed = Map<string, unknown[]> | null;
type MutableBucket = { any: unknown[]; by: Keyed; at: Keyed };
type MutableCell = Record<Part, MutableBucket> & { masks: CompiledMask[] };

const emptyCell = (): MutableCell => ({
  denies: { any: [], by: null, at: null },
  allows: { any: [], by: null, at: null },
  requires: { any: [], by: null, at: null },
  obliges: { any: [], by: null, at: null },
  masks: [],
});

const copyOf = (keyed: Keyed): Keyed => (keyed === null ? null : new Map(keyed));

const without = <T>(list: readonly T[], item: T): T[] => list.filter((one) => one !== item);

/**
 * The index with those policies out and these in. Yields between rules. What was shared with the old index is copied before it is
 * touched, so whoever reads the old one goes on undisturbed.
 */
export function* changeIndex(
  index: PolicyIndex,
  out: readonly CompiledPolicy[],
  into: Iterable<CompiledPolicy>,
): Generator<void, PolicyIndex> {
  const cells = new Map(index.cells) as Map<string, Map<string, Cell>>;
  const classes = new Map(index.classes);
  const pairs = new Map(index.pairs) as Map<string, unknown[]>;
  const own = new Set<object>();
  let { size } = index;

  const typeCells = (type: string): Map<string, Cell> => {
    const known = cells.get(type);
    if (known !== undefined && own.has(known)) return known;
    const fresh = new Map(known ?? []);
    own.add(fresh);
    cells.set(type, fresh);
    return fresh;
  };
  const cellOf = (type: string, action: string): MutableCell => {
    const actions = typeCells(type);
    const known = actions.get(action) as MutableCell | undefined;
    if (known !== undefined && own.has(known)) return known;
    const fresh: MutableCell = known === undefined ? emptyCell() : { ...known };
    own.add(fresh);
    actions.set(action, fresh as unknown as Cell);
    return fresh;
  };
  const bucketOf = (cell: MutableCell, part: Part): MutableBucket => {
    const known = cell[part];
    if (own.has(known)) return known;
    const fresh: MutableBucket = { any: [...known.any], by: copyOf(known.by), at: copyOf(known.at) };
    own.add(fresh);
    cell[part] = fresh;
    return fresh;
  };
  const listOf = (keyed: Map<string, unknown[]>, key: string): unknown[] => {
    const known = keyed.get(key);
    if (known !== undefined && own.has(known)) return known;
    const fresh = [...(known ?? [])];
    own.add(fresh);
    keyed.set(key, fresh);
    return fresh;
  };

  const put = ({ type, actions, place, part, item }: Placed): void => {
    for (const action of actions) {
      const bucket = bucketOf(cellOf(type, action), part);
      if (place.under === 'any') bucket.any.push(item);
      else for (const key of place.keys) listOf((bucket[place.under] ??= new Map()), key).push(item);
    }
  };
  const takeFrom = (keyed: Map<string, unknown[]>, key: string, item: unknown): void => {
    const rest = without(keyed.get(key) ?? [], item);
    if (rest.length === 0) keyed.delete(key);
    else {
      own.add(rest);
      keyed.set(key, rest);
    }
  };
  const take = ({ type, actions, place, part, item }: Placed): void => {
    for (const action of actions) {
      const bucket = bucketOf(cellOf(type, action), part);
      if (place.under === 'any') {
        bucket.any = without(bucket.any, item);
        continue;
      }
      const keyed = bucket[place.under];
      if (keyed === null) continue;
      for (const key of place.keys) takeFrom(keyed, key, item);
      if (keyed.size === 0) bucket[place.under] = null;
    }
  };
  const eachMask = ({ masks }: CompiledPolicy, work: (cell: MutableCell, mask: CompiledMask) => void): void => {
    for (const mask of masks) for (const action of mask.mask.actions) work(cellOf(mask.mask.resource, action), mask);
  };

  const reclassify = (
    { classification }: CompiledPolicy,
    change: (levels: readonly string[], level: string) => readonly string[],
  ): void => {
    if (classification === null) return;
    const { type, level } = classification;
    classes.set(type, change(classes.get(type) ?? [], level));
  };

  for (const policy of out) {
    for (const placed of policy.placed) {
      take(placed);
      yield;
    }
    for (const pair of policy.pairs) for (const role of pair.roles) takeFrom(pairs, role, pair);
    eachMask(policy, (cell, mask) => {
      cell.masks = without(cell.masks, mask);
    });
    reclassify(policy, (levels, level) => levels.toSpliced(levels.indexOf(level), 1));
    size -= 1;
    yield;
  }
  for (const policy of into) {
    for (const placed of policy.placed) {
      put(placed);
      yield;
    }
    for (const pair of policy.pairs) for (const role of pair.roles) listOf(pairs, role).push(pair);
    eachMask(policy, (cell, mask) => {
      cell.masks = [...cell.masks, mask];
    });
    reclassify(policy, (levels, level) => [...levels, level]);
    size += 1;
    yield;
  }
  return { cells, classes, pairs: pairs as unknown as PolicyIndex['pairs'], size };
}
