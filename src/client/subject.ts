// What a service may ask about a caller that passed a guard, without another call: the verdict it came with, read.
import { covers, parsePermission } from '../authorization/permission.ts';
import { badField, Fault } from '../base/fault.ts';
import type { LiveSubject } from '../gen/securityhub/v1/token.ts';
import type { Principal } from './guard.ts';

const liveOf = ({ live }: Principal): LiveSubject => {
  if (live !== undefined) return live;
  throw new Fault(
    'FAILED_PRECONDITION',
    'RIGHTS_UNKNOWN',
    'this verdict was given in local mode, which knows no roles and permissions: name them in the guard (permissions: […]), or ask checkPermission',
  );
};

/**
 * Did the caller hold this permission when the verdict was given, whatever the resource: by right now, within the scopes of its token, wildcards
 * and denies considered? What depends on a condition, an owner or one resource only `checkPermission` can tell.
 * @throws Fault INVALID_ARGUMENT / REQUEST_INVALID for what is no `<resource type>:<action>`, FAILED_PRECONDITION / RIGHTS_UNKNOWN in local mode
 */
export const hasPermission = (principal: Principal, permission: string): boolean => {
  const wanted = parsePermission(permission);
  if (wanted === null) throw badField('permission', 'is written <resource type>:<action>, such as orders:read');
  return liveOf(principal).permissions.some((text) => {
    const held = parsePermission(text);
    return held !== null && covers(held, wanted);
  });
};

/** Did the caller hold this role, itself or by inheritance? @throws Fault FAILED_PRECONDITION / RIGHTS_UNKNOWN in local mode */
export const hasRole = (principal: Principal, role: string): boolean => liveOf(principal).roles.includes(role);

/** Is the caller's account active? Of one that is not no verdict is good, and services and API keys have none: their credential stands for them. */
export const isActive = ({ type, live, verdict }: Principal): boolean =>
  verdict.valid && (type !== 'user' || live === undefined || live.status === 'active');
