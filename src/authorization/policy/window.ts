// Whether it is time, and until when that holds: remembered, because looking at a calendar costs more than the rest of a rule.
import { windowState } from '../../base/access-window.ts';
import type { Instant } from '../../base/time.ts';
import type { Horizon } from '../situation.ts';
import type { TimeWindow } from './document.ts';

export interface Timer {
  /** Within one of the windows; brings the horizon nearer. */
  open(now: Instant, horizon: Horizon | null): boolean;
}

const stateOf = (windows: readonly TimeWindow[], now: Instant): { readonly open: boolean; readonly until: Instant } => {
  const alive = windows.filter(
    ({ notBefore, notAfter }) => (notBefore === null || notBefore <= now) && (notAfter === null || now < notAfter),
  );
  const edges = windows
    .flatMap(({ notBefore, notAfter }) => [notBefore, notAfter])
    .filter((edge) => edge !== null && edge > now) as Instant[];
  const bound = Math.min(Number.POSITIVE_INFINITY, ...edges);
  if (alive.length === 0) return { open: false, until: bound };
  const { open, until } = windowState(alive, now);
  return { open, until: Math.min(until, bound) };
};

/** null where there are no windows: it is always time. */
export const createTimer = (windows: readonly TimeWindow[]): Timer | null => {
  if (windows.length === 0) return null;
  let from = 0;
  let known = { open: false, until: 0 };
  return {
    open(now, horizon) {
      if (now < from || now >= known.until) {
        known = stateOf(windows, now);
        from = now;
      }
      if (horizon !== null && known.until < horizon.until) horizon.until = known.until;
      return known.open;
    },
  };
};
