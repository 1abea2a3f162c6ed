// A user account: what it is called, which states it may be in, and what a change of state means for those who are logged in.
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Metadata } from '../base/metadata.ts';
import type { Instant } from '../base/time.ts';
import type { Change } from '../storage/storage.ts';

export const USER_STATUSES = ['active', 'inactive', 'locked', 'suspended', 'pending', 'deleted'] as const;
export type UserStatus = (typeof USER_STATUSES)[number];

export interface User {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly username: string;
  /** '' = none. */
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly status: UserStatus;
  readonly metadata: Metadata;
  /** null = no limits on its tokens, and no consent given. */
  readonly constraints: Constraints | null;
  /** Sessions with a smaller rsq are over. */
  readonly watermark: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly lastLoginAt: Instant | null;
  /** Until when failed logins lock it, from one address at least. */
  readonly lockedUntil: Instant | null;
}

export const userNotFound = (): Fault => new Fault('NOT_FOUND', 'USER_NOT_FOUND', 'no such user');

const CONTROL = /\p{Cc}/u;

/** Text that people read: no control characters. */
export const readable = (field: string, text: string): string => {
  if (CONTROL.test(text)) throw badField(field, 'must not hold control characters');
  return text;
};

/** Whoever judges tokens by what they say of their limits hears that there are new ones; `*` = those of everybody in the tenant. */
export const limitsChange = (tenantId: TenantId, key: string, until: Instant): Change => ({ kind: 'limits', tenantId, key, until });

/** Caches forget the user; with `ended`, every session opened before is over, in every replica's mirror until `until`. */
export const userChanges = (
  tenantId: TenantId,
  userId: string,
  ended?: { readonly reason: string; readonly until: Instant },
): readonly Change[] => [
  { kind: 'user_state', tenantId, key: userId, until: null },
  ...(ended === undefined ? [] : [{ kind: 'user', tenantId, key: userId, until: ended.until, detail: ended.reason } as const]),
];
