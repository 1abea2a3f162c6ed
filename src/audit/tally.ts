// Equal events counted together, in bounded memory: the first of a kind goes out at once, its repetitions once a window.
import type { AuditEntry } from '../base/event.ts';
import type { Instant, Millis } from '../base/time.ts';

/** Events that are to be written as one. */
export interface Counted {
  readonly entry: AuditEntry;
  readonly count: number;
  /** When the first of them happened. */
  readonly since: Instant;
}

export interface TallyOptions {
  /** Distinct kinds of event held at once. */
  readonly capacity: number;
  /** How long repetitions are gathered. 0: everything goes with the next `take`. */
  readonly window: Millis;
  /** Events are equal when their keys are. */
  readonly keyOf: (entry: AuditEntry) => string;
  /** What becomes of a new kind when there is no room: an entry it is counted under instead. */
  readonly other: (entry: AuditEntry) => AuditEntry;
}

export interface Tally {
  add(entry: AuditEntry, count: number, now: Instant): void;
  /** What is due at `now`, at most `limit`. Taken events are the caller's to write, or to put back. */
  take(now: Instant, limit: number): readonly Counted[];
  /** Everything, due or not. */
  takeAll(): readonly Counted[];
  /** After a failed write: counted again, due at once. */
  putBack(counted: readonly Counted[]): void;
  readonly size: number;
}

interface Cell {
  entry: AuditEntry;
  count: number;
  since: Instant;
  due: Instant;
}

// Beyond `capacity` there is room for this many rows of "other": one a tenant, and '' for the rest.
const OTHERS = 1000;

export const createTally = (options: TallyOptions): Tally => {
  const cells = new Map<string, Cell>();
  const others = new Map<string, Cell>();

  const count = (cell: Cell | undefined, by: number, now: Instant): boolean => {
    if (cell === undefined) return false;
    if (cell.count === 0) cell.since = now;
    cell.count += by;
    return true;
  };

  const add = (entry: AuditEntry, by: number, now: Instant): Cell => {
    const key = options.keyOf(entry);
    const cell = cells.get(key);
    if (cell !== undefined) {
      count(cell, by, now);
      return cell;
    }
    if (cells.size < options.capacity) {
      const made = { entry, count: by, since: now, due: now };
      cells.set(key, made);
      return made;
    }
    const group = others.size < OTHERS || others.has(entry.tenantId) ? entry.tenantId : '';
    const other = others.get(group);
    if (other !== undefined) {
      count(other, by, now);
      return other;
    }
    const stand = options.other(group === entry.tenantId ? entry : { ...entry, tenantId: '' });
    const made = { entry: stand, count: by, since: now, due: now + options.window };
    others.set(group, made);
    return made;
  };

  const drain = (from: Map<string, Cell>, into: Counted[], now: Instant, limit: number, force: boolean): void => {
    for (const [key, cell] of from) {
      if (into.length >= limit) return;
      if (!force && cell.due > now) continue;
      if (cell.count > 0) into.push({ entry: cell.entry, count: cell.count, since: cell.since });
      if (cell.count === 0 || options.window === 0 || force) {
        from.delete(key);
        continue;
      }
      cell.count = 0;
      cell.due = now + options.window;
    }
  };

  return {
    add: (entry, by, now) => void add(entry, by, now),
    take(now, limit) {
      const taken: Counted[] = [];
      drain(cells, taken, now, limit, false);
      drain(others, taken, now, limit, false);
      return taken;
    },
    takeAll() {
      const taken: Counted[] = [];
      drain(cells, taken, 0, Infinity, true);
      drain(others, taken, 0, Infinity, true);
      return taken;
    },
    putBack(counted) {
      for (const { entry, count: by, since } of counted) {
        const cell = add(entry, by, since);
        cell.since = Math.min(cell.since, since);
        cell.due = Math.min(cell.due, since);
      }
    },
    get size() {
      return cells.size + others.size;
    },
  };
};
