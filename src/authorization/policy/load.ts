// Keeps a set compiled: only what changed since the last look is read and compiled, in slices. A set of 10,000 follows one change at once.
import type { TenantId } from '../../base/caller.ts';
import type { Tx } from '../../storage/storage.ts';
import type { Condition, Schema } from '../condition/condition.ts';
import { INSTALLATION } from './document.ts';
import type { Body } from './plan.ts';
import { changeIndex, type CompiledPolicy, compilePolicy, type CompileWorld, EMPTY_INDEX, type PolicyIndex } from './policy-index.ts';
import { readPolicies, type Vocabulary } from './read-policies.ts';
import { inSlices } from './slices.ts';

export interface StoredBody {
  readonly name: string;
  readonly version: number;
  readonly content: string;
  /** JSON; null where it is of a form that this release does not write. */
  readonly body: string | null;
}

/** What happened to a set after a version of it. */
export interface Since {
  /** The active version; 0 = there is none. */
  readonly version: number;
  readonly come: readonly StoredBody[];
  /** Names that left, or were replaced. */
  readonly gone: readonly string[];
}

export interface SetReader {
  since(tx: Tx, tenantId: TenantId, version: number): Promise<Since>;
}

interface Compiled {
  readonly version: number;
  readonly index: PolicyIndex;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  /** Conditions by name, and the policy that offers each. */
  readonly named: ReadonlyMap<string, { readonly condition: Condition; readonly by: string }>;
  /** The types that conditions were compiled for. */
  readonly types: string;
}

export interface LoadWorld {
  schema(type: string): Schema;
}

export interface SetLoader {
  /** The set as it would be, under that of the installation: all of it is compiled. Reads inside the transaction, as `read`. */
  preview(
    tx: Tx,
    tenantId: TenantId,
    change: {
      readonly coming: readonly { readonly name: string; readonly content: string; readonly body: Body }[];
      readonly going: readonly string[];
    },
  ): Promise<(world: LoadWorld) => Promise<readonly PolicyIndex[]>>;
  /**
   * Reads inside the transaction; what it answers compiles outside of it. `types` changes whenever the attributes of a type do: what was
   * compiled for others is compiled anew.
   */
  read(tx: Tx, tenantId: TenantId, types: string): Promise<(world: LoadWorld) => Promise<PolicyIndex>>;
}

const bodyOf = (row: StoredBody, installation: boolean, schema: CompileWorld['schema']): Body | null => {
  if (row.body !== null) return JSON.parse(row.body) as Body;
  const vocabulary: Vocabulary = { installation, type: () => true, role: () => true, schema };
  const reading = readPolicies([{ name: row.name, content: row.content }], vocabulary);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value.policies[0] ?? null;
  }
};

function* compileAll(
  rows: readonly StoredBody[],
  base: Compiled,
  gone: readonly string[],
  version: number,
  installation: boolean,
  types: string,
  { schema }: LoadWorld,
): Generator<void, Compiled> {
  const named = new Map([...base.named].filter(([, { by }]) => !gone.includes(by)));
  const bodies: { readonly row: StoredBody; readonly body: Body }[] = [];
  for (const row of rows) {
    const body = bodyOf(row, installation, schema);
    yield;
    if (body === null) continue;
    bodies.push({ row, body });
    for (const name of Object.keys(body.document.named)) {
      const condition = body.conditions[`spec.conditions.${name}`];
      if (condition !== undefined) named.set(name, { condition, by: row.name });
    }
  }
  const policies = new Map(base.policies);
  const out = [...new Set([...gone, ...rows.map(({ name }) => name)])].flatMap((name) => policies.get(name) ?? []);
  for (const name of gone) policies.delete(name);
  const compileWorld: CompileWorld = { installation, schema, named: (name) => named.get(name)?.condition };
  const into: CompiledPolicy[] = [];
  for (const { row, body } of bodies) {
    const compiled = compilePolicy({ name: row.name, version: row.version, ...body }, compileWorld);
    policies.set(row.name, compiled);
    into.push(compiled);
    yield;
  }
  const index = yield* changeIndex(base.index, out, into);
  return { version, index, policies, named, types };
}

const NOTHING: Compiled = { version: 0, index: EMPTY_INDEX, policies: new Map(), named: new Map(), types: '' };

/** `remembered`: how many sets are kept beside the snapshots that use them. */
export const createSetLoader = (reader: SetReader, remembered: number): SetLoader => {
  const kept = new Map<TenantId, Compiled>();

  const keep = (tenantId: TenantId, compiled: Compiled): void => {
    kept.delete(tenantId);
    const oldest = kept.keys().next();
    if (kept.size >= remembered && !oldest.done) kept.delete(oldest.value);
    if (compiled.policies.size > 0) kept.set(tenantId, compiled);
  };

  /** Conditions of a set that left or came are compiled into the rules of others: then all of it is read. */
  const reaches = ({ named }: Compiled, { come, gone }: Since): boolean => {
    const offering = new Set([...named.values()].map(({ by }) => by));
    return gone.some((name) => offering.has(name)) || come.some(({ content }) => content.includes('ConditionSet'));
  };

  return {
    async preview(tx, tenantId, { coming, going }) {
      const { version, come } = await reader.since(tx, tenantId, 0);
      const away = new Set([...going, ...coming.map(({ name }) => name)]);
      const rows = [
        ...come.filter(({ name }) => !away.has(name)),
        ...coming.map(({ name, content, body }): StoredBody => ({ name, version: version + 1, content, body: JSON.stringify(body) })),
      ];
      return async (world) => {
        const compiled = await inSlices(compileAll(rows, NOTHING, [], version + 1, tenantId === INSTALLATION, '', world));
        return [kept.get(INSTALLATION)?.index ?? EMPTY_INDEX, compiled.index];
      };
    },

    async read(tx, tenantId, types) {
      let base = kept.get(tenantId) ?? NOTHING;
      if (base.types !== types) base = NOTHING;
      let since = await reader.since(tx, tenantId, base.version);
      if (base !== NOTHING && reaches(base, since)) {
        base = NOTHING;
        since = await reader.since(tx, tenantId, 0);
      }
      const from = base;
      const { version, come, gone } = since;
      return async (world) => {
        // A read of an older moment than what is kept changes nothing: whoever asked is told to ask again.
        if (version <= from.version && come.length + gone.length === 0) return from.index;
        const compiled = await inSlices(compileAll(come, from, gone, version, tenantId === INSTALLATION, types, world));
        keep(tenantId, compiled);
        return compiled.index;
      };
    },
  };
};
