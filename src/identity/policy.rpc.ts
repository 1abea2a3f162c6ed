// Policies as messages.
import { durationOf, millisOf } from '../base/proto-time.ts';
import { type Millis } from '../base/time.ts';
import type { Duration } from '../gen/google/protobuf/duration.ts';
import type { MfaPolicy, SessionPolicy } from '../gen/securityhub/v1/tenant.ts';
import { DEFAULT_MFA, DEFAULT_SESSION, type MfaWords, newMethods, type SessionWords, type TenantPolicy } from './policy.ts';

const millis = (duration: Duration | undefined): Millis => Math.floor(millisOf(duration));
const duration = (length: Millis): Duration | undefined => (length === 0 ? undefined : durationOf(length));

// The bounds of the proto leave nothing but the words and ''.
const word = <W extends string>(given: string, instead: W): W => (given === '' ? instead : (given as W));

export const sessionFrom = (message: SessionPolicy): SessionWords => ({
  idle: millis(message.idleTimeout),
  life: millis(message.maxLifetime),
  accessLife: millis(message.accessTokenLifetime),
  bindAddressFrom: word(message.bindAddressFrom, DEFAULT_SESSION.bindAddressFrom),
  bindDevice: word(message.bindDevice, DEFAULT_SESSION.bindDevice),
  onAnomaly: word(message.onAnomaly, DEFAULT_SESSION.onAnomaly),
  requestsPerMinute: message.requestsPerMinute,
  onExcess: word(message.onExcess, DEFAULT_SESSION.onExcess),
  onOutdated: word(message.onOutdated, DEFAULT_SESSION.onOutdated),
});

export const mfaFrom = (message: MfaPolicy): MfaWords => ({
  mfaMaxAge: millis(message.maxAge),
  mfaMethods: message.methods.length === 0 ? DEFAULT_MFA.mfaMethods : newMethods('mfa_policy.methods', message.methods),
});

export const printSession = (policy: TenantPolicy): SessionPolicy => ({
  idleTimeout: duration(policy.idle),
  maxLifetime: duration(policy.life),
  accessTokenLifetime: duration(policy.accessLife),
  bindAddressFrom: policy.bindAddressFrom,
  bindDevice: policy.bindDevice,
  onAnomaly: policy.onAnomaly,
  requestsPerMinute: policy.requestsPerMinute,
  onExcess: policy.onExcess,
  onOutdated: policy.onOutdated,
});

export const printMfa = (policy: TenantPolicy): MfaPolicy => ({
  maxAge: duration(policy.mfaMaxAge),
  methods: [...policy.mfaMethods],
});
