// What is asked: an action on a resource, as far as the asker is believed about that resource.
import type { TenantId } from '../base/caller.ts';

export interface ResourceRef {
  readonly type: string;
  readonly id: string;
}

export interface Question {
  /** A resource type known to the subject's tenant, and an action; neither may be a wildcard. */
  readonly type: string;
  readonly action: string;
  /** '' = no resource in particular: grants on one resource do not count. */
  readonly resourceId: string;
  /** '' = the subject's own tenant. */
  readonly resourceTenantId: TenantId;
  /** Who owns the resource, as far as the asker is believed about that; '' = nobody we know of. */
  readonly ownerId: string;
  /** '' = as secret as its type is by default. */
  readonly classification: string;
  /** What it lies in, nearest first. */
  readonly parents: readonly ResourceRef[];
  /** Whoever is not believed can make a resource more secret and name parents that are denied, nothing else. */
  readonly believed: boolean;
}

/** What a resource may lie in, one in the other. */
export const PARENTS_MAX = 8;
