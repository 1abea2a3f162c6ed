// How long a revocation must be remembered: as long as any token could live that it refuses.
import type { TenantId } from '../base/caller.ts';
import { CLOCK_SKEW, type Clock, type Instant, type Millis, seconds } from '../base/time.ts';
import type { Change } from '../storage/storage.ts';
import { MAX_GRACE } from './verify.ts';
import type { WatermarkKind } from './mirror.ts';

export interface Watermarks {
  readonly clock: Clock;
  /** The longest life that any verifier accepts. */
  readonly longest: Millis;
}

/** Connected replicas refuse what was revoked this long after the commit at the latest: the feed's poll, once missed. */
export const PROPAGATION: Millis = seconds(2);

/** A token issued up to this moment is expired, grace and skew included. */
export const watermarkUntil = ({ clock, longest }: Watermarks): Instant => clock.now() + longest + MAX_GRACE + CLOCK_SKEW;

export const watermark = (marks: Watermarks, kind: WatermarkKind, tenantId: TenantId, key: string, detail: string): Change => ({
  kind,
  tenantId,
  key,
  until: watermarkUntil(marks),
  detail,
});
