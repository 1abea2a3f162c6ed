// What the policies of a tenant, with those of the installation above them, say to one question. Looks at few rules, however many there are.
import { INTERNAL, levelOf } from '../classification.ts';
import type { Question } from '../question.ts';
import type { Rights } from '../rights.ts';
import { DEFAULT, type Ruling } from '../ruling.ts';
import { NOWHERE, type Situation } from '../situation.ts';
import { UNSPEAKABLE } from './document.ts';
import type { Bucket, Cell, CompiledMask, PolicyIndex } from './policy-index.ts';
import type { CompiledRule, Questioned } from './rule.ts';

type Asked = Pick<Question, 'type' | 'action'>;

export interface PolicyVerdict {
  readonly kind: 'deny' | 'allow' | 'requirement';
  readonly rule: string;
  /** null: it says nothing about it. */
  readonly ruling: Ruling | null;
}

export interface PolicySet {
  /** Is there a type whose resources a policy makes more secret than `internal`? */
  readonly classified: boolean;
  /** The outermost rule that denies; null = none does. */
  denies(question: Asked, questioned: Questioned): Ruling | null;
  /** What becomes of what rights say: a rule may allow what they do not, and `settle` comes last. */
  conclude(question: Asked, questioned: Questioned, given: Ruling): Ruling;
  /** What an allowing ruling becomes: refused where a requirement is not met, with the obligations that go with it. */
  settle(question: Asked, questioned: Questioned, allowed: Ruling): Ruling;
  /**
   * Whether a permission as such is held, given whether rights hold it. Rules that ask for a time, a place or a resource are not looked
   * at: they are weighed where a resource is asked about. `situation` undefined: nothing is known of it.
   */
  holds(question: Asked, rights: Rights, situation: Situation | undefined, held: boolean): boolean;
  /** Every rule that was looked at, and what it said. */
  trace(question: Asked, questioned: Questioned): readonly PolicyVerdict[];
  /** Rules about it that have something to say to this subject in some case. */
  rules(question: Asked, questioned: Questioned): { readonly denies: readonly CompiledRule[]; readonly allows: readonly CompiledRule[] };
  masks(question: Asked): readonly CompiledMask[];
  /** Resources of the type are at least as secret; '' = as they are. */
  classification(type: string): string;
  readonly size: number;
}

/** Rules that ask for nothing beyond rights have no condition to weigh. */
const UNASKED = (): never => {
  throw new Error('a lasting rule asked for its situation');
};

const keys = new WeakMap<Rights, readonly string[]>();

/** Under what a subject's rules are found; the same as long as its rights are. */
const keysOf = (rights: Rights): readonly string[] => {
  const known = keys.get(rights);
  if (known !== undefined) return known;
  const { subject, groups, roles } = rights;
  const made = [`${subject.type}:${subject.id}`, ...groups.map((name) => `group:${name}`), ...roles.map((name) => `role:${name}`)];
  keys.set(rights, made);
  return made;
};

/** The first answer that ends the search; null = looked at all. */
const search = <T, R>(bucket: Bucket<T>, { rights, situation }: Questioned, look: (item: T) => R | null): R | null => {
  for (const item of bucket.any) {
    const found = look(item);
    if (found !== null) return found;
  }
  if (bucket.by === null) return null;
  for (const key of keysOf(rights))
    for (const item of bucket.by.get(key) ?? []) {
      const found = look(item);
      if (found !== null) return found;
    }
  const { environment, saidEnvironment } = situation;
  for (const name of environment === saidEnvironment ? [environment] : [environment, saidEnvironment]) {
    if (name === '') continue;
    for (const item of bucket.by.get(`env:${name}`) ?? []) {
      const found = look(item);
      if (found !== null) return found;
    }
  }
  return null;
};

const settled = new WeakMap<Ruling, Map<string, Ruling>>();

/** One object for a ruling with the same obligations. */
const withObligations = (ruling: Ruling, names: readonly string[]): Ruling => {
  const key = names.join(',');
  let known = settled.get(ruling);
  if (known === undefined) settled.set(ruling, (known = new Map()));
  let found = known.get(key);
  if (found === undefined) {
    if (known.size >= 256) known.clear();
    found = Object.freeze({ ...ruling, obligations: Object.freeze([...names]) });
    known.set(key, found);
  }
  return found;
};

/** `indexes` from the outermost on. null where there is no policy at all: then nobody pays for them. */
export const createPolicySet = (indexes: readonly PolicyIndex[]): PolicySet | null => {
  const layers = indexes.filter(({ size }) => size > 0);
  if (layers.length === 0) return null;

  /** From the outermost layer and the widest word to the innermost and narrowest. */
  const each = <R>({ type, action }: Asked, look: (cell: Cell) => R | null): R | null => {
    for (const { cells } of layers)
      for (const actions of [cells.get('*'), cells.get(type)]) {
        if (actions === undefined) continue;
        const [wide, narrow] = [actions.get('*'), actions.get(action)];
        const found = (wide === undefined ? null : look(wide)) ?? (narrow === undefined ? null : look(narrow));
        if (found !== null) return found;
      }
    return null;
  };
  const speakable = ({ type }: Asked): boolean => !UNSPEAKABLE.includes(type);

  /** A ruling that allows; else the best reason why none does, DEFAULT where no rule speaks of it. */
  const allows = (question: Asked, questioned: Questioned): Ruling => {
    let best: Ruling = DEFAULT;
    const found = each(question, ({ allows }) =>
      search(allows, questioned, (rule: CompiledRule) => {
        const ruling = rule.weigh(questioned);
        if (ruling?.allowed === true) return ruling;
        if (ruling !== null && best === DEFAULT) best = ruling;
        return null;
      }),
    );
    return found ?? best;
  };

  const settle = (question: Asked, questioned: Questioned, allowed: Ruling): Ruling => {
    if (!speakable(question)) return allowed;
    // A second factor comes last: it is asked of those who lack nothing else.
    let stepUp: Ruling | null = null;
    const refused = each(question, ({ requires }) =>
      search(requires, questioned, (rule: CompiledRule) => {
        const ruling = rule.weigh(questioned);
        if (ruling?.stepUp !== true) return ruling;
        stepUp ??= ruling;
        return null;
      }),
    );
    if (refused !== null) return refused;
    if (stepUp !== null) return stepUp;
    let names: readonly string[] | null = null;
    each(question, ({ obliges }) =>
      search(obliges, questioned, (one) => {
        if (one.inScope(questioned)) names = [...new Set([...(names ?? allowed.obligations ?? []), ...one.names])];
        return null;
      }),
    );
    return names === null ? allowed : withObligations(allowed, names);
  };

  const ofLasting = (rule: CompiledRule, questioned: Questioned): Ruling | null => (rule.lasting ? rule.weigh(questioned) : null);

  return {
    classified: layers.some(({ classes }) => [...classes.values()].some((levels) => levels.some((level) => levelOf(level) > INTERNAL))),
    settle,

    denies: (question, questioned) =>
      speakable(question)
        ? each(question, ({ denies }) => search(denies, questioned, (rule: CompiledRule) => rule.weigh(questioned)))
        : null,

    conclude(question, questioned, given) {
      if (given.allowed) return settle(question, questioned, given);
      if (!speakable(question)) return given;
      const found = allows(question, questioned);
      if (found.allowed) return settle(question, questioned, found);
      // A second factor can still be shown; otherwise what rights said comes first.
      return given === DEFAULT || (found.stepUp === true && given.stepUp !== true) ? found : given;
    },

    holds(question, rights, situation, held) {
      if (!speakable(question)) return held;
      const questioned: Questioned = { rights, situation: situation ?? NOWHERE, asked: UNASKED };
      if (each(question, (cell) => search(cell.denies, questioned, (rule: CompiledRule) => ofLasting(rule, questioned))) !== null)
        return false;
      const given =
        held ||
        each(question, (cell) =>
          search(cell.allows, questioned, (rule: CompiledRule) => (ofLasting(rule, questioned)?.allowed === true ? rule : null)),
        ) !== null;
      return (
        given && each(question, (cell) => search(cell.requires, questioned, (rule: CompiledRule) => ofLasting(rule, questioned))) === null
      );
    },

    trace(question, questioned) {
      const verdicts: PolicyVerdict[] = [];
      if (!speakable(question)) return verdicts;
      const look = (kind: PolicyVerdict['kind']) => (rule: CompiledRule) => {
        verdicts.push({ kind, rule: rule.name, ruling: rule.weigh(questioned) });
        return null;
      };
      each(question, ({ denies }) => search(denies, questioned, look('deny')));
      each(question, ({ allows }) => search(allows, questioned, look('allow')));
      each(question, ({ requires }) => search(requires, questioned, look('requirement')));
      return verdicts;
    },

    rules(question, questioned) {
      const found = { denies: new Set<CompiledRule>(), allows: new Set<CompiledRule>() };
      if (speakable(question))
        each(question, (cell) => {
          for (const part of ['denies', 'allows'] as const)
            search(cell[part], questioned, (rule: CompiledRule) => {
              found[part].add(rule);
              return null;
            });
          return null;
        });
      return { denies: [...found.denies], allows: [...found.allows] };
    },

    masks(question) {
      const masks: CompiledMask[] = [];
      each(question, (cell) => {
        masks.push(...cell.masks);
        return null;
      });
      return masks;
    },

    classification: (type) =>
      layers.flatMap(({ classes }) => classes.get(type) ?? []).reduce((a, b) => (a === '' || levelOf(b) > levelOf(a) ? b : a), ''),
    size: layers.reduce((sum, { size }) => sum + size, 0),
  };
};
