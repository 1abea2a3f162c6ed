// How dangerous a change of policies is: what it gives, or stops taking away. A table of findings, each with its level and its reason.
import { CLASSIFICATIONS } from '../classification.ts';
import type { Mask, PolicyDocument, Requirements, Rule } from './document.ts';

const LEVELS = ['low', 'medium', 'high', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

export interface PolicyChange {
  readonly name: string;
  readonly kind: string;
  readonly change: 'created' | 'replaced' | 'deleted';
  readonly level: Level;
  readonly reasons: readonly string[];
}

interface Finding {
  readonly level: Level;
  readonly reason: string;
}

export const worst = (levels: Iterable<Level>): Level => LEVELS[Math.max(0, ...[...levels].map((level) => LEVELS.indexOf(level)))] ?? 'low';

/** Rights over the tenant itself and over the secrets of others: whoever gets one can mostly get the rest. */
const ADMIN_TYPES: readonly string[] = [
  'admin',
  'api_keys',
  'audit',
  'authz',
  'certificates',
  'context',
  'encryption_key',
  'issuers',
  'policies',
  'token',
  'users',
  'workloads',
];
const ADMIN_PERMISSIONS: readonly string[] = ['config:write', 'config:*', 'config:integrations'];

const isAdmin = ({ resource, actions }: Rule): boolean =>
  (ADMIN_TYPES.includes(resource) && actions.some((action) => action !== 'read')) ||
  actions.some((action) => ADMIN_PERMISSIONS.includes(`${resource}:${action}`));

const missing = (from: readonly string[], within: readonly string[]): readonly string[] => from.filter((one) => !within.includes(one));
const list = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

/** A list that narrows: less of it, or none of it any more, reaches more. */
const widens = (before: readonly string[], after: readonly string[]): boolean =>
  before.length > 0 && (after.length === 0 || missing(after, before).length > 0);
const narrows = (before: readonly string[], after: readonly string[]): boolean => widens(after, before);
const actionsAdded = (before: readonly string[], after: readonly string[]): readonly string[] =>
  before.includes('*') ? [] : missing(after, before);

const SELECTORS = ['principals', 'roles', 'environments', 'workloads'] as const;
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const allowAdded = (rule: Rule): readonly Finding[] => {
  const everybody = rule.principals.length === 0 && rule.roles.length === 0;
  const what = `rule ${rule.name} allows ${rule.resource}:${list(rule.actions)}`;
  return [
    ...(isAdmin(rule) ? [{ level: 'critical', reason: `admin permission granted: ${what}` } as const] : []),
    ...(rule.actions.includes('*') ? [{ level: everybody ? 'critical' : 'high', reason: `wildcard added: ${what}` } as const] : []),
    ...(everybody ? [{ level: 'high', reason: `scope widened: ${what} to everybody in the tenant` } as const] : []),
    { level: 'medium', reason: `allow added: ${what}` },
  ];
};

const allowChanged = (before: Rule, after: Rule): readonly Finding[] => {
  const added = actionsAdded(before.actions, after.actions);
  if (added.length > 0 || before.resource !== after.resource) return allowAdded(after);
  const wider = SELECTORS.filter((selector) => widens(before[selector], after[selector]));
  const findings: Finding[] = wider.map((selector) => ({
    level: 'high',
    reason: `scope widened: rule ${after.name} reaches more ${selector}`,
  }));
  if (wider.length > 0 && isAdmin(after)) findings.push({ level: 'critical', reason: `admin permission granted: rule ${after.name}` });
  if (before.timeWindows.length > 0 && after.timeWindows.length === 0)
    findings.push({ level: 'high', reason: `scope widened: rule ${after.name} lost its time windows` });
  else if (!same(before.timeWindows, after.timeWindows))
    findings.push({ level: 'medium', reason: `time windows changed: rule ${after.name}` });
  const dropped = missing(before.conditions, after.conditions).length > 0 || (before.condition !== '' && after.condition === '');
  if (dropped) findings.push({ level: 'high', reason: `scope widened: rule ${after.name} lost a condition` });
  else if (before.condition !== after.condition) findings.push({ level: 'medium', reason: `condition changed: rule ${after.name}` });
  if (missing(before.obligations, after.obligations).length > 0)
    findings.push({ level: 'medium', reason: `obligation dropped: rule ${after.name}` });
  return findings;
};

const denyRemoved = (rule: Rule, installation: boolean): Finding => ({
  level: installation ? 'critical' : 'high',
  reason: `deny removed: rule ${rule.name} on ${rule.resource}:${list(rule.actions)}`,
});

const denyChanged = (before: Rule, after: Rule, installation: boolean): readonly Finding[] => {
  const lost = actionsAdded(after.actions, before.actions);
  const other = before.resource !== after.resource && after.resource !== '*';
  const fewer = SELECTORS.some((selector) => narrows(before[selector], after[selector]));
  const conditional =
    missing(after.conditions, before.conditions).length > 0 ||
    (before.condition === '' && after.condition !== '') ||
    (before.timeWindows.length === 0 && after.timeWindows.length > 0);
  if (lost.length > 0 || other || fewer || conditional)
    return [
      { ...denyRemoved(before, installation), reason: `deny narrowed: rule ${after.name} on ${before.resource}:${list(before.actions)}` },
    ];
  return before.condition !== after.condition || !same(before.timeWindows, after.timeWindows)
    ? [{ level: 'medium', reason: `condition changed: rule ${after.name}` }]
    : [];
};

const rules = (before: readonly Rule[], after: readonly Rule[], installation: boolean): readonly Finding[] => {
  const now = new Map(after.map((rule) => [rule.name, rule]));
  const then = new Map(before.map((rule) => [rule.name, rule]));
  const gone = before.flatMap((rule): readonly Finding[] => {
    const next = now.get(rule.name);
    return rule.effect === 'deny' && next?.effect !== 'deny' ? [denyRemoved(rule, installation)] : [];
  });
  const changed = after.flatMap((rule): readonly Finding[] => {
    const last = then.get(rule.name);
    if (last?.effect !== rule.effect)
      return rule.effect === 'allow'
        ? allowAdded(rule)
        : [{ level: 'low', reason: `deny added: rule ${rule.name} on ${rule.resource}:${list(rule.actions)}` }];
    return rule.effect === 'allow' ? allowChanged(last, rule) : denyChanged(last, rule, installation);
  });
  return [...gone, ...changed];
};

const requirements = (before: Requirements | null, after: Requirements | null, installation: boolean): readonly Finding[] => {
  if (before === null) return after === null ? [] : [{ level: 'low', reason: 'requirement added' }];
  const level = installation ? 'critical' : 'high';
  if (after === null) return [{ level, reason: 'requirement removed' }];
  const findings: Finding[] = [];
  const loosened = (what: string) => void findings.push({ level, reason: `requirement loosened: ${what}` });
  if (missing(before.permissions, after.permissions).length > 0) loosened('fewer required permissions');
  if (widens(before.roles, after.roles)) loosened('more roles are allowed');
  if (before.mfa && !after.mfa) loosened('a second factor is no longer required');
  if (before.timeWindows.length > 0 && !same(before.timeWindows, after.timeWindows)) loosened('other time windows');
  if (actionsAdded(after.actions, before.actions).length > 0) loosened('it covers fewer actions');
  if (narrows(before.environments, after.environments) || narrows(before.workloads, after.workloads)) loosened('it covers less');
  if (before.resource !== after.resource && after.resource !== '*') loosened('it covers another resource type');
  if (missing(before.obligations, after.obligations).length > 0) findings.push({ level: 'medium', reason: 'obligation dropped' });
  return findings;
};

const STRENGTH: Readonly<Record<Mask['mask'], number>> = { partial: 1, hash: 2, full: 3, null: 3 };

const masks = (before: readonly Mask[], after: readonly Mask[]): readonly Finding[] =>
  before.flatMap((mask): readonly Finding[] => {
    const next = after.find((one) => one.field === mask.field && one.resource === mask.resource);
    if (next === undefined) return [{ level: 'high', reason: `mask removed: ${mask.field}` }];
    const weaker =
      STRENGTH[next.mask] < STRENGTH[mask.mask] ||
      missing(next.exceptRoles, mask.exceptRoles).length > 0 ||
      actionsAdded(next.actions, mask.actions).length > 0 ||
      // What another condition spares, nobody reads from its text.
      (next.condition !== '' && next.condition !== mask.condition);
    return weaker ? [{ level: 'high', reason: `mask weakened: ${mask.field}` }] : [];
  });

const CLASSES: readonly string[] = ['', ...CLASSIFICATIONS];

const classification = (before: string, after: string): readonly Finding[] =>
  CLASSES.indexOf(after) < CLASSES.indexOf(before)
    ? [{ level: 'critical', reason: `classification lowered: from ${before} to ${after === '' ? 'that of the resource' : after}` }]
    : [];

const named = (before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): readonly Finding[] =>
  Object.entries(before).flatMap(([name, source]): readonly Finding[] =>
    after[name] === source ? [] : [{ level: 'medium', reason: `condition ${after[name] === undefined ? 'removed' : 'changed'}: ${name}` }],
  );

const NOTHING: Omit<PolicyDocument, 'kind' | 'name' | 'description' | 'category'> = {
  requirements: null,
  rules: [],
  masks: [],
  classification: '',
  named: {},
  about: '',
};

/** One of the two may be null: created, deleted. */
export const assess = (before: PolicyDocument | null, after: PolicyDocument | null, installation: boolean): PolicyChange => {
  const [old, fresh] = [before ?? NOTHING, after ?? NOTHING];
  const findings = [
    ...requirements(old.requirements, fresh.requirements, installation),
    ...rules(old.rules, fresh.rules, installation),
    ...masks(old.masks, fresh.masks),
    ...classification(old.classification, old.about === fresh.about ? fresh.classification : ''),
    ...named(old.named, fresh.named),
  ].toSorted((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
  return {
    name: (after ?? before)?.name ?? '',
    kind: (after ?? before)?.kind ?? '',
    change: before === null ? 'created' : after === null ? 'deleted' : 'replaced',
    level: worst(findings.map(({ level }) => level)),
    reasons: [...new Set(findings.map(({ reason }) => reason))].slice(0, 20),
  };
};

const permissionsOf = (rules: readonly Rule[]): readonly string[] =>
  rules.filter(({ effect }) => effect === 'allow').flatMap(({ resource, actions }) => actions.map((action) => `${resource}:${action}`));

/** Named conditions that say something else afterwards, or nothing. Yields at each document. */
export function* alteredConditions(
  before: readonly PolicyDocument[],
  after: readonly PolicyDocument[],
): Generator<void, ReadonlySet<string>> {
  const now = new Map<string, string>();
  for (const { named: offered } of after) {
    for (const [name, source] of Object.entries(offered)) now.set(name, source);
    yield;
  }
  const altered = new Set<string>();
  for (const { named: offered } of before) {
    for (const [name, source] of Object.entries(offered)) if (now.get(name) !== source) altered.add(name);
    yield;
  }
  return altered;
}

/** What rules that lean on altered conditions allow: to change a rule's condition is to change the rule. */
export const allowedThrough = (altered: ReadonlySet<string>, { rules: all }: PolicyDocument): readonly string[] =>
  permissionsOf(all.filter(({ conditions }) => conditions.some((name) => altered.has(name))));

/** Permissions that the change newly allows to anybody: whoever applies it must hold them. */
export const allowedBy = (before: PolicyDocument | null, after: PolicyDocument | null): readonly string[] => {
  const old = new Map((before?.rules ?? []).map((rule) => [rule.name, rule]));
  return permissionsOf((after?.rules ?? []).filter((rule) => !same(old.get(rule.name), rule)));
};
