// Door of the audit capability: the recorder every other capability writes through, and the search that finds events again.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Instant, Millis } from '../base/time.ts';
import type { Log, Metrics, Recorder } from '../server/platform.ts';
import type { CreateGroupCommit, Tx } from '../storage/storage.ts';
import type { AuditEvent } from './event.ts';
import { createPartitionKeeper } from './partitions.ts';
import { createRecorder } from './record.ts';
import { createSearch } from './search.ts';

export type { AuditEvent } from './event.ts';

/** Every member narrows; '' and null narrow nothing. */
export interface EventFilter {
  /** Inclusive. */
  readonly from: Instant | null;
  /** Exclusive. */
  readonly until: Instant | null;
  /** A type, or all of a noun: `token.refreshed`, `token.*`. Any of them. */
  readonly types: readonly string[];
  readonly actorType: string;
  readonly actorId: string;
  readonly resource: string;
  readonly action: string;
  readonly result: string;
  readonly sessionId: string;
  readonly requestId: string;
}

/** Where a list goes on: after the event with this time and id. */
export interface Position {
  readonly time: Instant;
  readonly id: string;
}

/** The port to the log. Events are only ever added. */
export interface EventStore {
  /** In the caller's transaction. */
  insert(tx: Tx, events: readonly AuditEvent[]): Promise<void>;
  /** In a transaction of its own; events of any tenants. */
  append(events: readonly AuditEvent[]): Promise<void>;
  /** Newest first. */
  search(tenantId: TenantId, filter: EventFilter, after: Position | null, limit: number): Promise<readonly AuditEvent[]>;
  /** Makes the month's partition; false where it stands. `month` is `YYYY-MM-01`. */
  keepMonth(month: string): Promise<boolean>;
  /** Drops what is wholly older; names of the dropped partitions. */
  dropBefore(bound: Instant): Promise<readonly string[]>;
}

export type Decisions = { readonly kind: 'all' } | { readonly kind: 'refusals' } | { readonly kind: 'sample'; readonly rate: number };

export interface AuditSettings {
  readonly decisions: Decisions;
  /** false stops what is best effort, never a change's own event, a required event or a refusal. */
  readonly bestEffort: boolean;
  readonly retention: Millis;
}

export interface AuditDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pager: Pager;
  readonly store: EventStore;
  readonly groupCommit: CreateGroupCommit;
  readonly settings: AuditSettings;
}

export interface SearchRequest {
  readonly tenantId: TenantId;
  readonly filter: EventFilter;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface Audit {
  readonly recorder: Recorder;
  /** Newest first. INVALID_ARGUMENT / PAGE_TOKEN_INVALID for a token of another list. */
  search(request: SearchRequest): MaybePromise<{ readonly events: readonly AuditEvent[]; readonly nextPageToken: string }>;
  /** Writes what is due of refusals and verdicts; once a second. */
  writeDue(): Promise<void>;
  /** Makes the partitions of this month and the two to come, drops those beyond the retention; under a lease. */
  keepPartitions(): Promise<void>;
}

export const createAudit = (deps: AuditDeps): Audit => {
  const recording = createRecorder(deps);
  return { ...recording, search: createSearch(deps, recording), keepPartitions: createPartitionKeeper(deps, recording.recorder) };
};
