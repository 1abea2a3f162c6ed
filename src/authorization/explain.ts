// The same decision told step by step: every kind of rule, what it looked at, what it found.
import { isForeign, isOwner, type Question } from './evaluate.ts';
import { findSlowly, type PatternSet } from './pattern-set.ts';
import type { Permission } from './permission.ts';
import type { Rights } from './rights.ts';
import { flatten } from './role.ts';
import type { Ruling } from './ruling.ts';

export interface Step {
  readonly kind: 'tenant' | 'deny' | 'role' | 'grant' | 'owner' | 'scope';
  /** The rule's name, '' where none was found. */
  readonly rule: string;
  /** What it does where it matches. */
  readonly effect: 'allow' | 'deny';
  readonly matched: boolean;
  readonly detail: string;
}

type Sets = readonly (PatternSet<Ruling> | null | undefined)[];

const hits = (kind: 'deny' | 'grant', sets: Sets, wanted: Permission): readonly Step[] => {
  const effect = kind === 'deny' ? 'deny' : 'allow';
  const found = sets.flatMap((set): Step[] => {
    const ruling = set && findSlowly(set.entries, wanted);
    return ruling ? [{ kind, rule: ruling.rules[0] ?? '', effect, matched: true, detail: ruling.reason }] : [];
  });
  return found.length > 0 ? found : [{ kind, rule: '', effect, matched: false, detail: `no ${kind} covers it` }];
};

const roleSteps = ({ roles, snapshot }: Rights, wanted: Permission): readonly Step[] => {
  if (roles.length === 0) return [{ kind: 'role', rule: '', effect: 'allow', matched: false, detail: 'the subject has no role' }];
  return roles.map((name): Step => {
    const given = flatten(name, snapshot.role).map((each) => ({ permission: each.permission, value: each }));
    const found = findSlowly(given, wanted);
    const detail = found ? `${found.path.join(' → ')} gives ${found.permission.type}:${found.permission.action}` : 'does not give it';
    return { kind: 'role', rule: `role:${name}`, effect: 'allow', matched: found !== undefined, detail };
  });
};

/** Never shortened by an early answer: a deny does not hide which role would have allowed it. */
export const explain = (rights: Rights, question: Question): readonly Step[] => {
  const wanted: Permission = { type: question.type, action: question.action };
  const { allows, denies, allowsOn, deniesOn } = rights.index;
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
    ...hits('deny', [denies, deniesOn?.get(question.resourceId)], wanted),
    ...roleSteps(rights, wanted),
    ...hits('grant', [allows, allowsOn?.get(question.resourceId)], wanted),
    {
      kind: 'owner',
      rule: 'owner',
      effect: 'allow',
      matched: owner,
      detail: owner
        ? 'the subject owns the resource, and owners may do it'
        : 'not the owner as far as we may believe, or owners may not do it',
    },
  ];
};
