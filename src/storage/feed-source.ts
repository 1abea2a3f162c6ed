// The port to where the feed's rows come from: the primary, always.
import type { Instant, Millis } from '../base/time.ts';
import type { AppliedChange } from './storage.ts';

export interface FeedRow extends Omit<AppliedChange, 'kind'> {
  readonly kind: string;
  /** Differs when another history wrote the same number. */
  readonly stamp: string;
}

export interface FeedHead {
  readonly seq: number;
  readonly generation: number;
  /** A standby answered: it may be behind. */
  readonly recovery: boolean;
  /** Of the row with the number `seq`, where it still stands. */
  readonly stamp: string | null;
}

export interface FeedPoll extends Omit<FeedHead, 'stamp'> {
  /** The database's clock. */
  readonly serverTime: Instant;
  /** From the cursor's own row on, in order. */
  readonly rows: readonly FeedRow[];
}

export interface FeedSource {
  head(): Promise<FeedHead>;
  /** One round trip; also says that this replica is alive and how far it has come. */
  poll(cursor: number, generation: number, limit: number): Promise<FeedPoll>;
  /** Rows whose `until` is to come, in order. */
  live(after: number, head: number, limit: number, now: Instant): Promise<readonly FeedRow[]>;
  /** The other replicas seen lately. */
  replicas(seq: number, generation: number, within: Millis): Promise<{ readonly acknowledged: number; readonly live: number }>;
  farewell(): Promise<void>;
}
