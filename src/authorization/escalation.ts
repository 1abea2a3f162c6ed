// Nobody gives what he does not hold.
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Tx } from '../storage/storage.ts';
import { clearanceOf } from './classification.ts';
import type { Holding } from './holding.ts';
import { printPermission } from './permission.ts';
import type { Subject, SubjectRows } from './subject.ts';
import { constraintsOf, flatten, type RoleLookup, waysDown } from './role.ts';
import type { Rules } from './stores.ts';

const SECURITY = 'admin:security';

const escalation = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'ESCALATION', 'nobody gives, takes or changes rights beyond his own', { meta: { permission } });

/** PERMISSION_DENIED / ESCALATION at the first permission that the caller does not hold itself; what others lend him is not his to give. */
export const requireHeld = (holding: Holding, permissions: readonly string[]): void => {
  const beyond = permissions.find((permission) => !holding.owns(permission));
  if (beyond !== undefined) throw escalation(beyond);
};

/** PERMISSION_DENIED / ESCALATION where it is higher than the caller's own. '' = nothing said. */
export const requireCleared = (holding: Holding, clearance: string): void => {
  if ((clearanceOf(clearance) ?? 0) <= holding.clearance) return;
  throw new Fault('PERMISSION_DENIED', 'ESCALATION', 'nobody clears anybody beyond himself', { meta: { clearance } });
};

/** The same for everything these roles give, inherited permissions and clearances included. */
export const requireRolesHeld = (holding: Holding, names: readonly string[], lookup: RoleLookup): void => {
  for (const name of names) {
    requireHeld(
      holding,
      flatten(name, lookup).map(({ permission }) => printPermission(permission)),
    );
    for (const { role } of waysDown(name, lookup)) requireCleared(holding, role.clearance);
  }
};

/** The same for all that is given to a group or taken from it: whoever is in it uses that, and what is lent to it. */
export const requireReach = (holding: Holding, { assignments, grants, delegations }: SubjectRows, lookup: RoleLookup): void => {
  requireRolesHeld(
    holding,
    assignments.map(({ role }) => role),
    lookup,
  );
  requireHeld(holding, [...grants.map(({ permission }) => permission), ...delegations.flatMap(({ permissions }) => permissions)]);
};

/** The same where the subject (or, for a group, a member) holds more than the caller. Under the tenant's lock. */
export const requireStronger = async (
  rules: Pick<Rules, 'heldBy'>,
  tx: Tx,
  tenantId: TenantId,
  subject: Subject,
  holding: Holding,
  lookup: RoleLookup,
): Promise<void> => {
  const { roles, permissions } = await rules.heldBy(tx, tenantId, subject);
  requireRolesHeld(holding, roles, lookup);
  requireHeld(holding, permissions);
};

/**
 * Limits of roles bind those who have them. Whoever hands out roles must not thereby shake off his own: PERMISSION_DENIED /
 * PERMISSION_MISSING without admin:security.
 */
export const requireLift = (holding: Holding, names: readonly string[], lookup: RoleLookup): void => {
  if (constraintsOf(names, lookup).length === 0 || holding.owns(SECURITY)) return;
  throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `these roles limit whoever has them: lifting that needs ${SECURITY}`, {
    meta: { permission: SECURITY },
  });
};

/**
 * Is somebody with these permissions within the caller's reach? Everybody is within the reach of whoever runs the installation.
 * Taking an identity or its password outlasts a loan: what others lend does not count.
 */
export const outranks = (holding: Holding, permissions: readonly string[]): boolean =>
  permissions.every((permission) => holding.owns(permission)) || holding.owns('installation:tenants');
