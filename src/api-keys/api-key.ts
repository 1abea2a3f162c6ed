// An API key: a long-lived credential that acts for its owner, and when it is refused.
import type { TenantId } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Metadata } from '../base/metadata.ts';
import type { Instant, Millis } from '../base/time.ts';

export interface ApiKey {
  readonly tenantId: TenantId;
  readonly keyId: string;
  readonly prefix: string;
  readonly name: string;
  readonly description: string;
  /** The user it acts for. */
  readonly ownerId: string;
  readonly permissions: readonly string[];
  readonly scopes: readonly string[];
  readonly metadata: Metadata;
  readonly createdAt: Instant;
  /** null = never. */
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
  readonly lastUsedAt: Instant | null;
  /** Keyed hash of the secret; leaves the capability nowhere. */
  readonly secretHash: Buffer;
}

export type ApiKeyRefusal = 'TOKEN_MALFORMED' | 'TOKEN_REVOKED' | 'TOKEN_EXPIRED' | 'TENANT_SUSPENDED' | 'SUBJECT_SUSPENDED';
export type VerifiedApiKey = { readonly ok: true; readonly key: ApiKey } | { readonly ok: false; readonly reason: ApiKeyRefusal };

export const API_KEY_STATUSES = ['active', 'expired', 'revoked'] as const;
export type ApiKeyStatus = (typeof API_KEY_STATUSES)[number];

export const statusAt = (key: Pick<ApiKey, 'expiresAt' | 'revokedAt'>, now: Instant): ApiKeyStatus => {
  if (key.revokedAt !== null) return 'revoked';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active';
};

interface Standing {
  readonly status: string;
}

/** Whether a proven key may act now. Tenant and owner as they stand now, null where there is none. No tolerance: the clock that ends it is ours. */
export const judge = (key: ApiKey, tenant: Standing | null, owner: Standing | null, now: Instant): VerifiedApiKey => {
  const status = statusAt(key, now);
  if (status === 'revoked') return { ok: false, reason: 'TOKEN_REVOKED' };
  if (status === 'expired') return { ok: false, reason: 'TOKEN_EXPIRED' };
  if (tenant?.status !== 'active') return { ok: false, reason: 'TENANT_SUSPENDED' };
  return owner?.status === 'active' ? { ok: true, key } : { ok: false, reason: 'SUBJECT_SUSPENDED' };
};

export const apiKeyNotFound = (): Fault => new Fault('NOT_FOUND', 'API_KEY_NOT_FOUND', 'no such API key');

const wrongExpiry = (field: string, description: string): Fault => badField(field, description, 'EXPIRY_INVALID');

/** When a key asked for with `ttl` or `expiresAt` or neither ends; `maxLife` 0 = no bound. INVALID_ARGUMENT / EXPIRY_INVALID. */
export const endOf = (ttl: Millis | null, expiresAt: Instant | null, maxLife: Millis, now: Instant): Instant | null => {
  if (ttl !== null && expiresAt !== null) throw wrongExpiry('ttl', 'must not be given together with expires_at');
  const end = ttl !== null ? now + ttl : expiresAt;
  if (end === null) return maxLife === 0 ? null : now + maxLife;
  const field = ttl !== null ? 'ttl' : 'expires_at';
  if (!Number.isFinite(end) || end <= now) throw wrongExpiry(field, 'must lie in the future');
  if (maxLife !== 0 && end > now + maxLife)
    throw wrongExpiry(field, `must not be further away than ${Math.floor(maxLife / 86_400_000)} days`);
  // What neither a Date nor a timestamptz can hold.
  if (end > 253_402_300_799_999) throw wrongExpiry(field, 'must lie before the year 10000');
  return end;
};

/** Text that people read: no control characters but line breaks and tabs in descriptions. */
export const readable = (field: string, text: string, breaks = false): string => {
  if (/\p{Cc}/u.test(breaks ? text.replace(/[\n\r\t]/g, '') : text)) throw badField(field, 'must not hold control characters');
  return text;
};
