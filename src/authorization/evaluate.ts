// The decision: wall, denies, allows, and otherwise no. Pure, a handful of look-ups, no allocation.
import type { Rights } from './rights.ts';
import { DEFAULT, FOREIGN, OWNED, type Ruling } from './ruling.ts';

export interface Question {
  /** A resource type known to the subject's tenant, and an action; neither may be a wildcard. */
  readonly type: string;
  readonly action: string;
  /** '' = no resource in particular: grants on one resource do not count. */
  readonly resourceId: string;
  /** '' = the subject's own tenant. */
  readonly resourceTenantId: string;
  /** Who owns the resource, as far as the asker is believed about that; '' = nobody we know of. */
  readonly ownerId: string;
  /** Carried for rules about it; no rule of ours reads it yet. */
  readonly classification: string;
}

export const isForeign = (rights: Rights, question: Question): boolean =>
  question.resourceTenantId !== '' && question.resourceTenantId !== rights.snapshot.tenantId;

export const isOwner = ({ subject, snapshot }: Rights, { type, action, ownerId }: Question): boolean => {
  if (ownerId === '' || ownerId !== subject.id) return false;
  const actions = snapshot.type(type)?.ownerActions ?? [];
  return actions.includes(action) || actions.includes('*');
};

/** Stages in the order of their authority: what stands first cannot be overruled by what follows. */
export const evaluate = (rights: Rights, question: Question): Ruling => {
  const { type, action, resourceId } = question;
  const { roles, allows, denies, allowsOn, deniesOn } = rights.index;

  if (isForeign(rights, question)) return FOREIGN;

  const deny = denies?.find(type, action) ?? (deniesOn === null ? undefined : deniesOn.get(resourceId)?.find(type, action));
  if (deny !== undefined) return deny;

  const allow =
    roles.allows.find(type, action) ??
    allows?.find(type, action) ??
    (allowsOn === null ? undefined : allowsOn.get(resourceId)?.find(type, action));
  if (allow !== undefined) return allow;

  return isOwner(rights, question) ? OWNED : DEFAULT;
};
