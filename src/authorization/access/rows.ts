// The decision before the rows are known: stage by stage what `evaluate` decides, as a filter that is true for the rows it would allow.
import { CLASSIFICATIONS } from '../classification.ts';
import { type Asked, askedOf } from '../conditional.ts';
import { type Condition, residualOfCondition, type Schema } from '../condition/condition.ts';
import { and, call, FALSE, type Filter, isTrue, isUnknown, not, or, rowsOf, TRUE } from '../condition/filter.ts';
import { secrecyOf, TOO_SECRET } from '../evaluate.ts';
import { listHolds } from '../holding.ts';
import { beyond, BY_ENTRY, type Limits } from '../limits.ts';
import type { PatternSet } from '../pattern-set.ts';
import { covers } from '../permission.ts';
import { type CompiledRule, nameOfRule, type Questioned } from '../policy/rule.ts';
import { weighBefore } from '../policy/weigher.ts';
import type { ConditionalGrant, Lent } from '../rights-index.ts';
import type { Rights } from '../rights.ts';
import { allowedBy, DEFAULT, denied, deniedBy, FOREIGN, OWNED, type Ruling, withheld } from '../ruling.ts';
import type { Situation } from '../situation.ts';
import { attribute, createRow, findsNothing, isOneOf, type Row, type RowQuestion, withBlanks } from './row.ts';

/** A rule that asks of a row what no filter can say: an allow is left out, a deny takes every row it is about. */
export interface LeftOut {
  readonly rule: string;
  readonly effect: 'allow' | 'deny';
  readonly message: string;
}

/** What one rule says: `ruling` of the rows that pass; of an allow that none passes, why. */
interface Part {
  readonly filter: Filter;
  readonly ruling: Ruling;
}

/** The rows that are allowed, with all that was decided by; where there are none, `ruling` says why. */
export interface RowAccess extends Part {
  readonly leftOut: readonly LeftOut[];
}

/** What one asking goes by, and collects on its way. */
interface Walk {
  readonly situation: Situation;
  readonly leftOut: LeftOut[];
}

/** What is left of a rule's conditions; a message where no filter can say it. */
interface Rest {
  readonly filter: Filter;
  readonly message: string;
}

const remaining = (
  effect: LeftOut['effect'],
  conditions: readonly Condition[],
  schema: Schema,
  { activation, horizon }: Asked,
  row: Row,
): Rest => {
  // The instant itself may stand in the filter: then it is good for now.
  if (horizon !== null && conditions.some(({ usesNow }) => usesNow)) horizon.until = Math.min(horizon.until, activation.now);
  const filters: Filter[] = [];
  for (const condition of conditions) {
    const residual = residualOfCondition(condition, schema, activation, row.known);
    if (!residual.ok) return { filter: FALSE, message: `${residual.message} (at ${residual.at} of ${condition.source.trim()})` };
    const mistaken = row.mistaken(residual.filter);
    if (mistaken !== null) return { filter: FALSE, message: `resource.${mistaken} is of another type here` };
    filters.push(withBlanks(residual.filter, effect === 'allow'));
  }
  return { filter: and(...filters), message: '' };
};

/** A deny counts where it has no value too, and on every row it is about where it cannot be said. */
const denyPart = (rule: string, about: Filter, rest: Rest, met: Ruling, walk: Walk): Part => {
  const lost = (why: string): Ruling => denied('DENIED_CONDITION_ERROR', `${rule} denies, because it ${why}`, [rule]);
  if (rest.message !== '') {
    walk.leftOut.push({ rule, effect: 'deny', message: rest.message });
    return { filter: about, ruling: lost(`asks for more: ${rest.message}`) };
  }
  return { filter: and(about, rest.filter), ruling: isUnknown(rest.filter) ? lost('cannot be evaluated') : met };
};

const allowPart = (rule: string, about: Filter, rest: Rest, met: Ruling, walk: Walk): Part => {
  const none = (code: string, why: string): Part => ({ filter: FALSE, ruling: withheld(code, rule, why) });
  if (rest.message !== '') {
    walk.leftOut.push({ rule, effect: 'allow', message: rest.message });
    return none('DENIED_CONDITION', rest.message);
  }
  if (isUnknown(rest.filter)) return none('DENIED_CONDITION_ERROR', 'its condition cannot be evaluated');
  const filter = and(about, rest.filter);
  return findsNothing(filter) ? none('DENIED_CONDITION', 'its condition is not met') : { filter, ruling: met };
};

/** One part for all that an index by resource says. */
const indexPart = (index: ReadonlyMap<string, PatternSet<Ruling>> | null, row: Row): readonly Part[] => {
  if (index === null) return [];
  const found: Ruling[] = [];
  const filter = row.among((type) =>
    [...index].flatMap(([id, set]) => {
      const ruling = set.find(type, row.question.action);
      if (ruling === undefined) return [];
      found.push(ruling);
      return [id];
    }),
  );
  const [first] = found;
  return first === undefined ? [] : [{ filter, ruling: { ...first, rules: [...new Set(found.flatMap(({ rules }) => rules))] } }];
};

const grantParts = (
  grants: readonly ConditionalGrant[] | null,
  rights: Rights,
  row: Row,
  asked: () => Asked,
  walk: Walk,
): readonly Part[] =>
  (grants ?? []).flatMap(({ grant, permission }) => {
    const about = row.about(grant.resourceId, (type) => covers(permission, { type, action: row.question.action }));
    if (findsNothing(about)) return [];
    const rest =
      grant.tree === null
        ? { filter: FALSE, message: 'its condition was never parsed' }
        : remaining(grant.effect, [grant.tree], rights.snapshot.schema(permission.type), asked(), row);
    return grant.effect === 'deny'
      ? [denyPart(`deny:${grant.id}`, about, rest, deniedBy(`deny:${grant.id}`, [grant.condition]), walk)]
      : [allowPart(`grant:${grant.id}`, about, rest, allowedBy(`grant:${grant.id}`, [grant.condition]), walk)];
  });

const policyParts = (rules: readonly CompiledRule[], effect: 'allow' | 'deny', row: Row, questioned: Questioned, walk: Walk) =>
  rules.flatMap((rule): readonly Part[] => {
    const said = weighBefore(rule, questioned);
    if (said === null) return [];
    if (!('schema' in said)) return [{ filter: effect === 'deny' || said.allowed ? TRUE : FALSE, ruling: said }];
    const rest = remaining(effect, said.conditions, said.schema, questioned.asked(), row);
    return [(effect === 'deny' ? denyPart : allowPart)(nameOfRule(rule), TRUE, rest, said.met, walk)];
  });

/** Rows of this tenant. */
const wallOf = ({ snapshot }: Rights, row: Row): Filter => {
  if (row.has('tenant_id')) return isOneOf(attribute('tenant_id'), [snapshot.tenantId]);
  return row.question.tenantId === snapshot.tenantId ? TRUE : FALSE;
};

/** Rows that are not too secret: those of a class that is not, and those of none where their type is not. */
const clearedOf = (rights: Rights, row: Row, { situation }: Walk): Filter => {
  const { clearance, cleared, roles } = rights.index;
  const gated = cleared ? [] : (roles.gated ?? []).filter(({ gate }) => gate.failure(situation) === null);
  const most = gated.reduce((a, b) => Math.max(a, b.clearance ?? 0), clearance);
  const { type, believed, classification } = row.question;
  const fits = (word: string): boolean => secrecyOf(rights, { type, believed, classification: word }) <= most;
  if (!row.has('classification')) return fits(classification) ? TRUE : FALSE;
  const words = CLASSIFICATIONS.filter(fits);
  const said = attribute('classification');
  return fits('') ? or(not(call('is_present', 'bool', said)), isOneOf(said, ['', ...words])) : isOneOf(said, words);
};

/** What roles, grants and ownership give; what others lend comes after. */
const rightsParts = (rights: Rights, row: Row, asked: () => Asked, walk: Walk): readonly Part[] => {
  const { type, action } = row.question;
  const { roles, allows, allowsOn, allowsIf } = rights.index;
  const plain = roles.allows.find(type, action) ?? allows?.find(type, action);
  const gated = (roles.gated ?? []).flatMap(({ gate, allows: given }): readonly Part[] => {
    const allowed = given.find(type, action);
    if (allowed === undefined) return [];
    const failure = gate.failure(walk.situation);
    return [failure === null ? { filter: TRUE, ruling: allowed } : { filter: FALSE, ruling: failure }];
  });
  const owned = rights.snapshot.type(type)?.ownerActions.some((one) => one === action || one === '*') === true && row.has('owner_id');
  return [
    ...(plain === undefined ? [] : [{ filter: TRUE, ruling: plain }]),
    ...gated,
    ...indexPart(allowsOn, row.forAllows),
    ...grantParts(allowsIf, rights, row.forAllows, asked, walk),
    ...(owned ? [{ filter: isOneOf(attribute('owner_id'), [rights.subject.id]), ruling: OWNED }] : []),
  ];
};

const lentPart = (lent: Lent, row: Row, walk: Walk): readonly Part[] => {
  const { delegation, patterns, grantor, allowed } = lent;
  const about = row.forAllows.about(delegation.resourceId, (type) => patterns.find(type, row.question.action) === true);
  if (findsNothing(about)) return [];
  const { filter, ruling } = evaluateRows(grantor, row, null, walk);
  const { conditions } = ruling;
  if (!findsNothing(filter))
    return [{ filter: and(about, filter), ruling: conditions === undefined ? allowed : { ...allowed, conditions } }];
  const words = `${allowed.rules[0]} gives nothing: its grantor may not do it either (${ruling.code})`;
  return [{ filter: FALSE, ruling: denied(ruling.code, words, allowed.rules, ruling.stepUp === true ? { stepUp: true } : {}) }];
};

const union = (parts: readonly Part[], of: (ruling: Ruling) => readonly string[] | undefined): readonly string[] => [
  ...new Set(parts.flatMap(({ ruling }) => of(ruling) ?? [])),
];

/** A part that allows everything makes the others idle. */
const needed = (parts: readonly Part[]): readonly Part[] => {
  const all = parts.find(({ filter }) => isTrue(filter));
  return all === undefined ? parts.filter(({ filter }) => !findsNothing(filter)) : [all];
};

const allowedByAll = (allows: readonly Part[], denies: readonly Part[]): Ruling => {
  const both = [...allows, ...denies];
  const rules = union(both, ({ rules: names }) => names);
  return {
    allowed: true,
    code: 'ALLOWED',
    reason:
      denies.length === 0
        ? `allowed by ${rules.join(', ')}`
        : `allowed by ${union(allows, (one) => one.rules).join(', ')}, less what is denied`,
    rules,
    conditions: union(both, ({ conditions }) => conditions),
    obligations: union(allows, ({ obligations }) => obligations),
  };
};

/** A second factor can still be shown; otherwise what was looked at first. */
const whyNone = (parts: readonly Part[]): Ruling => {
  const failed = parts.map(({ ruling }) => ruling).filter((ruling) => !ruling.allowed);
  return failed.find(({ stepUp }) => stepUp === true) ?? failed[0] ?? DEFAULT;
};

/** The stages of `evaluate`. `limits`: null for a grantor, who is capped by nothing of the grantee's. */
const evaluateRows = (rights: Rights, row: Row, limits: Limits | null, walk: Walk): Part => {
  const { question, bare } = row;
  const { index, snapshot } = rights;
  const { policies } = snapshot;
  const { situation } = walk;
  const nothing = (ruling: Ruling): Part => ({ filter: FALSE, ruling });
  let known: Asked | undefined;
  const asked = (): Asked => (known ??= askedOf(rights, bare, situation));
  const questioned: Questioned = { rights, situation, asked };
  const rules = policies?.rules(question, questioned) ?? { denies: [], allows: [] };

  const wall = wallOf(rights, row);
  if (findsNothing(wall)) return nothing(FOREIGN);

  const everywhere = index.denies?.find(question.type, question.action);
  if (everywhere !== undefined) return nothing(everywhere);
  const denies = [
    ...indexPart(index.deniesOn, row),
    ...grantParts(index.deniesIf, rights, row, asked, walk),
    ...policyParts(rules.denies, 'deny', row, questioned, walk),
  ].filter(({ filter }) => isUnknown(filter) || !findsNothing(filter));
  const total = denies.find(({ filter }) => isUnknown(filter) || isTrue(filter));
  if (total !== undefined) return nothing(total.ruling);

  const cleared = clearedOf(rights, row, walk);
  if (findsNothing(cleared)) return nothing(TOO_SECRET);

  const given = rightsParts(rights, row, asked, walk);
  const more = (): readonly Part[] => [
    ...(index.lent ?? []).flatMap((lent) => lentPart(lent, row, walk)),
    ...policyParts(rules.allows, 'allow', row, questioned, walk),
    ...(listHolds(limits?.also ?? [], question.type, question.action) ? [{ filter: TRUE, ruling: BY_ENTRY }] : []),
  ];
  const parts = given.some(({ filter }) => isTrue(filter)) ? given : [...given, ...more()];
  const allows = needed(parts);
  if (allows.length === 0) return nothing(whyNone(parts));
  const ruling = allowedByAll(allows, denies);
  const settled = policies === null ? ruling : policies.settle(question, questioned, ruling);
  if (!settled.allowed) return nothing(settled);
  const filters = (of: readonly Part[]): readonly Filter[] => of.map(({ filter }) => filter);
  return { filter: and(wall, cleared, rowsOf(filters(allows), filters(denies))), ruling: settled };
};

/** The rows that a check of each one by the same caller would allow, or fewer where `leftOut` says so. */
export const accessTo = (rights: Rights, limits: Limits, question: RowQuestion, situation: Situation): RowAccess => {
  const leftOut: LeftOut[] = [];
  const row = createRow(question, rights.snapshot.type(question.type));
  const { filter, ruling } = evaluateRows(rights, row, limits, { situation, leftOut });
  const capped = ruling.allowed ? beyond(limits, question) : null;
  if (capped !== null) return { filter: FALSE, ruling: capped, leftOut };
  return { filter, ruling, leftOut };
};
