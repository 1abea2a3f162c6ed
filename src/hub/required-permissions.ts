// The permissions that a ValidateToken requires: the verdict CheckPermission would give on each for this token, without a resource.
import type { Authorization, Horizon, Situation } from '../authorization/authorization.ts';
import type { Call } from '../base/call.ts';
import type { Instant } from '../base/time.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import { ANY_FACTOR } from './gate.ts';
import { addressOf } from './presenter.ts';
import { situationOfToken } from './situation.ts';
import type { Proven } from './validate-token/proven.ts';
import type { LiveRights } from './verdict.ts';
import type { Weighed } from './weigh-use.ts';

export interface Required {
  /** As `LiveRights.holds`; a second factor that is lacking counts as held, and is asked for by `weighed`. */
  holds(permission: string): boolean;
  /** What became of the use once all were asked. */
  weighed(guarded: Weighed | null): Weighed;
}

const UNGUARDED: Weighed = { problems: [], warnings: [], stepUp: null, until: Number.POSITIVE_INFINITY };

/** `trusted`: the caller's word on the address counts. */
export const requiredOf = (
  permits: Authorization['permits'],
  rights: LiveRights,
  proven: Proven,
  context: RequestContext | undefined,
  call: Call,
  trusted: boolean,
): Required => {
  const horizon: Horizon = { until: Number.POSITIVE_INFINITY };
  let made: Situation | undefined;
  let lacking = false;
  const situation = (): Situation => {
    const shown = 'familyId' in proven.source ? proven.source : null;
    return (made ??= situationOfToken(shown, proven.credential.scopes ?? [], addressOf(context, call, trusted), call, horizon));
  };
  return {
    holds(permission) {
      const ruling = permits(rights, permission, situation);
      if (ruling === null) return rights.holds(permission);
      if (ruling.stepUp === true) lacking = true;
      return ruling.allowed || ruling.stepUp === true;
    },
    weighed(guarded) {
      const use = guarded ?? UNGUARDED;
      const until: Instant = Math.min(use.until, horizon.until);
      return { ...use, until, stepUp: use.stepUp ?? (lacking ? ANY_FACTOR : null) };
    },
  };
};
