// How much of everything a tenant has, and what was decided lately: for whoever looks after it.
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';

/** What has ended, or is built in, is not counted. */
export interface AuthorizationStatistics {
  readonly roles: number;
  readonly resourceTypes: number;
  readonly resources: number;
  readonly groups: number;
  readonly memberships: number;
  readonly assignments: number;
  readonly grants: number;
  readonly denies: number;
  readonly delegations: number;
  /** Of the active set, without the installation's. */
  readonly policies: number;
  /** Direct holders of each role, groups counted as one: those of the most holders. */
  readonly holders: Readonly<Record<string, number>>;
  /** Recorded decisions of the last 24 hours, by reason code. */
  readonly decisions: Readonly<Record<string, number>>;
}

/** The port to the counts. */
export interface StatisticsStore {
  count(tenantId: TenantId, now: Instant): Promise<AuthorizationStatistics>;
}
