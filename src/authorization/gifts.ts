// What policies give along with a role or a membership: nobody gives that either unless he holds it.
import type { TenantId } from '../base/caller.ts';
import type { Tx } from '../storage/storage.ts';
import { requireHeld } from './escalation.ts';
import type { Holding } from './holding.ts';
import { subjectKey } from './resolve.ts';
import type { Subject } from './subject.ts';
import type { Rules } from './stores.ts';

/** What rules allow to whoever is of `names`. `besides`: all that he is, for rules that ask for a principal and a role; null = anything. */
export type PolicyGifts = (names: readonly string[], besides?: readonly string[] | null) => readonly string[];

/** Who it is, its groups and its roles, as rules name them; null of a group: its members can be anything. */
const namesOf = async (rules: Pick<Rules, 'subject' | 'subjects'>, tx: Tx, tenantId: TenantId, subject: Subject) => {
  if (subject.type === 'group') return null;
  const own = await rules.subject(tx, tenantId, subject);
  const groups = own.memberships.map(({ group }): Subject => ({ type: 'group', id: group }));
  const all = [own, ...(groups.length === 0 ? [] : await rules.subjects(tx, tenantId, groups))];
  return [...[subject, ...groups].map(subjectKey), ...all.flatMap(({ assignments }) => assignments.map(({ role }) => `role:${role}`))];
};

/** Under the tenant's lock. `given`: `role:<name>`, `group:<name>`. PERMISSION_DENIED / ESCALATION. */
export const requireGiftsHeld = async (
  rules: Pick<Rules, 'subject' | 'subjects'>,
  tx: Tx,
  tenantId: TenantId,
  { held, gifts }: { readonly held: Holding; readonly gifts: PolicyGifts },
  given: readonly string[],
  to: Subject,
): Promise<void> => {
  // Who holds whatever it could be is not kept waiting.
  if (gifts(given, null).every((permission) => held.owns(permission))) return;
  const names = await namesOf(rules, tx, tenantId, to);
  requireHeld(held, gifts(given, names === null ? null : [...names, ...given]));
};
