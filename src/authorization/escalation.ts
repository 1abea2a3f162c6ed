// Nobody gives what he does not hold.
import type { Constraints } from '../base/constraints.ts';
import { Fault } from '../base/fault.ts';
import { clearanceOf } from './classification.ts';
import type { Holding } from './holding.ts';
import { printPermission } from './permission.ts';
import { flatten, type RoleLookup, waysDown } from './role.ts';

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

/** The same for everything a role gives, inherited permissions and clearances included. */
export const requireRoleHeld = (holding: Holding, name: string, lookup: RoleLookup): void => {
  requireHeld(
    holding,
    flatten(name, lookup).map(({ permission }) => printPermission(permission)),
  );
  for (const { role } of waysDown(name, lookup)) requireCleared(holding, role.clearance);
};

/**
 * Limits of roles bind those who have them. Whoever hands out roles must not thereby shake off his own: PERMISSION_DENIED /
 * PERMISSION_MISSING without admin:security.
 */
export const requireLift = (holding: Holding, limits: readonly Constraints[]): void => {
  if (limits.length === 0 || holding.owns(SECURITY)) return;
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
