// How a tenant's sessions live and how a second factor is asked for, as far as the tenant says something else than the installation. Pure.
import { badField } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';

export const RISK_LEVELS = ['low', 'medium', 'high', 'critical'] as const;
export type RiskLevel = (typeof RISK_LEVELS)[number];

/** 0 = the installation's. Words are as the proto spells them, never empty. */
export interface TenantPolicy {
  readonly idle: Millis;
  readonly life: Millis;
  readonly accessLife: Millis;
  readonly bindAddressFrom: RiskLevel | 'never';
  readonly bindDevice: 'when_shown' | 'always';
  readonly onAnomaly: 'warn' | 'block' | 'ignore';
  /** 0 = uncounted. */
  readonly requestsPerMinute: number;
  readonly onExcess: 'warn' | 'block';
  readonly onOutdated: 'warn' | 'block';
  /** 0 = as old as the session. */
  readonly mfaMaxAge: Millis;
  /** Empty = any. */
  readonly mfaMethods: readonly string[];
}

export type SessionWords = Omit<TenantPolicy, 'mfaMaxAge' | 'mfaMethods'>;
export type MfaWords = Pick<TenantPolicy, 'mfaMaxAge' | 'mfaMethods'>;

export const DEFAULT_SESSION: SessionWords = {
  idle: 0,
  life: 0,
  accessLife: 0,
  bindAddressFrom: 'high',
  bindDevice: 'when_shown',
  onAnomaly: 'warn',
  requestsPerMinute: 0,
  onExcess: 'warn',
  onOutdated: 'warn',
};
export const DEFAULT_MFA: MfaWords = { mfaMaxAge: 0, mfaMethods: [] };
export const DEFAULT_POLICY: TenantPolicy = { ...DEFAULT_SESSION, ...DEFAULT_MFA };

const METHOD = /^[a-z0-9_.-]{1,32}$/;

/** INVALID_ARGUMENT that names the first method that is no word. */
export const newMethods = (field: string, methods: readonly string[]): readonly string[] => {
  const bad = methods.findIndex((method) => !METHOD.test(method));
  if (bad >= 0) throw badField(`${field}[${bad}]`, 'must be a lower-case word such as totp');
  return [...new Set(methods)];
};

/** Does a login of this risk bind its tokens to its address? */
export const bindsAddress = (level: RiskLevel, from: TenantPolicy['bindAddressFrom']): boolean =>
  from !== 'never' && RISK_LEVELS.indexOf(level) >= RISK_LEVELS.indexOf(from);
