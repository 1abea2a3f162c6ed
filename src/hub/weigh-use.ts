// A use of a guarded token, weighed: what stands against it, what is worth a warning, whether a better proof would do. Pure.
import type { SecondFactor } from '../base/caller.ts';
import type { Restrictions } from '../base/constraints.ts';
import { durationOf } from '../base/proto-time.ts';
import type { Instant } from '../base/time.ts';
import type { StepUp } from '../gen/securityhub/v1/token.ts';
import { type Guards, hours, lackingFactor, OUTSIDE, type Proved, provedUntil } from './guards.ts';
import { type Credential, OTHER_DEVICE, type Presenter, type Reason } from './verdict.ts';

/** What is read of a user's access token. */
export interface SessionToken extends Pick<Credential, 'deviceId' | 'fingerprint'>, Proved {
  /** undefined of a foreign token, which knows none of ours. */
  readonly restrictions: Restrictions | null | undefined;
}

/** Authentication context classes and methods as in claims (`acr`, `amr`), for people who have to prove themselves again (RFC 9470). */
export const stepUpOf = ({ methods, maxAge }: Pick<SecondFactor, 'methods' | 'maxAge'>): StepUp => ({
  acrValues: ['aal2'],
  methods: [...methods],
  maxAge: maxAge === 0 ? undefined : durationOf(maxAge),
});

export interface Weighed {
  readonly problems: readonly Reason[];
  readonly warnings: readonly Reason[];
  /** With it the use would be good; null where nothing is lacking. */
  readonly stepUp: StepUp | null;
  /** Nobody may keep the answer longer. */
  readonly until: Instant;
}

/** A device that must be shown is believed only from whoever may speak of devices. */
const showsDevice = (credential: SessionToken, presenter: Presenter): boolean =>
  presenter.believed &&
  (credential.deviceId === '' || credential.deviceId === presenter.deviceId) &&
  (credential.fingerprint === '' || credential.fingerprint === presenter.fingerprint);

export const weighUse = (
  guards: Guards,
  credential: SessionToken,
  presenter: Presenter,
  permissions: readonly string[],
  now: Instant,
): Weighed => {
  const { open, until } = hours(guards, now);
  const problems: Reason[] = [];
  if (!open) problems.push(OUTSIDE);
  const recorded = credential.deviceId !== '' || credential.fingerprint !== '';
  if (guards.device && recorded && !showsDevice(credential, presenter)) problems.push(OTHER_DEVICE);
  if (guards.outdatedBlocks) problems.push(...guards.outdated);
  const factor = permissions.length === 0 ? null : lackingFactor(guards, credential, now);
  const lacking = factor !== null && permissions.some((permission) => factor.neededFor(permission));
  const proof = guards.factor === null || factor !== null ? Number.POSITIVE_INFINITY : provedUntil(credential, guards.factor);
  return {
    problems,
    warnings: guards.outdatedBlocks ? [] : guards.outdated,
    stepUp: lacking ? stepUpOf(factor) : null,
    until: Math.min(until, proof > now ? proof : Number.POSITIVE_INFINITY),
  };
};
