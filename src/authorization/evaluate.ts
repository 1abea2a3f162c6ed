// The decision: wall, denies, classification, allows, and otherwise no. Pure; for rights without conditions a handful of look-ups.
import { INTERNAL, levelOf } from './classification.ts';
import { type Asked, askedOf } from './conditional.ts';
import type { PatternSet } from './pattern-set.ts';
import { covers } from './permission.ts';
import type { Question } from './question.ts';
import type { ConditionalGrant, Lent } from './rights-index.ts';
import type { Rights } from './rights.ts';
import { DEFAULT, denied, FOREIGN, OWNED, type Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';

export const isForeign = (rights: Rights, question: Question): boolean =>
  question.resourceTenantId !== '' && question.resourceTenantId !== rights.snapshot.tenantId;

export const isOwner = ({ subject, snapshot }: Rights, { type, action, ownerId }: Question): boolean => {
  if (ownerId === '' || ownerId !== subject.id) return false;
  const actions = snapshot.type(type)?.ownerActions ?? [];
  return actions.includes(action) || actions.includes('*');
};

/** What a resource counts as. Whoever is not believed about it cannot make it less secret than its type is, nobody less than a policy says. */
export const secrecyOf = (
  { snapshot }: Rights,
  { type, classification, believed }: Pick<Question, 'type' | 'classification' | 'believed'>,
): number => {
  const usual = levelOf(snapshot.type(type)?.defaultClassification ?? '');
  const said = classification === '' ? usual : believed ? levelOf(classification) : Math.max(usual, levelOf(classification));
  const least = snapshot.policies?.classification(type) ?? '';
  return least === '' ? said : Math.max(said, levelOf(least));
};

export const TOO_SECRET = denied('DENIED_CLASSIFICATION', 'the resource is more secret than the subject is cleared for');

/** A role that counts only sometimes clears only then. */
const isCleared = (rights: Rights, question: Question, situation: Situation): boolean => {
  const level = secrecyOf(rights, question);
  const { clearance, cleared, roles } = rights.index;
  if (level <= clearance) return true;
  if (cleared || roles.gated === null) return false;
  return roles.gated.some((rules) => rules.clearance !== null && rules.clearance >= level && rules.gate.failure(situation) === null);
};

type OnResource = ReadonlyMap<string, PatternSet<Ruling>>;

/** On the resource itself, then on what it lies in, from the nearest on. */
const findOn = (rules: OnResource, { type, action, resourceId, parents }: Question): Ruling | undefined => {
  const own = rules.get(resourceId)?.find(type, action);
  if (own !== undefined || parents.length === 0) return own;
  for (const parent of parents) {
    const found = rules.get(parent.id)?.find(parent.type, action);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** Is a rule for `resourceId` ('' = all of the type) about what is asked? `fits` says so of a type and the action. */
export const isAbout = (resourceId: string, fits: (type: string) => boolean, { type, resourceId: id, parents }: Question): boolean =>
  ((resourceId === '' || resourceId === id) && fits(type)) ||
  (resourceId !== '' && parents.some((parent) => parent.id === resourceId && fits(parent.type)));

const grantIsAbout = ({ grant, permission }: ConditionalGrant, question: Question): boolean =>
  isAbout(grant.resourceId, (type) => covers(permission, { type, action: question.action }), question);

export const lentIsAbout = ({ delegation, patterns }: Lent, question: Question): boolean =>
  isAbout(delegation.resourceId, (type) => patterns.find(type, question.action) === true, question);

/** Parents that nobody vouches for can take away, never give. */
export const forAllows = (question: Question): Question =>
  question.believed || question.parents.length === 0 ? question : { ...question, parents: [] };

/** Rules that look at the situation, in the order of the whole. `asked` is made where a condition is weighed, and once. */
const deniedInSituation = (rights: Rights, question: Question, asked: () => Asked): Ruling | undefined => {
  const { deniesIf } = rights.index;
  if (deniesIf === null) return undefined;
  for (const grant of deniesIf) {
    if (!grantIsAbout(grant, question)) continue;
    const ruling = grant.weigh(asked());
    if (ruling !== null) return ruling;
  }
  return undefined;
};

/** `question` without parents that nobody vouches for is `believed`. The first that allows; else what failed first, a missing second factor before anything else: it can be shown. */
const allowedInSituation = (rights: Rights, question: Question, believed: Question, situation: Situation, asked: () => Asked): Ruling => {
  const { type, action } = question;
  const { roles, allowsIf, lent } = rights.index;
  if (roles.gated === null && allowsIf === null && lent === null) return DEFAULT;
  let failed: Ruling = DEFAULT;
  const note = (ruling: Ruling): void => {
    if (failed === DEFAULT || (ruling.stepUp === true && failed.stepUp !== true)) failed = ruling;
  };
  for (const { gate, allows } of roles.gated ?? []) {
    const allowed = allows.find(type, action);
    if (allowed === undefined) continue;
    const failure = gate.failure(situation);
    if (failure === null) return allowed;
    note(failure);
  }
  for (const grant of allowsIf ?? []) {
    if (!grantIsAbout(grant, believed)) continue;
    const ruling = grant.weigh(asked());
    if (ruling?.allowed === true) return ruling;
    if (ruling !== null) note(ruling);
  }
  for (const one of lent ?? []) {
    if (!lentIsAbout(one, believed)) continue;
    const ruling = evaluate(one.grantor, question, situation);
    if (ruling.allowed) return ruling.conditions === undefined ? one.allowed : { ...one.allowed, conditions: ruling.conditions };
    note(lost(one, ruling));
  }
  return failed;
};

const losses = new WeakMap<Lent, Map<string, Ruling>>();

/** What the grantor cannot do, it cannot lend. */
const lost = (lent: Lent, ruling: Ruling): Ruling => {
  let known = losses.get(lent);
  if (known === undefined) losses.set(lent, (known = new Map()));
  let told = known.get(ruling.code);
  if (told === undefined) {
    const rule = `delegation:${lent.delegation.id}`;
    const more = { open: true, ...(ruling.stepUp === true ? { stepUp: true } : {}) };
    told = denied(ruling.code, `${rule} gives nothing: its grantor may not do it either (${ruling.code})`, [rule], more);
    known.set(ruling.code, told);
  }
  return told;
};

/** What gives without looking at the situation, parents that nobody vouches for left out. */
const givenPlainly = ({ index }: Rights, believed: Question): Ruling | undefined => {
  const { type, action } = believed;
  const { roles, allows, allowsOn } = index;
  return roles.allows.find(type, action) ?? allows?.find(type, action) ?? (allowsOn === null ? undefined : findOn(allowsOn, believed));
};

/** What denies without looking at the situation. */
const deniedPlainly = ({ index }: Rights, question: Question): Ruling | undefined => {
  const { denies, deniesOn } = index;
  return denies?.find(question.type, question.action) ?? (deniesOn === null ? undefined : findOn(deniesOn, question));
};

/** Nothing is more secret than everybody may see, unless somebody says so. */
const isTooSecret = (rights: Rights, question: Question, situation: Situation): boolean =>
  (question.classification !== '' || rights.snapshot.classified || rights.index.clearance < INTERNAL) &&
  !isCleared(rights, question, situation);

/** The same stages where rules look at the situation, or policies are there. */
const evaluateInSituation = (rights: Rights, question: Question, situation: Situation): Ruling => {
  const { policies } = rights.snapshot;
  let asked: Asked | undefined;
  const ask = (): Asked => (asked ??= askedOf(rights, question, situation));

  const deny = deniedPlainly(rights, question) ?? deniedInSituation(rights, question, ask);
  if (deny !== undefined) return deny;
  const questioned = policies === null ? null : { rights, situation, asked: ask };
  const forbidden = policies === null || questioned === null ? null : policies.denies(question, questioned);
  if (forbidden !== null) return forbidden;

  if (isTooSecret(rights, question, situation)) return TOO_SECRET;

  const believed = forAllows(question);
  const plain = givenPlainly(rights, believed) ?? allowedInSituation(rights, question, believed, situation, ask);
  const given = plain.allowed || !isOwner(rights, question) ? plain : OWNED;
  return policies === null || questioned === null ? given : policies.conclude(question, questioned, given);
};

/** Stages in the order of their authority: what stands first cannot be overruled by what follows. */
export const evaluate = (rights: Rights, question: Question, situation: Situation): Ruling => {
  if (isForeign(rights, question)) return FOREIGN;
  // Most subjects have roles and nothing else: they pay for nothing else.
  if (rights.rolesAlone && question.classification === '')
    return rights.index.roles.allows.find(question.type, question.action) ?? (isOwner(rights, question) ? OWNED : DEFAULT);
  if (!rights.plain || rights.index.lent !== null) return evaluateInSituation(rights, question, situation);
  const deny = deniedPlainly(rights, question);
  if (deny !== undefined) return deny;
  if (isTooSecret(rights, question, situation)) return TOO_SECRET;
  const allow = givenPlainly(rights, forAllows(question));
  if (allow !== undefined) return allow;
  return isOwner(rights, question) ? OWNED : DEFAULT;
};
