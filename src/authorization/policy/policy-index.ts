// Policies by what they speak of: resource type, action, and whom. Immutable; a change copies what it touches and shares the rest.
import type { Schema } from '../condition/condition.ts';
import type { PackedCondition } from '../condition/packed.ts';
import { layerOf, type Mask, type PolicyDocument, type Requirements, type Rule } from './document.ts';
import { emptyPartedMap, type PartedMap } from './parted-map.ts';
import type { CompiledRequirements, CompiledRule, Origin, Questioned } from './rule.ts';
import { compileScope, prepare } from './weigher.ts';

/** Rules for everybody, and rules that only some subjects or environments need to look at; null where there are none. */
export interface Bucket<T> {
  readonly any: readonly T[];
  /** By `<type>:<id>` of a principal, `role:<name>`, `group:<name>`. */
  readonly by: ReadonlyMap<string, readonly T[]> | null;
  /** By the name of an environment. */
  readonly at: ReadonlyMap<string, readonly T[]> | null;
}

export interface Obligation {
  readonly requirements: Requirements;
  readonly inScope: (questioned: Questioned) => boolean;
}

export interface CompiledMask {
  readonly mask: Mask;
  readonly rule: string;
  /** null where there is none, or it has no tree. */
  readonly condition: PackedCondition | null;
}

export interface Cell {
  readonly denies: Bucket<CompiledRule>;
  readonly allows: Bucket<CompiledRule>;
  readonly requires: Bucket<CompiledRequirements>;
  readonly obliges: Bucket<Obligation>;
  readonly masks: readonly CompiledMask[];
}

/** Where a rule is looked for: under whom it names, so that others never see it. */
type Place = { readonly under: 'any' } | { readonly under: 'by' | 'at'; readonly keys: readonly string[] };

type Part = 'denies' | 'allows' | 'requires' | 'obliges';
interface Placed {
  readonly type: string;
  readonly actions: readonly string[];
  readonly place: Place;
  readonly part: Part;
  readonly item: CompiledRule | CompiledRequirements | Obligation;
}

/** What one policy puts into the index; kept so that it can be taken out again. */
export interface CompiledPolicy {
  readonly name: string;
  readonly version: number;
  readonly rules: readonly CompiledRule[];
  readonly requirements: CompiledRequirements | null;
  readonly obligation: Obligation | null;
  readonly pairs: readonly (Paired & { readonly roles: readonly string[] })[];
  readonly masks: readonly CompiledMask[];
  readonly classification: { readonly type: string; readonly level: string } | null;
  /** It has conditions that are compiled into the rules of others. */
  readonly offers: boolean;
}

export interface PolicyIndex {
  /** By type and action. */
  readonly cells: PartedMap<ReadonlyMap<string, Cell>>;
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

export const EMPTY_INDEX: PolicyIndex = { cells: emptyPartedMap(), classes: new Map(), pairs: new Map(), size: 0 };

const ANYWHERE: Place = { under: 'any' };

const placeOf = ({ principals, roles, environments }: Pick<Rule, 'principals' | 'roles' | 'environments'>): Place => {
  if (principals.length > 0) return { under: 'by', keys: principals };
  if (roles.length > 0) return { under: 'by', keys: roles.map((role) => `role:${role}`) };
  return environments.length > 0 ? { under: 'at', keys: environments } : ANYWHERE;
};

const placeOfRequirements = ({ environments }: Requirements): Place => placeOf({ principals: [], roles: [], environments });

/** Everything of a policy that is looked for by type and action. */
function* placedOf({ requirements, obligation, rules }: CompiledPolicy): Generator<Placed> {
  if (requirements !== null) {
    const { resource: type, actions } = requirements.requirements;
    yield { type, actions, place: placeOfRequirements(requirements.requirements), part: 'requires', item: requirements };
  }
  if (obligation !== null) {
    const { resource: type, actions } = obligation.requirements;
    yield { type, actions, place: placeOfRequirements(obligation.requirements), part: 'obliges', item: obligation };
  }
  for (const item of rules) {
    const { resource: type, actions, effect } = item.rule;
    yield { type, actions, place: placeOf(item.rule), part: effect === 'deny' ? 'denies' : 'allows', item };
  }
}

export interface PolicySource {
  readonly name: string;
  readonly version: number;
  readonly document: PolicyDocument;
  /** By path, packed. */
  readonly trees: Readonly<Record<string, string>>;
}

export interface CompileWorld {
  readonly installation: boolean;
  schema(type: string): Schema;
  /** A condition of a ConditionSet. */
  named(name: string): PackedCondition | undefined;
}

const NONE: readonly never[] = [];

/** One list for all that say the same: most rules say little that others do not. */
export const createLists = () => {
  const known = new Map<string, readonly string[]>();
  return (names: readonly string[]): readonly string[] => {
    if (names.length === 0) return NONE;
    const key = names.join('\n');
    const found = known.get(key) ?? names;
    known.set(key, found);
    return found;
  };
};

type Lists = ReturnType<typeof createLists>;

const withLists = (rule: Rule, lists: Lists): Rule => ({
  ...rule,
  actions: lists(rule.actions),
  principals: lists(rule.principals),
  roles: lists(rule.roles),
  environments: lists(rule.environments),
  workloads: lists(rule.workloads),
  conditions: lists(rule.conditions),
  obligations: lists(rule.obligations),
  timeWindows: rule.timeWindows.length === 0 ? NONE : rule.timeWindows,
});

const packedOf = (source: string, tree: string | undefined): PackedCondition | undefined => (tree === undefined ? tree : { source, tree });

const asksForMore = ({ mfa, permissions, roles, timeWindows }: Requirements): boolean =>
  mfa || permissions.length + roles.length + timeWindows.length > 0;

/** Nothing is made of a rule yet; what it was written with is kept, and no more. `lists` serves all that are compiled together. */
export const compilePolicy = (
  { name, version, document, trees }: PolicySource,
  world: CompileWorld,
  lists: Lists = createLists(),
): CompiledPolicy => {
  const origins = new Map<string, Origin>();
  const originOf = (type: string): Origin => {
    const layer = layerOf(world.installation, type);
    const origin = origins.get(layer) ?? { layer, policy: name, version };
    origins.set(layer, origin);
    return origin;
  };
  const conditionsOf = (rule: Rule, index: number): readonly PackedCondition[] | null => {
    if (rule.condition === '' && rule.conditions.length === 0) return NONE;
    const wanted = [
      ...(rule.condition === '' ? [] : [packedOf(rule.condition, trees[`spec.rules[${index}].condition`])]),
      ...rule.conditions.map((one) => world.named(one)),
    ];
    const found = wanted.filter((one) => one !== undefined);
    return found.length === wanted.length ? found : null;
  };
  const { requirements } = document;
  const pairs = document.rules
    .filter(({ effect, principals, roles }) => effect === 'allow' && principals.length > 0 && roles.length > 0)
    .map(({ resource, actions, principals, roles }) => ({
      principals,
      roles: roles.map((role) => `role:${role}`),
      permissions: actions.map((action) => `${resource}:${action}`),
    }));
  const masks = document.masks.map((mask, index) => ({
    mask,
    rule: `policy:${originOf(mask.resource).layer}/${name}@${version}/mask:${mask.field}`,
    condition: packedOf(mask.condition, trees[`spec.masks[${index}].condition`]) ?? null,
  }));
  return {
    name,
    version,
    rules: document.rules.map((rule, index) => ({
      rule: withLists(rule, lists),
      origin: originOf(rule.resource),
      conditions: conditionsOf(rule, index),
      schema: world.schema(rule.resource),
      weigher: null,
    })),
    requirements:
      requirements === null || !asksForMore(requirements) ? null : { requirements, origin: originOf(requirements.resource), weigher: null },
    obligation:
      requirements === null || requirements.obligations.length === 0 ? null : { requirements, inScope: compileScope(requirements) },
    pairs: pairs.length === 0 ? NONE : pairs,
    masks: masks.length === 0 ? NONE : masks,
    classification: document.classification === '' ? null : { type: document.about, level: document.classification },
    offers: Object.keys(document.named).length > 0,
  };
};

type Keyed = Map<string, unknown[]> | null;
type MutableBucket = { any: unknown[]; by: Keyed; at: Keyed };
type MutableCell = Record<Part, MutableBucket> & { masks: readonly CompiledMask[] };

/** Copied before it is touched, as whatever is shared. */
const EMPTY: MutableBucket = { any: [], by: null, at: null };

const emptyCell = (): MutableCell => ({ denies: EMPTY, allows: EMPTY, requires: EMPTY, obliges: EMPTY, masks: NONE });

const copyOf = (keyed: Keyed): Keyed => (keyed === null ? null : new Map(keyed));

/** Rules of one list that no question has come to yet: so many one question makes on its way without anybody noticing. */
const CROWD = 8;

/** Short lists, of which there are thousands, get no room to grow. Beyond that length rules are made at once. */
const append = (list: unknown[], item: Placed['item'], replace: (longer: unknown[]) => void): void => {
  if (list.length < CROWD) replace([...list, item]);
  else {
    list.push(item);
    if ('rule' in item) prepare(item);
  }
};

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
  const cells = index.cells.change();
  const touched = new Map<string, Map<string, Cell>>();
  const classes = new Map(index.classes);
  const pairs = new Map(index.pairs) as Map<string, unknown[]>;
  const own = new Set<object>();
  let { size } = index;

  const typeCells = (type: string): Map<string, Cell> => {
    const known = touched.get(type);
    if (known !== undefined) return known;
    const fresh = new Map(index.cells.get(type) ?? []);
    touched.set(type, fresh);
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
      if (place.under === 'any') append(bucket.any, item, (longer) => (bucket.any = longer));
      else {
        const keyed = (bucket[place.under] ??= new Map());
        for (const key of place.keys) append(listOf(keyed, key), item, (longer) => own.add(longer) && keyed.set(key, longer));
      }
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
    for (const placed of placedOf(policy)) {
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
    for (const placed of placedOf(policy)) {
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
  return { cells: cells.done(), classes, pairs: pairs as unknown as PolicyIndex['pairs'], size };
}
