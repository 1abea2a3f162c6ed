// What the policies of a tenant, with those of the installation above them, say to one question. Looks at few rules, however many there are.
import { INTERNAL, levelOf } from '../classification.ts';
import type { Question } from '../question.ts';
import type { Rights } from '../rights.ts';
import { DEFAULT, type Ruling } from '../ruling.ts';
import { NOWHERE, type Situation } from '../situation.ts';
import { UNSPEAKABLE } from './document.ts';
import type { Bucket, CompiledMask, Obligation, Paired, PolicyIndex } from './policy-index.ts';
import { type CompiledRequirements, type CompiledRule, concerns, isLasting, isRule, nameOfRule, type Questioned, UNASKED } from './rule.ts';
import { weigh } from './weigher.ts';

type Asked = Pick<Question, 'type' | 'action'>;

export interface PolicyVerdict {
  readonly kind: 'deny' | 'allow' | 'requirement';
  readonly rule: string;
  /** null: it says nothing about it. */
  readonly ruling: Ruling | null;
  /** null: a requirement. */
  readonly told: CompiledRule | null;
}

/** A rule of a policy, on one type and action; either may be '*'. */
export interface ToldPermission {
  readonly type: string;
  readonly action: string;
  readonly effect: 'allow' | 'deny';
  readonly rule: CompiledRule;
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
  /**
   * Permissions that rules allow, in whatever situation, because of one of these: `<type>:<id>`, `group:<name>`, `role:<name>`. `besides`:
   * what the receiver is already, for rules that ask for a principal and a role; null = anybody.
   */
  given(names: readonly string[], besides?: readonly string[] | null): readonly string[];
  /** Every rule that is about this subject in some situation, once for each type and action; null = a place to rest, there may be many. */
  told(rights: Rights): Iterable<ToldPermission | null>;
  /** Does a rule allow anything to a principal whose `<type>:<id>` begins so? */
  givesUnder(prefix: string): boolean;
  /** Resources of the type are at least as secret; '' = as they are. */
  classification(type: string): string;
  readonly size: number;
}

const keys = new WeakMap<Rights, readonly string[]>();

/** Under what a subject's rules are found; the same as long as its rights are. */
export const keysOf = (rights: Rights): readonly string[] => {
  const known = keys.get(rights);
  if (known !== undefined) return known;
  const { subject, groups, roles } = rights;
  const made = [`${subject.type}:${subject.id}`, ...groups.map((name) => `group:${name}`), ...roles.map((name) => `role:${name}`)];
  keys.set(rights, made);
  return made;
};

/** The first answer that ends the search; null = looked at all. */
const searchKeyed = <T, R>(keyed: ReadonlyMap<string, readonly T[]>, keys: readonly string[], look: (item: T) => R | null): R | null => {
  for (const key of keys) {
    const items = keyed.get(key);
    if (items === undefined) continue;
    for (const item of items) {
      const found = look(item);
      if (found !== null) return found;
    }
  }
  return null;
};

const environmentsOf = ({ environment, saidEnvironment }: Situation): readonly string[] =>
  environment === saidEnvironment ? [environment] : [environment, saidEnvironment];

const search = <T, R>(buckets: readonly Bucket<T>[], { rights, situation }: Questioned, look: (item: T) => R | null): R | null => {
  for (const { any, by, at } of buckets) {
    for (const item of any) {
      const found = look(item);
      if (found !== null) return found;
    }
    const found =
      (by === null ? null : searchKeyed(by, keysOf(rights), look)) ??
      (at === null ? null : searchKeyed(at, environmentsOf(situation), look));
    if (found !== null) return found;
  }
  return null;
};

function* tell(layers: readonly PolicyIndex[], rights: Rights): Generator<ToldPermission | null> {
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
    for (const [type, actions] of cells)
      for (const [action, { allows, denies }] of UNSPEAKABLE.includes(type) ? [] : actions) {
        yield null;
        yield* look(type, action, 'allow', allows);
        yield* look(type, action, 'deny', denies);
      }
}

/** What the policies hold about a type and an action, from the outermost layer and the widest word to the innermost and narrowest. No rules about what no policy speaks of. */
interface About {
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

const createCollection = (layers: readonly PolicyIndex[]): ((question: Asked) => About) => {
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

  const about = createCollection(layers);
  /** A ruling that allows; else the best reason why none does, DEFAULT where no rule speaks of it. */
  const allows = (rules: About['allows'], questioned: Questioned): Ruling => {
    let best: Ruling = DEFAULT;
    const found = search(rules, questioned, (rule) => {
      const ruling = weigh(rule, questioned);
      if (ruling?.allowed === true) return ruling;
      if (ruling !== null && best === DEFAULT) best = ruling;
      return null;
    });
    return found ?? best;
  };

  const settle = ({ requires, obliges }: About, questioned: Questioned, allowed: Ruling): Ruling =>
    requires.length === 0 && obliges.length === 0 ? allowed : (refusal(requires, questioned) ?? oblige(obliges, questioned, allowed));

  /** A second factor comes last: it is asked of those who lack nothing else. */
  const refusal = (requires: About['requires'], questioned: Questioned): Ruling | null => {
    let stepUp: Ruling | null = null;
    const refused = search(requires, questioned, (rule) => {
      const ruling = weigh(rule, questioned);
      if (ruling?.stepUp !== true) return ruling;
      stepUp ??= ruling;
      return null;
    });
    return refused ?? stepUp;
  };

  const oblige = (obliges: About['obliges'], questioned: Questioned, allowed: Ruling): Ruling => {
    let names: readonly string[] | null = null;
    search(obliges, questioned, (one) => {
      if (one.inScope(questioned)) names = [...new Set([...(names ?? allowed.obligations ?? []), ...one.requirements.obligations])];
      return null;
    });
    return names === null ? allowed : withObligations(allowed, names);
  };

  const ofLasting = (rule: CompiledRule | CompiledRequirements, questioned: Questioned): Ruling | null =>
    isLasting(rule) ? weigh(rule, questioned) : null;

  return {
    classified: layers.some(({ classes }) => [...classes.values()].some((levels) => levels.some((level) => levelOf(level) > INTERNAL))),
    settle: (question, questioned, allowed) => settle(about(question), questioned, allowed),

    denies(question, questioned) {
      const { denies } = about(question);
      return denies.length === 0 ? null : search(denies, questioned, (rule) => weigh(rule, questioned));
    },

    conclude(question, questioned, given) {
      const here = about(question);
      if (given.allowed) return settle(here, questioned, given);
      const found = allows(here.allows, questioned);
      if (found.allowed) return settle(here, questioned, found);
      // A second factor can still be shown; otherwise what rights said comes first.
      return given === DEFAULT || (found.stepUp === true && given.stepUp !== true) ? found : given;
    },

    holds(question, rights, situation, held) {
      const questioned: Questioned = { rights, situation: situation ?? NOWHERE, asked: UNASKED };
      const { denies, allows, requires } = about(question);
      if (search(denies, questioned, (rule) => ofLasting(rule, questioned)) !== null) return false;
      const given = held || search(allows, questioned, (rule) => (ofLasting(rule, questioned)?.allowed === true ? rule : null)) !== null;
      return given && search(requires, questioned, (rule) => ofLasting(rule, questioned)) === null;
    },

    trace(question, questioned) {
      const verdicts: PolicyVerdict[] = [];
      const look = (kind: PolicyVerdict['kind']) => (rule: CompiledRule | CompiledRequirements) => {
        verdicts.push({ kind, rule: nameOfRule(rule), ruling: weigh(rule, questioned), told: isRule(rule) ? rule : null });
        return null;
      };
      const { denies, allows, requires } = about(question);
      search(denies, questioned, look('deny'));
      search(allows, questioned, look('allow'));
      search(requires, questioned, look('requirement'));
      return verdicts;
    },

    rules(question, questioned) {
      const found = { denies: new Set<CompiledRule>(), allows: new Set<CompiledRule>() };
      for (const part of ['denies', 'allows'] as const)
        search(about(question)[part], questioned, (rule) => {
          found[part].add(rule);
          return null;
        });
      return { denies: [...found.denies], allows: [...found.allows] };
    },

    masks: (question) => about(question).masks,

    givesUnder: (prefix) =>
      layers.some(({ cells }) =>
        [...cells.values()].some((actions) =>
          [...actions.values()].some(({ allows: { by } }) => by !== null && [...by.keys()].some((name) => name.startsWith(prefix))),
        ),
      ),

    given(names, besides = []) {
      const fits = ({ principals }: Paired): boolean => besides === null || principals.some((one) => besides.includes(one));
      const paired = ({ pairs }: PolicyIndex) =>
        names.flatMap((name) => (pairs.get(name) ?? []).filter(fits).flatMap((pair) => pair.permissions));
      const alone = ({ cells }: PolicyIndex) =>
        [...cells].flatMap(([type, actions]) =>
          UNSPEAKABLE.includes(type)
            ? []
            : [...actions].flatMap(([action, { allows }]) => (names.some((name) => allows.by?.has(name)) ? [`${type}:${action}`] : [])),
        );
      return layers.flatMap((layer) => [...paired(layer), ...alone(layer)]);
    },
    told: (rights) => tell(layers, rights),

    classification: (type) =>
      layers.flatMap(({ classes }) => classes.get(type) ?? []).reduce((a, b) => (a === '' || levelOf(b) > levelOf(a) ? b : a), ''),
    size: layers.reduce((sum, { size }) => sum + size, 0),
  };
};
