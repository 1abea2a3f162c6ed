// The one way to change something: work, audit events, messages and, last, numbers in the feed; one transaction.
import type { TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { CLOCK_SKEW, type Millis } from '../base/time.ts';
import type { AppliedChange, Change, Database, Outcome, OutboxMessage, Tx, Write, WriteInstallation } from './storage.ts';

export interface WritePorts {
  readonly db: Database;
  readonly insertEvents: (tx: Tx, events: readonly AuditEntry[]) => Promise<void>;
  readonly insertMessages: (tx: Tx, messages: readonly OutboxMessage[]) => Promise<void>;
  readonly appendChanges: (tx: Tx, changes: readonly Change[]) => Promise<{ readonly seq: number; readonly generation: number }>;
  readonly feed: { cursor(): number; lag(): Millis; announce(changes: readonly AppliedChange[], generation: number): void };
  /** Messages wait in the outbox. */
  readonly onMessages?: () => void;
}

interface Stored<T> {
  readonly outcome: Outcome<T>;
  readonly changes: readonly Change[];
  readonly numbered: { readonly seq: number; readonly generation: number } | null;
}

export const createWrite = (ports: WritePorts): { readonly write: Write; readonly writeInstallation: WriteInstallation } => {
  /** A clock that is behind must not make a revocation end before the tokens it refuses. */
  const inTime = (changes: readonly Change[]): readonly Change[] => {
    const lag = ports.feed.lag();
    if (lag <= CLOCK_SKEW) return changes;
    return changes.map((change) => (change.until === null ? change : { ...change, until: change.until + lag }));
  };

  const inside = async <T>(tx: Tx, work: (tx: Tx) => Promise<Outcome<T>>): Promise<Stored<T>> => {
    const outcome = await work(tx);
    const { events = [], messages = [] } = outcome;
    const changes = inTime(outcome.changes ?? []);
    if (events.length > 0) await ports.insertEvents(tx, events);
    if (messages.length > 0) await ports.insertMessages(tx, messages);
    // Last, because nobody else gets a number until we have committed.
    return { outcome, changes, numbered: changes.length === 0 ? null : await ports.appendChanges(tx, changes) };
  };

  const after = <T>({ outcome, changes, numbered }: Stored<T>): { readonly result: T; readonly revision: number } => {
    if ((outcome.messages ?? []).length > 0) ports.onMessages?.();
    if (numbered === null) return { result: outcome.result, revision: ports.feed.cursor() };
    const first = numbered.seq - changes.length + 1;
    ports.feed.announce(
      changes.map((change, index) => ({ ...change, detail: (change.detail ?? '').slice(0, 64), seq: first + index })),
      numbered.generation,
    );
    return { result: outcome.result, revision: numbered.seq };
  };

  return {
    write: async <T>(tenantId: TenantId, work: (tx: Tx) => Promise<Outcome<T>>) =>
      after(await ports.db.tenant(tenantId, (tx) => inside(tx, work))),
    writeInstallation: async <T>(work: (tx: Tx) => Promise<Outcome<T>>) => after(await ports.db.jobs((tx) => inside(tx, work))),
  };
};
