// Who is given something, and for how long: what every gift asks first.
import type { TenantId } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Subject, Window } from './subject.ts';
import type { Groups, Subjects } from './stores.ts';

const ASSIGNABLE: readonly string[] = ['user', 'service', 'group'];

/** An API key acts with its owner's rights and has none of its own. */
export const requireSubject = (subject: Subject): void => {
  if (!ASSIGNABLE.includes(subject.type)) throw badField('subject.type', `one of ${ASSIGNABLE.join(', ')}`);
  if (subject.id === '') throw badField('subject.id', 'must not be empty');
};

/** A row on `*` would count for no resource at all, and a deny that nobody notices to be none lets everything through. */
export const requireOneResource = (resourceId: string): void => {
  if (resourceId === '*') throw badField('resource_id', 'is the id of one resource: leave it empty for all of the type');
};

export const requireFuture = ({ notBefore, expiresAt }: Window, now: Instant): void => {
  if (expiresAt !== null && expiresAt <= now) throw badField('expires_at', 'must lie in the future', 'EXPIRY_INVALID');
  if (expiresAt !== null && notBefore !== null && expiresAt <= notBefore)
    throw badField('expires_at', 'must come after not_before', 'EXPIRY_INVALID');
};

/** NOT_FOUND / SUBJECT_UNKNOWN for somebody who is not there. */
export const requireKnown = async (subjects: Subjects, tenantId: TenantId, subject: Subject): Promise<void> => {
  if (!(await subjects.known(tenantId, subject)))
    throw new Fault('NOT_FOUND', 'SUBJECT_UNKNOWN', `no ${subject.type} of that id in the tenant`, { meta: { subject: subject.id } });
};

/** The same for whoever may be a group, in the transaction that holds the tenant's lock. */
export const requireThere = async (
  { groups, subjectsKnown }: { readonly groups: Pick<Groups, 'find'>; readonly subjectsKnown: Subjects },
  tx: Tx,
  tenantId: TenantId,
  subject: Subject,
): Promise<void> => {
  if (subject.type !== 'group') return requireKnown(subjectsKnown, tenantId, subject);
  if ((await groups.find(tx, tenantId, subject.id)) === null)
    throw new Fault('NOT_FOUND', 'SUBJECT_UNKNOWN', 'no group of that name in the tenant', { meta: { subject: subject.id } });
};
