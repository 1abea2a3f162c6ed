// A set compiled from one that was: what left is taken out, what came is put in, and whatever is the same is shared. Yields at each step.
import type { Condition, Schema } from '../condition/condition.ts';
import { type PackedCondition, packTree } from '../condition/packed.ts';
import { ANY_TYPE } from './declared.ts';
import { emptyPartedMap, type PartedMap } from './parted-map.ts';
import type { Body } from './plan.ts';
import {
  changeIndex,
  type CompiledPolicy,
  compilePolicy,
  type CompileWorld,
  createLists,
  EMPTY_INDEX,
  type PolicyIndex,
} from './policy-index.ts';
import { readPolicies } from './read-policies.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface StoredBody {
  readonly name: string;
  readonly version: number;
  /** JSON; null where it is of a form that this release does not write. */
  readonly body: string | null;
  /** As it was written, for such a one. */
  readonly content: string;
  /** It has conditions that others may need. */
  readonly offers: boolean;
}

/** The attributes of each type, written out: another text, another schema. */
export type DeclaredTypes = ReadonlyMap<string, string>;

export interface CompiledSet {
  readonly version: number;
  readonly index: PolicyIndex;
  readonly policies: PartedMap<CompiledPolicy>;
  /** Conditions by name. */
  readonly named: ReadonlyMap<string, PackedCondition>;
  /** Those that its conditions were compiled for. */
  readonly types: DeclaredTypes;
}

export const NO_TYPES: DeclaredTypes = new Map();
export const EMPTY_SET: CompiledSet = { version: 0, index: EMPTY_INDEX, policies: emptyPartedMap(), named: new Map(), types: NO_TYPES };

export interface LoadWorld {
  schema(type: string): Schema;
}

/** What becomes of a set. */
export interface SetChange {
  readonly version: number;
  /** Policies that came, or are compiled anew. */
  readonly come: readonly StoredBody[];
  readonly gone: readonly string[];
  readonly types: DeclaredTypes;
  readonly installation: boolean;
}

/** As the first release stored it. */
interface FirstBody extends Pick<Body, 'document'> {
  readonly conditions: Readonly<Record<string, Pick<Condition, 'ast'>>>;
}

const toBody = (stored: Body | FirstBody): Body =>
  'trees' in stored
    ? stored
    : {
        document: stored.document,
        trees: Object.fromEntries(Object.entries(stored.conditions).map(([path, { ast }]) => [path, packTree(ast)])),
      };

const bodyOf = (row: StoredBody, installation: boolean, schema: CompileWorld['schema']): Body | null => {
  if (row.body !== null) return toBody(JSON.parse(row.body) as Body | FirstBody);
  const vocabulary: Vocabulary = { ...ANY_TYPE, installation, role: () => true, schema };
  const reading = readPolicies([{ name: row.name, content: row.content }], vocabulary);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value.policies[0] ?? null;
  }
};

/** Types that were declared otherwise. */
export const alteredTypes = (before: DeclaredTypes, after: DeclaredTypes): ReadonlySet<string> => {
  const altered = new Set<string>();
  if (before === after) return altered;
  for (const [name, declared] of after) if (before.get(name) !== declared) altered.add(name);
  for (const name of before.keys()) if (!after.has(name)) altered.add(name);
  return altered;
};

/** Names of the policies that were compiled for one of those types, but for those that are compiled or leave anyway. */
export function* compiledFor(
  { policies }: CompiledSet,
  altered: ReadonlySet<string>,
  { come, gone }: Pick<SetChange, 'come' | 'gone'>,
): Generator<void, readonly string[]> {
  if (altered.size === 0) return [];
  const away = new Set([...gone, ...come.map(({ name }) => name)]);
  const found: string[] = [];
  for (const { name, rules } of policies.values()) {
    if (rules.some(({ rule }) => altered.has(rule.resource)) && !away.has(name)) found.push(name);
    yield;
  }
  return found;
}

/**
 * Conditions of a set that left or came are compiled into the rules of others: then all of it must be compiled anew, from nothing.
 */
export const reaches = ({ policies }: CompiledSet, { come, gone }: Pick<SetChange, 'come' | 'gone'>): boolean =>
  come.some(({ offers }) => offers) || gone.some((name) => policies.get(name)?.offers === true);

/** `base` is untouched: whoever uses it goes on undisturbed. Nothing that comes or goes `reaches` others, or `base` is empty. */
export function* compileSet(
  base: CompiledSet,
  { version, come, gone, types, installation }: SetChange,
  { schema }: LoadWorld,
): Generator<void, CompiledSet> {
  const offered = new Map<string, PackedCondition>();
  for (const row of come) {
    if (!row.offers) continue;
    const body = bodyOf(row, installation, schema);
    yield;
    for (const [name, source] of Object.entries(body?.document.named ?? {})) {
      const tree = body?.trees[`spec.conditions.${name}`];
      if (tree !== undefined) offered.set(name, { source, tree });
    }
  }
  const named = offered.size === 0 ? base.named : offered;
  const policies = base.policies.change();
  const out: CompiledPolicy[] = [];
  for (const name of new Set([...gone, ...come.map((row) => row.name)])) {
    const known = base.policies.get(name);
    if (known === undefined) continue;
    out.push(known);
    policies.delete(name);
    yield;
  }
  const world: CompileWorld = { installation, schema, named: (name) => named.get(name) };
  const lists = createLists();
  const into: CompiledPolicy[] = [];
  for (const row of come) {
    const body = bodyOf(row, installation, schema);
    yield;
    if (body === null) continue;
    const compiled = compilePolicy({ name: row.name, version: row.version, ...body }, world, lists);
    policies.set(row.name, compiled);
    into.push(compiled);
    yield;
  }
  const index = yield* changeIndex(base.index, out, into);
  return { version, index, policies: policies.done(), named, types };
}
