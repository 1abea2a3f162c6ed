// What identity wants to know of rights: what a caller holds, which roles a user has, who may act upon whom.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Clock } from '../base/time.ts';
import type { Authorization } from '../authorization/authorization.ts';
import type { AssignRoles } from './create-user.ts';

type Rules = Pick<
  Authorization,
  'assignRoles' | 'requireOtherOwner' | 'rights' | 'rightsOf' | 'holding' | 'holds' | 'outranks' | 'mightOf'
>;

/** So many subjects are looked up at once: a long list must not take every connection. */
const SLICE = 20;

export const createStanding = (rules: Rules, clock: Pick<Clock, 'now'>) => {
  const assignRoles: AssignRoles = (tx, tenantId, subject, roles, call) => rules.assignRoles(tx, tenantId, subject, roles, call);
  const reaches = async (call: Call, tenantId: TenantId, userId: string, how: 'holds' | 'owns'): Promise<boolean> => {
    const held = await rules.holding(call.caller);
    if (call.caller.kind !== 'anonymous' && call.caller.tenantId !== tenantId) return held[how]('installation:tenants');
    const might = await rules.mightOf(tenantId, { type: 'user', id: userId });
    return might.every((permission) => held[how](permission));
  };
  return {
    assignRoles,
    requireOtherOwner: (...one: Parameters<Rules['requireOtherOwner']>) => rules.requireOtherOwner(...one),
    holds: (call: Call, permission: string): MaybePromise<boolean> => rules.holds(call.caller, permission),
    owns: async (call: Call, permission: string): Promise<boolean> => (await rules.holding(call.caller)).owns(permission),
    outranksService: (call: Call, tenantId: TenantId, key: string, more: readonly string[]): MaybePromise<boolean> =>
      rules.outranks(call.caller, tenantId, { type: 'service', id: key }, more),
    /** Roles given directly. */
    async rolesOf(tenantId: TenantId, userIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
      const roles = new Map<string, readonly string[]>();
      for (let at = 0; at < userIds.length; at += SLICE) {
        const wanted = userIds.slice(at, at + SLICE).map((id) => ({ tenantId, subject: { type: 'user', id } }));
        for (const rights of await rules.rightsOf(wanted, clock.now())) roles.set(rights.subject.id, rights.roles);
      }
      return roles;
    },
    /**
     * May the caller suspend this user or change its account? Only when it holds all that the user holds; else it could take over
     * somebody stronger. Whoever runs the installation stands above every other tenant.
     */
    outranks: (call: Call, tenantId: TenantId, userId: string): Promise<boolean> => reaches(call, tenantId, userId, 'holds'),
    /** The same for becoming that user: what is only lent does not count, since a password outlasts the loan. */
    mayBecome: (call: Call, tenantId: TenantId, userId: string): Promise<boolean> => reaches(call, tenantId, userId, 'owns'),
  };
};
