// Is the caller the user it asks about?
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';

/** Whoever acts for a user by an exchanged token is not that user. */
export const isSelf = ({ caller }: Pick<Call, 'caller'>, tenantId: TenantId, userId: string): boolean =>
  caller.kind === 'user' && caller.delegated !== true && caller.tenantId === tenantId && caller.userId === userId;
