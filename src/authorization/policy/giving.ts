// What policies give, whatever the situation: to a subject, to whoever gets a role or a membership, to whoever could be named so.
import type { Rights } from '../rights.ts';
import { keysOf } from './bucket-search.ts';
import { UNSPEAKABLE } from './document.ts';
import type { Bucket, Paired, PolicyIndex } from './policy-index.ts';
import { type CompiledRule, concerns } from './rule.ts';

type Layers = readonly PolicyIndex[];

/** A rule of a policy, on one type and action; either may be '*'. */
export interface ToldPermission {
  readonly type: string;
  readonly action: string;
  readonly effect: 'allow' | 'deny';
  readonly rule: CompiledRule;
}

/** See `PolicySet.told`. */
export function* tell(layers: Layers, rights: Rights): Generator<ToldPermission | null> {
  const look = function* (
    type: string,
    action: string,
    effect: 'allow' | 'deny',
    { any, by, at }: Bucket<CompiledRule>,
  ): Generator<ToldPermission | null> {
    const about = new Set([
      ...any,
      ...(by === null ? [] : keysOf(rights).flatMap((key) => by.get(key) ?? [])),
      ...(at === null ? [] : [...at.values()].flat()),
    ]);
    for (const rule of about) yield concerns(rule, rights) ? { type, action, effect, rule } : null;
  };
  for (const { cells } of layers)
    for (const [type, actions] of cells.entries())
      for (const [action, { allows, denies }] of UNSPEAKABLE.includes(type) ? [] : actions) {
        yield null;
        yield* look(type, action, 'allow', allows);
        yield* look(type, action, 'deny', denies);
      }
}

/** See `PolicySet.given`. */
export const givenBy = (layers: Layers, names: readonly string[], besides: readonly string[] | null): readonly string[] => {
  const fits = ({ principals }: Paired): boolean => besides === null || principals.some((one) => besides.includes(one));
  const paired = ({ pairs }: PolicyIndex) =>
    names.flatMap((name) => (pairs.get(name) ?? []).filter(fits).flatMap(({ permissions }) => permissions));
  const alone = ({ cells }: PolicyIndex) =>
    [...cells.entries()].flatMap(([type, actions]) =>
      UNSPEAKABLE.includes(type)
        ? []
        : [...actions].flatMap(([action, { allows }]) => (names.some((name) => allows.by?.has(name)) ? [`${type}:${action}`] : [])),
    );
  return layers.flatMap((layer) => [...paired(layer), ...alone(layer)]);
};

/** See `PolicySet.givesUnder`. */
export const giveUnder = (layers: Layers, prefix: string): boolean =>
  layers.some(({ cells }) =>
    [...cells.values()].some((actions) =>
      [...actions.values()].some(({ allows: { by } }) => by !== null && [...by.keys()].some((name) => name.startsWith(prefix))),
    ),
  );
