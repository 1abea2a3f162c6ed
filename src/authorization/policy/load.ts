// Keeps a set compiled: only what changed since the last look is read and compiled, in slices. A set of 10,000 follows one change at once.
import type { TenantId } from '../../base/caller.ts';
import type { Tx } from '../../storage/storage.ts';
import {
  alteredTypes,
  type CompiledSet,
  compiledFor,
  compileSet,
  type DeclaredTypes,
  EMPTY_SET,
  type LoadWorld,
  NO_TYPES,
  reaches,
  type StoredBody,
} from './compile-set.ts';
import { INSTALLATION } from './document.ts';
import type { Body } from './plan.ts';
import { EMPTY_INDEX, type PolicyIndex } from './policy-index.ts';
import { inSlices } from '../../base/slices.ts';

export { type DeclaredTypes, type LoadWorld, NO_TYPES, type StoredBody } from './compile-set.ts';

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
  /** Those of that version with one of the names. */
  standing(tx: Tx, tenantId: TenantId, version: number, names: readonly string[]): Promise<readonly StoredBody[]>;
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
   * Reads inside the transaction; what it answers compiles outside of it. Policies about a type that `types` declares otherwise than the
   * last time are compiled anew.
   */
  read(tx: Tx, tenantId: TenantId, types: DeclaredTypes): Promise<(world: LoadWorld) => Promise<PolicyIndex>>;
}

/** As they would stand in the database. */
function* stored(
  coming: readonly { readonly name: string; readonly content: string; readonly body: Body }[],
  version: number,
): Generator<void, readonly StoredBody[]> {
  const rows: StoredBody[] = [];
  for (const { name, content, body } of coming) {
    rows.push({ name, version, content, body: JSON.stringify(body), offers: Object.keys(body.document.named).length > 0 });
    yield;
  }
  return rows;
}

/** `remembered`: how many sets are kept beside the snapshots that use them. */
export const createSetLoader = (reader: SetReader, remembered: number): SetLoader => {
  const kept = new Map<TenantId, CompiledSet>();

  const keep = (tenantId: TenantId, compiled: CompiledSet): void => {
    kept.delete(tenantId);
    const oldest = kept.keys().next();
    if (kept.size >= remembered && !oldest.done) kept.delete(oldest.value);
    if (compiled.policies.size > 0) kept.set(tenantId, compiled);
  };

  return {
    async preview(tx, tenantId, { coming, going }) {
      const since = await reader.since(tx, tenantId, 0);
      const away = new Set([...going, ...coming.map(({ name }) => name)]);
      const version = since.version + 1;
      const come = [...since.come.filter(({ name }) => !away.has(name)), ...(await inSlices(stored(coming, version)))];
      const change = { version, come, gone: [], types: NO_TYPES, installation: tenantId === INSTALLATION };
      return async (world) => {
        const compiled = await inSlices(compileSet(EMPTY_SET, change, world));
        return [kept.get(INSTALLATION)?.index ?? EMPTY_INDEX, compiled.index];
      };
    },

    async read(tx, tenantId, types) {
      let base = kept.get(tenantId) ?? EMPTY_SET;
      let since = await reader.since(tx, tenantId, base.version);
      if (base !== EMPTY_SET && reaches(base, since)) {
        base = EMPTY_SET;
        since = await reader.since(tx, tenantId, 0);
      }
      const from = base;
      const { version, gone } = since;
      const altered = alteredTypes(from.types, types);
      const again = await inSlices(compiledFor(from, altered, since));
      const come = again.length === 0 ? since.come : [...since.come, ...(await reader.standing(tx, tenantId, version, again))];
      return async (world) => {
        // A read of an older moment than what is kept changes nothing: whoever asked is told to ask again.
        const nothing = come.length + gone.length === 0;
        if (version < from.version ? nothing : version === from.version && nothing && altered.size === 0) return from.index;
        const change = { version, come, gone, types, installation: tenantId === INSTALLATION };
        const compiled = await inSlices(compileSet(from, change, world));
        keep(tenantId, compiled);
        return compiled.index;
      };
    },
  };
};
