// What bounds a role: where and when it counts, whom it excludes, how many may hold it, how much it may see.
import type { AccessWindow } from '../base/access-window.ts';

export interface RoleBounds {
  /** It counts only in questions asked for one of these; empty = for all. */
  readonly workloads: readonly string[];
  readonly environments: readonly string[];
  /** It counts only at addresses within one of these (CIDR); empty = everywhere. */
  readonly addressRanges: readonly string[];
  /** It counts only within one of these; empty = always. */
  readonly hours: readonly AccessWindow[];
  /** It counts only for those who have shown a second factor. */
  readonly requireMfa: boolean;
  /** Roles that nobody holds together with this one. */
  readonly exclusiveWith: readonly string[];
  /** Most subjects that hold it; 0 = any number. */
  readonly maxHolders: number;
  /** Most secret classification that its holders may touch, where it is more than `internal`; '' = says nothing. */
  readonly clearance: string;
}

export const UNBOUNDED: RoleBounds = {
  workloads: [],
  environments: [],
  addressRanges: [],
  hours: [],
  requireMfa: false,
  exclusiveWith: [],
  maxHolders: 0,
  clearance: '',
};

/** Does it depend on anything but being held? */
export const isGated = (role: RoleBounds): boolean =>
  role.requireMfa || role.workloads.length + role.environments.length + role.addressRanges.length + role.hours.length > 0;
