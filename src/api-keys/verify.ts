// Is this API key good, now? At once and without I/O when it has been seen before; a made-up one never causes any.
import { hash } from 'node:crypto';
import { boundedMap } from '../base/bounded.ts';
import { equalBytes } from '../base/bytes.ts';
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { andThen, isPromise } from '../base/maybe.ts';
import { hours, type Instant } from '../base/time.ts';
import { type ApiKey, judge, type VerifiedApiKey } from './api-key.ts';
import { hashSecret, MAX_SECRET, PREFIX, readSecret, type Secret, type SecretKeys } from './secret.ts';

interface Standing {
  readonly status: string;
}

export interface VerifyPorts {
  readonly secretKeys: SecretKeys;
  /** The stored key, kept until the feed says that it changed. */
  readonly key: (tenantId: TenantId, keyId: string) => MaybePromise<ApiKey | null>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<Standing | null>;
  readonly user: (tenantId: TenantId, userId: string) => MaybePromise<Standing | null>;
  /** Called for each good answer. */
  readonly used: (key: ApiKey, now: Instant) => void;
}

const CAPACITY = 10_000;
const MALFORMED: VerifiedApiKey = { ok: false, reason: 'TOKEN_MALFORMED' };
const GONE: VerifiedApiKey = { ok: false, reason: 'TOKEN_REVOKED' };

export const createVerify = ({ secretKeys, key: load, tenant, user, used }: VerifyPorts) => {
  // Secrets proven before, by their SHA-256: whose they are never changes, so nothing here has to be forgotten when a key is revoked.
  const proven = boundedMap<string, Secret>(CAPACITY);

  const decide = (key: ApiKey, owning: Standing | null, owner: Standing | null, now: Instant): VerifiedApiKey => {
    const answer = judge(key, owning, owner, now);
    if (answer.ok) used(key, now);
    return answer;
  };

  const standing = (key: ApiKey, now: Instant): MaybePromise<VerifiedApiKey> => {
    const owning = tenant(key.tenantId);
    const owner = user(key.tenantId, key.ownerId);
    if (!isPromise(owning) && !isPromise(owner)) return decide(key, owning, owner, now);
    return Promise.all([owning, owner]).then(([one, other]) => decide(key, one, other, now));
  };

  return (secret: string, now: Instant): MaybePromise<VerifiedApiKey> => {
    if (secret.length > MAX_SECRET || !secret.startsWith(PREFIX)) return MALFORMED;
    const digest = hash('sha256', secret, 'base64');
    const seen = proven.get(digest, now);
    const place = seen ?? readSecret(secretKeys, secret);
    if (place === null) return MALFORMED;
    return andThen(load(place.tenantId, place.keyId), (key) => {
      // Our tag and no row: restored from before its creation, or deleted. It will not come back.
      if (key === null) return GONE;
      if (seen === undefined) {
        if (!equalBytes(hashSecret(secretKeys, secret), key.secretHash)) return MALFORMED;
        proven.set(digest, place, now + hours(1));
      }
      return standing(key, now);
    });
  };
};
