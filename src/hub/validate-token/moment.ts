// The moment of a verdict: how old our knowledge is, how long the answer may be kept.
import { type Instant, type Millis, seconds } from '../../base/time.ts';
import type { Feed } from '../../storage/storage.ts';
import type { LiveRights } from '../verdict.ts';

/** What differs from call to call although the credential is the same. */
export interface Moment {
  readonly asOf: Instant;
  readonly freshUntil: Instant;
  readonly revocationSeq: number;
  readonly policyRevision: number;
  readonly degraded: boolean;
  readonly staleness: Millis;
}

export interface MomentPorts {
  readonly feed: Pick<Feed, 'age' | 'cursor'>;
}

/** News reaches every replica within this; nobody may keep an answer longer. */
const FRESH: Millis = seconds(2);
const DEGRADED: Millis = seconds(10);

export const createMomentOf =
  ({ feed }: MomentPorts) =>
  (now: Instant, expiresAt: Instant | null, rights: LiveRights | null): Moment => {
    const staleness = feed.age();
    const degraded = staleness >= DEGRADED;
    let freshUntil = degraded ? now : now + FRESH;
    if (expiresAt !== null && expiresAt > now && expiresAt < freshUntil) freshUntil = expiresAt;
    if (rights !== null && rights.validUntil !== null && rights.validUntil < freshUntil) freshUntil = rights.validUntil;
    return {
      asOf: now - staleness,
      freshUntil,
      revocationSeq: feed.cursor(),
      policyRevision: rights?.revision ?? 0,
      degraded,
      staleness,
    };
  };
