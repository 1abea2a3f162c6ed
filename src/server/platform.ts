// What every capability may ask for when it is wired: clocks, stores, keys, logs. Values only; no capability stands here.
import type { AuditEntry } from '../base/event.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import type { Sealer } from '../base/sealer.ts';
import type { Clock } from '../base/time.ts';
import type { Pay } from './rpc/budgets.ts';
import type { Stores, Tx } from '../storage/storage.ts';

export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface Metrics {
  /** Bound to its labels once, so that counting costs an addition. */
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): { inc(by?: number): void };
  gauge(name: string, help: string, labels: Readonly<Record<string, string>>, read: () => number): void;
  histogram(name: string, help: string, labels?: Readonly<Record<string, string>>): { observe(seconds: number): void };
}

/** One metric for all caches of verdicts and of what they are made of: labels `cache` and `result`. */
export const CACHE_REQUESTS = 'securityhub_cache_requests_total';
export const CACHE_REQUESTS_HELP = 'Look-ups in memory: hit, refused (known as bad), miss.';

/** What the audit capability offers to the others. */
export interface Recorder {
  /** Inside a change's own transaction; `Write` calls it. */
  insert(tx: Tx, entries: readonly AuditEntry[]): Promise<void>;
  /** Durable when the promise resolves (group-committed), UNAVAILABLE / AUDIT_UNAVAILABLE otherwise. */
  required(entry: AuditEntry): Promise<void>;
  /** Counted per tenant, actor, method and reason, written every 10 s; never dropped. */
  refused(entry: AuditEntry): void;
  /** Allowed verdicts: bounded, sampled as configured, a loss recorded as a gap. Equal kinds are one event; `entry` is made for the first. */
  sampled(kind: string, entry: () => AuditEntry): void;
  flush(): Promise<void>;
}

export interface Platform extends Stores {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly production: boolean;
  readonly sealer: Sealer;
  readonly pager: Pager;
  readonly audit: Recorder;
  /** Takes from the budget of whoever asks, before work that no cache spares; RESOURCE_EXHAUSTED when it is empty. */
  readonly pay: Pay;
}
