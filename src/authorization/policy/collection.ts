// What policies hold about one type and action, collected from their layers when it is first asked for, and kept.
import type { Question } from '../question.ts';
import { UNSPEAKABLE } from './document.ts';
import type { Bucket, CompiledMask, Obligation, PolicyIndex } from './policy-index.ts';
import type { CompiledRequirements, CompiledRule } from './rule.ts';

export type Asked = Pick<Question, 'type' | 'action'>;

/** From the outermost layer and the widest word to the innermost and narrowest. No rules about what no policy speaks of. */
export interface About {
  readonly denies: readonly Bucket<CompiledRule>[];
  readonly allows: readonly Bucket<CompiledRule>[];
  readonly requires: readonly Bucket<CompiledRequirements>[];
  readonly obliges: readonly Bucket<Obligation>[];
  readonly masks: readonly CompiledMask[];
}

const filled = <T>(buckets: readonly Bucket<T>[]): readonly Bucket<T>[] =>
  buckets.filter(({ any, by, at }) => any.length > 0 || by !== null || at !== null);

const collect = (layers: readonly PolicyIndex[], { type, action }: Asked): About => {
  const found = layers
    .flatMap(({ cells }) => [cells.get('*'), cells.get(type)])
    .flatMap((actions) => [actions?.get('*'), actions?.get(action)])
    .filter((cell) => cell !== undefined);
  const ruling = UNSPEAKABLE.includes(type) ? [] : found;
  return {
    denies: filled(ruling.map(({ denies }) => denies)),
    allows: filled(ruling.map(({ allows }) => allows)),
    requires: filled(ruling.map(({ requires }) => requires)),
    obliges: filled(ruling.map(({ obliges }) => obliges)),
    masks: found.flatMap(({ masks }) => masks),
  };
};

/** Types with actions that are kept collected, or two for each policy where those are more; beyond it all are collected anew. */
const COLLECTED = 4096;

export const createCollection = (layers: readonly PolicyIndex[]): ((question: Asked) => About) => {
  const byType = new Map<string, Map<string, About>>();
  const most = Math.max(
    COLLECTED,
    layers.reduce((sum, { size }) => sum + 2 * size, 0),
  );
  let kept = 0;
  return (question) => {
    const known = byType.get(question.type)?.get(question.action);
    if (known !== undefined) return known;
    if (kept >= most) byType.clear();
    kept = kept >= most ? 1 : kept + 1;
    const about = collect(layers, question);
    const actions = byType.get(question.type) ?? new Map<string, About>();
    byType.set(question.type, actions.set(question.action, about));
    return about;
  };
};
