// Nobody gives what he does not hold.
import { Fault } from '../base/fault.ts';
import type { Holding } from './holding.ts';
import { printPermission } from './permission.ts';
import { flatten, type RoleLookup } from './role.ts';

const escalation = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'ESCALATION', 'nobody gives, takes or changes rights beyond his own', { meta: { permission } });

/** PERMISSION_DENIED / ESCALATION at the first permission that the caller does not hold itself. */
export const requireHeld = (holding: Holding, permissions: readonly string[]): void => {
  const beyond = permissions.find((permission) => !holding.holds(permission));
  if (beyond !== undefined) throw escalation(beyond);
};

/** The same for everything a role gives, inherited permissions included. */
export const requireRoleHeld = (holding: Holding, name: string, lookup: RoleLookup): void =>
  requireHeld(
    holding,
    flatten(name, lookup).map(({ permission }) => printPermission(permission)),
  );
