// Equal events counted together, in bounded memory: the first of a kind goes out at once, its repetitions once a window.
import type { AuditEntry } from '../base/event.ts';
import type { Instant, Millis } from '../base/time.ts';

/** Events that are to be written as one. */
export interface Counted {
  /** Events are equal when their kinds are. */
  readonly kind: string;
  readonly entry: AuditEntry;
  readonly count: number;
  /** When the first of them happened. */
  readonly since: Instant;
}

export interface TallyOptions {
  /** Kinds of event that wait to be written at once; as many again are remembered as written lately. */
  readonly capacity: number;
  /** How long repetitions are gathered. */
  readonly window: Millis;
  /** What becomes of a new kind when there is no room: an entry it is counted under instead. */
  readonly other: (entry: AuditEntry) => AuditEntry;
}

export interface Tally {
  /** `entry` is made for the first of its kind, and where there is no room. */
  add(kind: string, entry: () => AuditEntry, now: Instant): void;
  /** What is due at `now`, at most `limit`. Taken events are the caller's to write, or to put back. */
  take(now: Instant, limit: number): readonly Counted[];
  /** Everything, due or not. */
  takeAll(): readonly Counted[];
  /** After a failed write: counted again, due at once. */
  putBack(counted: readonly Counted[]): void;
  readonly size: number;
}

interface Cell {
  readonly entry: AuditEntry;
  count: number;
  since: Instant;
  due: Instant;
}

// Beyond `capacity` there is room for this many rows of "other": one a tenant, and '' for the rest.
const OTHERS = 1000;

export const createTally = ({ capacity, window, other }: TallyOptions): Tally => {
  const waiting = new Map<string, Cell>();
  const others = new Map<string, Cell>();
  /** Written lately: when the next of that kind is due. In the order of that time, so the oldest is first. */
  const quiet = new Map<string, Instant>();

  const into = (cells: Map<string, Cell>, key: string, entry: AuditEntry, count: number, now: Instant, due: Instant): void => {
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, { entry, count, since: now, due });
    else {
      cell.count += count;
      if (now < cell.since) cell.since = now;
      if (due < cell.due) cell.due = due;
    }
  };

  const addOther = (entry: AuditEntry, count: number, now: Instant): void => {
    const group = others.size < OTHERS || others.has(entry.tenantId) ? entry.tenantId : '';
    into(others, group, others.get(group)?.entry ?? other({ ...entry, tenantId: group }), count, now, now + window);
  };

  const remember = (key: string, due: Instant): void => {
    const oldest = quiet.size >= capacity ? quiet.keys().next() : null;
    // Forgetting one early costs a row, no more.
    if (oldest?.done === false) quiet.delete(oldest.value);
    quiet.set(key, due);
  };

  const drain = (cells: Map<string, Cell>, taken: Counted[], limit: number, due: Instant, then: (kind: string) => void): void => {
    for (const [key, cell] of cells) {
      if (taken.length >= limit) return;
      if (cell.due > due) continue;
      taken.push({ kind: key, entry: cell.entry, count: cell.count, since: cell.since });
      cells.delete(key);
      then(key);
    }
  };

  const forgetSpent = (now: Instant): void => {
    for (const [key, due] of quiet) {
      if (due > now) return;
      quiet.delete(key);
    }
  };

  return {
    add(kind, entry, now) {
      const cell = waiting.get(kind);
      if (cell !== undefined) {
        cell.count += 1;
        return;
      }
      if (waiting.size >= capacity) return addOther(entry(), 1, now);
      const due = quiet.get(kind);
      if (due !== undefined) quiet.delete(kind);
      waiting.set(kind, { entry: entry(), count: 1, since: now, due: due ?? now });
    },
    take(now, limit) {
      const taken: Counted[] = [];
      forgetSpent(now);
      drain(waiting, taken, limit, now, (key) => remember(key, now + window));
      drain(others, taken, limit, now, () => {});
      return taken;
    },
    takeAll() {
      const taken: Counted[] = [];
      for (const cells of [waiting, others]) drain(cells, taken, Infinity, Infinity, () => {});
      quiet.clear();
      return taken;
    },
    putBack(counted) {
      for (const { kind, entry, count, since } of counted) {
        if (waiting.has(kind) || waiting.size < capacity) {
          quiet.delete(kind);
          into(waiting, kind, entry, count, since, since);
        } else addOther(entry, count, since);
      }
    },
    get size() {
      return waiting.size + others.size + quiet.size;
    },
  };
};
