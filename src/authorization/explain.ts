// The same decision told step by step: every kind of rule, what it looked at, what it found, and what would have to be otherwise.
import { levelName } from './classification.ts';
import { askedOf } from './conditional.ts';
import { evaluate, forAllows, isAbout, isForeign, isOwner, lentIsAbout, secrecyOf } from './evaluate.ts';
import { hoursGate } from './gate.ts';
import { findSlowly, type PatternSet } from './pattern-set.ts';
import { covers, type Permission } from './permission.ts';
import type { PolicyVerdict } from './policy/policy-set.ts';
import { sourcesOf } from './policy/rule.ts';
import { readsOf } from './policy/weigher.ts';
import type { Question } from './question.ts';
import type { ConditionalGrant } from './rights-index.ts';
import type { Rights } from './rights.ts';
import { flatten } from './role.ts';
import type { Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';
import { PAGE_TEXT } from './stores.ts';
import { conditionWords } from './values-read.ts';

export interface Step {
  readonly kind: 'tenant' | 'deny' | 'classification' | 'role' | 'grant' | 'delegation' | 'owner' | 'scope' | 'policy';
  /** The rule's name, '' where none was found. */
  readonly rule: string;
  /** What it does where it matches. */
  readonly effect: 'allow' | 'deny';
  readonly matched: boolean;
  readonly detail: string;
}

type Sets = readonly (readonly [PatternSet<Ruling> | null | undefined, Permission])[];

/** Rules for everything, for the resource, and for what it lies in. */
const setsOf = (
  all: PatternSet<Ruling> | null,
  on: ReadonlyMap<string, PatternSet<Ruling>> | null,
  { type, action, resourceId, parents }: Question,
): Sets => [
  [all, { type, action }],
  [on?.get(resourceId), { type, action }],
  ...parents.map((parent) => [on?.get(parent.id), { type: parent.type, action }] as const),
];

const hits = (kind: 'deny' | 'grant', sets: Sets): readonly Step[] =>
  sets.flatMap(([set, wanted]): Step[] => {
    const ruling = set && findSlowly(set.entries, wanted);
    const effect = kind === 'deny' ? 'deny' : 'allow';
    return ruling ? [{ kind, rule: ruling.rules[0] ?? '', effect, matched: true, detail: ruling.reason }] : [];
  });

const conditionalSteps = (
  kind: 'deny' | 'grant',
  grants: readonly ConditionalGrant[] | null,
  rights: Rights,
  question: Question,
  situation: Situation,
): readonly Step[] => {
  const effect = kind === 'deny' ? 'deny' : 'allow';
  return (grants ?? [])
    .filter(({ grant, permission }) => isAbout(grant.resourceId, (type) => covers(permission, { type, action: question.action }), question))
    .map((one): Step => {
      const ruling = one.weigh(askedOf(rights, question, situation));
      const rule = `${kind}:${one.grant.id}`;
      const matched = ruling !== null && (kind === 'deny' || ruling.allowed);
      const words = conditionWords(
        [one.grant.condition],
        one.grant.tree?.attributes ?? [],
        () => askedOf(rights, question, situation).activation,
      );
      const detail = `${ruling === null ? 'its condition is not met, so it does not deny' : ruling.reason}${words}`;
      return { kind, rule, effect, matched, detail };
    });
};

const none = (kind: 'deny' | 'grant', { type, action }: Permission, steps: readonly Step[]): readonly Step[] =>
  steps.length > 0
    ? steps
    : [
        {
          kind,
          rule: '',
          effect: kind === 'deny' ? 'deny' : 'allow',
          matched: false,
          detail: `no ${kind} of ${type}:${action}, for everything or for this resource`,
        },
      ];

const roleSteps = ({ roles, snapshot }: Rights, wanted: Permission, situation: Situation): readonly Step[] => {
  if (roles.length === 0) return [{ kind: 'role', rule: '', effect: 'allow', matched: false, detail: 'the subject has no role' }];
  return roles.map((name): Step => {
    const given = flatten(name, snapshot.role).filter(({ permission }) => covers(permission, wanted));
    const judged = given.map((each) => ({ each, failure: hoursGate(each.gated, situation.now).failure(situation) }));
    const found = judged.find(({ failure }) => failure === null) ?? judged[0];
    const step = { kind: 'role', rule: `role:${name}`, effect: 'allow' } as const;
    if (found === undefined) return { ...step, matched: false, detail: `does not give ${wanted.type}:${wanted.action}` };
    const { path, permission } = found.each;
    const gives = `${path.join(' → ')} gives ${permission.type}:${permission.action}`;
    const but = found.failure === null ? '' : `, but ${found.failure.reason.replace(' would allow it: it ', ' ')}; ${seen(situation)}`;
    return { ...step, matched: found.failure === null, detail: `${gives}${but}` };
  });
};

/** What was known of the situation, for whoever wonders which of it did not fit. */
const seen = ({ environment, workload, address, mfaVerified }: Situation): string =>
  `asked for environment "${environment}", workload "${workload}", address "${address}", second factor ${mfaVerified ? 'shown' : 'not shown'}`;

const classificationStep = (rights: Rights, question: Question, situation: Situation): Step => {
  const level = secrecyOf(rights, question);
  const { clearance, cleared, roles } = rights.index;
  const gated = cleared ? [] : (roles.gated ?? []).filter(({ gate }) => gate.failure(situation) === null);
  const most = gated.reduce((a, b) => Math.max(a, b.clearance ?? 0), clearance);
  const matched = level > most;
  const whence = cleared ? 'set for the subject' : 'from its roles';
  const wanted = matched ? `: it needs a clearance of ${levelName(level)}` : '';
  const detail = `the resource is ${levelName(level)}, the subject is cleared for ${levelName(most)} (${whence})${wanted}`;
  return { kind: 'classification', rule: '', effect: 'deny', matched, detail };
};

/** What a parent that nobody vouches for cannot lend, it can still deny the grantor. */
const delegationSteps = (rights: Rights, question: Question, situation: Situation): readonly Step[] =>
  (rights.index.lent ?? [])
    .filter((one) => lentIsAbout(one, forAllows(question)))
    .map(({ delegation, grantor }): Step => {
      const ruling = evaluate(grantor, question, situation);
      const from = `${grantor.subject.type}:${grantor.subject.id}`;
      const detail = ruling.allowed ? `${from} lends it, ${ruling.reason}` : `${from} lends it, but may not do it: ${ruling.reason}`;
      return { kind: 'delegation', rule: `delegation:${delegation.id}`, effect: 'allow', matched: ruling.allowed, detail };
    });

/** Rules of policies that one explanation tells of: thousands may speak of one question. */
const RULES_TOLD = 1000;

const matches = ({ kind, ruling }: PolicyVerdict): boolean => ruling !== null && (kind !== 'allow' || ruling.allowed);

/** Every rule of a policy that speaks of it to this subject, in their order. Of too many those that decide are told first, and how many are left. */
const policySteps = (rights: Rights, question: Question, situation: Situation): readonly Step[] => {
  const { policies } = rights.snapshot;
  if (policies === null) return [];
  const questioned = { rights, situation, asked: () => askedOf(rights, question, situation) };
  const stepOf = (verdict: PolicyVerdict): Step => {
    const { kind, rule, ruling, told } = verdict;
    const words = told === null ? '' : conditionWords(sourcesOf(told), readsOf(told), () => questioned.asked().activation);
    const effect = kind === 'allow' ? 'allow' : 'deny';
    const silent = { deny: 'does not apply', allow: 'does not apply', requirement: 'is met, or does not apply' }[kind];
    const detail = `${ruling === null ? `${silent}; ${seen(situation)}` : ruling.reason}${words}`;
    return { kind: 'policy', rule, effect, matched: matches(verdict), detail };
  };
  const verdicts = policies.trace(question, questioned);
  const rank = (verdict: PolicyVerdict): number => (!matches(verdict) ? 2 : verdict.kind === 'allow' ? 1 : 0);
  const steps = new Map<PolicyVerdict, Step>();
  let room = PAGE_TEXT;
  for (const verdict of verdicts.toSorted((a, b) => rank(a) - rank(b))) {
    if (steps.size === RULES_TOLD || room <= 0) break;
    const step = stepOf(verdict);
    room -= step.rule.length + step.detail.length;
    steps.set(verdict, step);
  }
  const told = verdicts.flatMap((verdict) => steps.get(verdict) ?? []);
  const left = verdicts.length - told.length;
  if (left === 0) return told;
  return [
    ...told,
    {
      kind: 'policy',
      rule: '',
      effect: 'deny',
      matched: false,
      detail: `${left} more rules of policies were looked at: none of them decided`,
    },
  ];
};

const ownerDetail = (rights: Rights, { type, action, ownerId, believed }: Question): string => {
  if (ownerId === '') return believed ? 'no owner was named' : 'the caller is not believed about owners';
  if (ownerId !== rights.subject.id) return 'somebody else owns the resource';
  return `owners of ${type} may not ${action}`;
};

/** Never shortened by an early answer: a deny does not hide which role would have allowed it. */
export const explain = (rights: Rights, question: Question, situation: Situation): readonly Step[] => {
  const wanted: Permission = { type: question.type, action: question.action };
  const { allows, denies, allowsOn, deniesOn, allowsIf, deniesIf } = rights.index;
  const believed = forAllows(question);
  const foreign = isForeign(rights, question);
  const owner = isOwner(rights, question);
  return [
    {
      kind: 'tenant',
      rule: '',
      effect: 'deny',
      matched: foreign,
      detail: foreign ? 'the resource belongs to another tenant' : "the resource is in the subject's tenant",
    },
    ...none('deny', wanted, [
      ...hits('deny', setsOf(denies, deniesOn, question)),
      ...conditionalSteps('deny', deniesIf, rights, question, situation),
    ]),
    classificationStep(rights, question, situation),
    ...roleSteps(rights, wanted, situation),
    ...none('grant', wanted, [
      ...hits('grant', setsOf(allows, allowsOn, believed)),
      ...conditionalSteps('grant', allowsIf, rights, believed, situation),
    ]),
    ...delegationSteps(rights, question, situation),
    {
      kind: 'owner',
      rule: 'owner',
      effect: 'allow',
      matched: owner,
      detail: owner ? 'the subject owns the resource, and owners may do it' : ownerDetail(rights, question),
    },
    ...policySteps(rights, question, situation),
  ];
};
