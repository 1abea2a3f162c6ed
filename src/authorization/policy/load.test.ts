// A compiled set follows what is stored: what did not change is neither read nor compiled again.
import { describe, expect, it } from '@jest/globals';
import { typesOf } from '../attribute.ts';
import { conditionSchema } from '../condition/condition.ts';
import { ANY_TYPE } from './declared.ts';
import type { DeclaredTypes, LoadWorld, SetReader, StoredBody } from './load.ts';
import { createSetLoader } from './load.ts';
import type { PolicyIndex } from './policy-index.ts';
import { nameOfRule } from './rule.ts';
import { readPolicies } from './read-policies.ts';
import { atOnce } from '../../base/slices.ts';
import type { Tx } from '../../storage/storage.ts';

type Attributes = Readonly<Record<string, string>>;
type World = Readonly<Record<string, Attributes>>;

const worldOf = (types: World): LoadWorld => ({ schema: (type) => conditionSchema({ resource: typesOf(types[type] ?? {}) }) });
const declaredBy = (types: World): DeclaredTypes => new Map(Object.entries(types).map(([name, one]) => [name, JSON.stringify(one)]));

const policy = (name: string, type: string, condition: string, more = ''): string => `apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: ${name} }
spec:
  resource: ${type}
  rules:
    - { name: rule, effect: allow, actions: [read], condition: '${condition}'${more} }
`;

const bodyOf = (content: string, version: number, types: World): StoredBody => {
  const reading = readPolicies([{ name: 'a', content }], { installation: false, ...ANY_TYPE, role: () => true, ...worldOf(types) });
  const { policies, problems } = atOnce(reading);
  const [read] = policies;
  if (read === undefined) throw new Error(problems[0]?.message);
  const { document, trees } = read;
  return {
    name: document.name,
    version,
    content: '',
    body: JSON.stringify({ document, trees }),
    offers: read.standing.offers.length > 0,
  };
};

/** A tenant's policies; what was read of them. */
const stored = () => {
  const rows = new Map<string, StoredBody>();
  const reads: string[] = [];
  const gone: { readonly name: string; readonly from: number; readonly to: number }[] = [];
  let version = 0;
  const told = (found: readonly StoredBody[]): readonly StoredBody[] => {
    reads.push(...found.map(({ name }) => name));
    return found;
  };
  const reader: SetReader = {
    since: async (_tx, _tenant, from) => ({
      version,
      come: told([...rows.values()].filter((row) => row.version > from)),
      gone: gone.filter((one) => one.from <= from && one.to > from).map(({ name }) => name),
    }),
    standing: async (_tx, _tenant, _version, names) => told(names.flatMap((name) => rows.get(name) ?? [])),
  };
  return {
    loader: createSetLoader(reader, 10),
    /** Names since the last time. */
    read: (): readonly string[] => reads.splice(0).sort(),
    apply(types: World, ...contents: readonly string[]) {
      version += 1;
      for (const content of contents) {
        const row = bodyOf(content, version, types);
        const before = rows.get(row.name);
        if (before !== undefined) gone.push({ name: row.name, from: before.version, to: version });
        rows.set(row.name, row);
      }
    },
  };
};

const follow = async (set: ReturnType<typeof stored>, types: World): Promise<PolicyIndex> =>
  (await set.loader.read(null as unknown as Tx, 'acme', declaredBy(types)))(worldOf(types));

const ruleOf = (index: PolicyIndex, type: string) => index.cells.get(type)?.get('read')?.allows.any[0];

const nameOf = (index: PolicyIndex, type: string): string | undefined => {
  const rule = ruleOf(index, type);
  return rule && nameOfRule(rule);
};

const SHIPS: Attributes = { masts: 'int' };
const TYPES: World = { ships: SHIPS, docks: { depth: 'int' } };

const fleet = () => {
  const set = stored();
  set.apply(TYPES, policy('ships', 'ships', 'resource.masts > 1'), policy('docks', 'docks', 'resource.depth > 1'));
  return set;
};

describe('a compiled set', () => {
  it('reads what is stored once, and then what changed', async () => {
    const set = fleet();
    const first = await follow(set, TYPES);
    expect(set.read()).toEqual(['docks', 'ships']);
    expect(await follow(set, TYPES)).toBe(first);
    set.apply(TYPES, policy('ships', 'ships', 'resource.masts > 2'));
    const second = await follow(set, TYPES);
    expect(set.read()).toEqual(['ships']);
    expect([second.size, ruleOf(second, 'docks')]).toEqual([2, ruleOf(first, 'docks')]);
    expect(nameOf(second, 'ships')).toBe('policy:resource_type/ships@2/rule');
    expect(nameOf(first, 'ships')).toBe('policy:resource_type/ships@1/rule');
  });

  it('stays as it is when a type comes that no policy speaks of', async () => {
    const set = fleet();
    const first = await follow(set, TYPES);
    set.read();
    const second = await follow(set, { ...TYPES, cranes: { reach: 'int' } });
    expect(set.read()).toEqual([]);
    expect(ruleOf(second, 'ships')).toBe(ruleOf(first, 'ships'));
  });

  it('compiles anew what speaks of a type that is declared otherwise, and nothing else', async () => {
    const set = fleet();
    const first = await follow(set, TYPES);
    set.read();
    const second = await follow(set, { ...TYPES, ships: { ...SHIPS, flag: 'string' } });
    expect(set.read()).toEqual(['ships']);
    expect([second.size, ruleOf(second, 'docks')]).toEqual([2, ruleOf(first, 'docks')]);
    expect(ruleOf(second, 'ships')).not.toBe(ruleOf(first, 'ships'));
    expect(second.cells.get('ships')?.get('read')?.allows.any).toHaveLength(1);
  });

  it('takes both at once: policies that changed, and types', async () => {
    const set = fleet();
    await follow(set, TYPES);
    set.read();
    const types = { ships: { ...SHIPS, flag: 'string' }, docks: { depth: 'int', lit: 'bool' } };
    set.apply(types, policy('ships', 'ships', 'resource.flag == "white"'));
    const second = await follow(set, types);
    expect(set.read()).toEqual(['docks', 'ships']);
    expect(second.size).toBe(2);
    expect(nameOf(second, 'ships')).toBe('policy:resource_type/ships@2/rule');
    expect(second.cells.get('ships')?.get('read')?.allows.any).toHaveLength(1);
  });

  it('is read whole where conditions change that others lean on', async () => {
    const set = stored();
    const conditions = (bound: number): string =>
      `apiVersion: securityhub/v1\nkind: ConditionSet\nmetadata: { name: words }\nspec: { resource: ships, conditions: { tall: 'resource.masts > ${bound}' } }\n`;
    set.apply(TYPES, conditions(1), policy('ships', 'ships', 'true', ', conditions: [tall]'), policy('docks', 'docks', 'true'));
    await follow(set, TYPES);
    set.read();
    set.apply(TYPES, conditions(3));
    const second = await follow(set, TYPES);
    expect(new Set(set.read())).toEqual(new Set(['docks', 'ships', 'words']));
    expect(ruleOf(second, 'ships')?.conditions?.map(({ source }) => source)).toEqual(['true', 'resource.masts > 3']);
  });
});
