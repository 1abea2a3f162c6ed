// When sessions were last seen: merged in memory, written once a minute. Losing a minute of it loses nothing that decides.
import type { TenantId } from '../base/caller.ts';
import { type Instant, type Millis, minutes } from '../base/time.ts';

/** A session is noted at most this often. */
export const ACTIVITY_STEP: Millis = minutes(1);

export interface Seen {
  readonly tenantId: TenantId;
  readonly sessionId: string;
  readonly at: Instant;
}

export interface Activity {
  /** Costs a look-up and a store; whoever calls it on the hot path calls it once a step. */
  note(seen: Seen): void;
  /** What was noted since the last time, each session once with its latest moment, at most `most` in a piece. */
  take(most: number): Iterable<readonly Seen[]>;
}

/** @param capacity sessions kept between two writes; what is beyond is noted a minute later. */
export const createActivity = (capacity: number): Activity => {
  // By tenant, then session: the texts are those that their tokens keep anyway, a key made of both would be one more.
  let noted = new Map<TenantId, Map<string, Millis>>();
  let size = 0;
  // Moments are kept as what they are after the first: a small number takes no room of its own.
  let first: Instant = 0;
  return {
    note({ tenantId, sessionId, at }) {
      let sessions = noted.get(tenantId);
      if (size === 0) first = at;
      const before = sessions?.get(sessionId);
      const after = at - first;
      if (before === undefined ? size >= capacity : before >= after) return;
      if (sessions === undefined) noted.set(tenantId, (sessions = new Map()));
      if (before === undefined) size += 1;
      sessions.set(sessionId, after);
    },
    take(most) {
      const taken = noted;
      noted = new Map();
      size = 0;
      return pieces(taken, first, most);
    },
  };
};

/** Made as they are asked for: all at once would weigh more than what is noted. */
function* pieces(noted: ReadonlyMap<TenantId, ReadonlyMap<string, Millis>>, first: Instant, most: number): Generator<readonly Seen[]> {
  let piece: Seen[] = [];
  for (const [tenantId, sessions] of noted)
    for (const [sessionId, after] of sessions) {
      if (piece.push({ tenantId, sessionId, at: first + after }) < most) continue;
      yield piece;
      piece = [];
    }
  if (piece.length > 0) yield piece;
}
