// What lies between a subject's rights and what somebody acting for it may do: a key's list, a token's scopes, a workload's entry.
import { scopeAllows } from '../base/scope.ts';
import { askedOf } from './conditional.ts';
import { evaluate } from './evaluate.ts';
import type { Question } from './question.ts';
import type { Step } from './explain.ts';
import { listHolds } from './holding.ts';
import { intersect, parsePermission, type Permission, printPermission } from './permission.ts';
import type { Rights } from './rights.ts';
import { allowedBy, denied, type Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';

export interface Limits {
  /** A workload entry's permissions: held besides roles and grants, and lost to an explicit deny. */
  readonly also: readonly string[];
  /** An API key's permissions: the most it can do, however much its owner may. null = no cap. */
  readonly cap: readonly string[] | null;
  /** Lists of scopes; each that is not empty caps. */
  readonly scopes: readonly (readonly string[])[];
}

export const BY_ENTRY = allowedBy('workload');
const BEYOND_KEY = denied('PERMISSION_MISSING', 'the API key does not carry this permission');
const BEYOND_SCOPES = denied('SCOPE_MISSING', 'the scopes do not cover this permission');

const withinScopes = (scopes: Limits['scopes'], permission: string): boolean => scopes.every((list) => scopeAllows(list, permission));

/** What an entry gives is as much subject to policies as anything else. */
const byEntry = (rights: Rights, question: Question, situation: Situation): Ruling => {
  const { policies } = rights.snapshot;
  return policies === null
    ? BY_ENTRY
    : policies.settle(question, { rights, situation, asked: () => askedOf(rights, question, situation) }, BY_ENTRY);
};

/** A limit can only take away, but for `also`; and nothing overrules a deny or a wall. */
export const decide = (rights: Rights, limits: Limits, question: Question, situation: Situation): Ruling => {
  const ruling = evaluate(rights, question, situation);
  const { type, action } = question;
  const own =
    ruling.open === true && limits.also.length > 0 && listHolds(limits.also, type, action) ? byEntry(rights, question, situation) : ruling;
  return own.allowed ? (beyond(limits, question) ?? own) : own;
};

/** What the limits say to anything that is otherwise allowed: null = nothing. */
export const beyond = ({ cap, scopes }: Limits, { type, action }: Pick<Question, 'type' | 'action'>): Ruling | null => {
  if (cap !== null && !listHolds(cap, type, action)) return BEYOND_KEY;
  return scopes.length === 0 || withinScopes(scopes, `${type}:${action}`) ? null : BEYOND_SCOPES;
};

/** Rights as they remain behind an entry or a key; scopes are the credential's and count apart. */
export interface LimitedRights extends Pick<Rights, 'roles' | 'permissions' | 'holds' | 'denies' | 'validUntil' | 'revision'> {
  /** What they were made from; absent where nothing limits. */
  readonly behind?: { readonly rights: Rights; readonly limits: Limits };
}

const parsed = (texts: readonly string[]): readonly Permission[] => texts.flatMap((text) => parsePermission(text) ?? []);

/** Pattern by pattern, the narrower side of each pair. */
const common = (texts: readonly string[], others: readonly string[]): readonly string[] => {
  const right = parsed(others);
  const both = parsed(texts).flatMap((mine) => right.flatMap((theirs) => intersect(mine, theirs) ?? []));
  return [...new Set(both.map(printPermission))].sort();
};

const limit = (rights: Rights, { also, cap }: Limits): LimitedRights => ({
  behind: { rights, limits: { also, cap, scopes: [] } },
  roles: rights.roles,
  get permissions() {
    const all = also.length === 0 ? rights.permissions : [...new Set([...rights.permissions, ...also])].sort();
    return cap === null ? all : common(all, cap);
  },
  holds(text) {
    const wanted = parsePermission(text);
    if (wanted === null) return false;
    if (cap !== null && !listHolds(cap, wanted.type, wanted.action)) return false;
    return rights.holds(text) || (also.length > 0 && listHolds(also, wanted.type, wanted.action) && !rights.denies(text));
  },
  denies: rights.denies,
  validUntil: rights.validUntil,
  revision: rights.revision,
});

/** The same object for the same rights and lists, so that what is made from it can be kept beside it. */
export const createLimitedRights = () => {
  const kept = new WeakMap<Rights, WeakMap<readonly string[], LimitedRights>>();
  return (rights: Rights, limits: Limits): LimitedRights => {
    if (limits.cap === null && limits.also.length === 0) return rights;
    const list = limits.cap ?? limits.also;
    let lists = kept.get(rights);
    if (lists === undefined) kept.set(rights, (lists = new WeakMap()));
    let limited = lists.get(list);
    if (limited === undefined) lists.set(list, (limited = limit(rights, limits)));
    return limited;
  };
};

export const explainLimits = (limits: Limits, { type, action }: Question): readonly Step[] => {
  const permission = `${type}:${action}`;
  const steps: Step[] = [];
  if (limits.also.length > 0) {
    const matched = listHolds(limits.also, type, action);
    steps.push({ kind: 'grant', rule: 'workload', effect: 'allow', matched, detail: "the permissions of the workload's entry" });
  }
  if (limits.cap !== null) {
    const matched = !listHolds(limits.cap, type, action);
    steps.push({ kind: 'scope', rule: 'api_key', effect: 'deny', matched, detail: "the API key's own permissions" });
  }
  for (const list of limits.scopes) {
    if (list.length === 0) continue;
    steps.push({
      kind: 'scope',
      rule: 'scopes',
      effect: 'deny',
      matched: !scopeAllows(list, permission),
      detail: `scopes ${list.join(' ')}`,
    });
  }
  return steps;
};
