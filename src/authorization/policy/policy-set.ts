// What the policies of a tenant, with those of the installation above them, say to one question. Looks at few rules, however many there are.
import { INTERNAL, levelOf } from '../classification.ts';
import type { Rights } from '../rights.ts';
import { DEFAULT, type Ruling } from '../ruling.ts';
import { NOWHERE, type Situation } from '../situation.ts';
import { search } from './bucket-search.ts';
import { type About, type Asked, createCollection } from './collection.ts';
import { givenBy, giveUnder, tell, type ToldPermission } from './giving.ts';
import type { CompiledMask, PolicyIndex } from './policy-index.ts';
import { type CompiledRequirements, type CompiledRule, isLasting, isRule, nameOfRule, type Questioned, UNASKED } from './rule.ts';
import { weigh } from './weigher.ts';

export interface PolicyVerdict {
  readonly kind: 'deny' | 'allow' | 'requirement';
  readonly rule: string;
  /** null: it says nothing about it. */
  readonly ruling: Ruling | null;
  /** null: a requirement. */
  readonly told: CompiledRule | null;
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

    given: (names, besides = []) => givenBy(layers, names, besides),
    told: (rights) => tell(layers, rights),
    givesUnder: (prefix) => giveUnder(layers, prefix),

    classification: (type) =>
      layers.flatMap(({ classes }) => classes.get(type) ?? []).reduce((a, b) => (a === '' || levelOf(b) > levelOf(a) ? b : a), ''),
    size: layers.reduce((sum, { size }) => sum + size, 0),
  };
};
