// Door of the API keys: making, verifying, revoking.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Pager } from '../base/page.ts';
import type { Random } from '../base/random.ts';
import { andThen } from '../base/maybe.ts';
import { type Clock, type Instant, type Millis, minutes } from '../base/time.ts';
import type { Authorization } from '../authorization/authorization.ts';
import type { Identity } from '../identity/identity.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { CreateTracked, Database, Tx, Write } from '../storage/storage.ts';
import { type ApiKey, apiKeyNotFound, type ApiKeyStatus, statusAt, type VerifiedApiKey } from './api-key.ts';
import { type AskedKey, createApiKey, type CreatedKey, createFirstKey } from './create.ts';
import { type KeysAsked, listApiKeys, type ListedKeys } from './list.ts';
import { isOwner, lacking, revokeApiKey } from './revoke.ts';
import type { SecretKeys } from './secret.ts';
import { createUses, type KeyUses } from './uses.ts';
import { createVerify } from './verify.ts';

export { type ApiKey, type ApiKeyRefusal, type ApiKeyStatus, statusAt, type VerifiedApiKey } from './api-key.ts';
export { effectivePermissions, keyHolds, type OwnerRights } from './permissions.ts';

/** The port to the stored keys; whatever takes a transaction runs inside it. */
export interface ApiKeyStore {
  insert(tx: Tx, key: ApiKey, createdBy: string): Promise<void>;
  find(tx: Tx, tenantId: TenantId, keyId: string): Promise<ApiKey | null>;
  /** The row, held until the transaction ends. */
  lock(tx: Tx, tenantId: TenantId, keyId: string): Promise<ApiKey | null>;
  revoke(tx: Tx, tenantId: TenantId, keyId: string, reason: string): Promise<void>;
  page(
    tx: Tx,
    tenantId: TenantId,
    filter: { readonly status: ApiKeyStatus | ''; readonly ownerId: string },
    after: string,
    limit: number,
  ): Promise<readonly ApiKey[]>;
  used(tx: Tx, tenantId: TenantId, uses: KeyUses): Promise<void>;
}

/** What API keys ask of other capabilities. */
export interface ApiKeyPorts {
  readonly identity: Pick<Identity, 'tenant' | 'user'>;
  readonly authorization: Pick<Authorization, 'holding' | 'holds'>;
}

/** What the wire brings. */
export interface ApiKeyDeps extends ApiKeyPorts {
  readonly db: Database;
  readonly write: Write;
  readonly tracked: CreateTracked;
  readonly pager: Pager;
  readonly random: Random;
  readonly clock: Pick<Clock, 'now'>;
  readonly keys: ApiKeyStore;
  readonly claim: ClaimIdempotency;
  readonly secretKeys: SecretKeys;
  /** 0 = no bound. */
  readonly maxLife: Millis;
}

export interface ApiKeys {
  /** Everything there is to say of a secret, live: at once when it has been seen before. UNAVAILABLE when it must be loaded and cannot. */
  verify(secret: string, now: Instant): MaybePromise<VerifiedApiKey>;
  /** A key that may still be used; null for one that is unknown, revoked or past its end. */
  usable(tenantId: TenantId, keyId: string): MaybePromise<ApiKey | null>;
  create(asked: AskedKey, call: Call): Promise<CreatedKey>;
  /** PERMISSION_MISSING unless the caller owns it or holds `api_keys:read`. */
  get(tenantId: TenantId, keyId: string, call: Call): Promise<ApiKey>;
  list(asked: KeysAsked): Promise<ListedKeys>;
  revoke: ReturnType<typeof revokeApiKey>;
  /** For identity's bootstrap: a key with these permissions for the first administrator. */
  firstKey: ReturnType<typeof createFirstKey>;
  /** Writes when keys were last used. */
  flushUses(): Promise<void>;
}

export const createApiKeys = (deps: ApiKeyDeps): ApiKeys => {
  const { db, keys } = deps;
  const holding: Authorization['holding'] = (caller) => deps.authorization.holding(caller);
  const holds: Authorization['holds'] = (caller, permission) => deps.authorization.holds(caller, permission);
  const uses = createUses((tenantId, noted) => db.tenant(tenantId, (tx) => keys.used(tx, tenantId, noted)));
  const kept = deps.tracked<ApiKey | null>({
    kinds: ['api_key'],
    load: (tenantId, keyId) => db.tenant(tenantId, (tx) => keys.find(tx, tenantId, keyId)),
    capacity: 10_000,
    ttl: minutes(5),
  });
  const creating = { ...deps, holding };
  return {
    verify: createVerify({
      secretKeys: deps.secretKeys,
      key: (tenantId, keyId) => kept.get(tenantId, keyId),
      tenant: (tenantId) => deps.identity.tenant(tenantId),
      user: (tenantId, userId) => deps.identity.user(tenantId, userId),
      used: (key, now) => uses.note(key, now),
    }),
    usable: (tenantId, keyId) =>
      andThen(kept.get(tenantId, keyId), (key) => (key !== null && statusAt(key, deps.clock.now()) === 'active' ? key : null)),
    create: createApiKey(creating),
    firstKey: createFirstKey(creating),
    async get(tenantId, keyId, call) {
      const reads = await holds(call.caller, 'api_keys:read');
      const key = await db.tenant(tenantId, (tx) => keys.find(tx, tenantId, keyId));
      // Without the right, a key of somebody else and one that does not exist read alike.
      if (!reads && (key === null || !isOwner(key, call.caller))) throw lacking('api_keys:read');
      if (key === null) throw apiKeyNotFound();
      return key;
    },
    list: listApiKeys(deps),
    revoke: revokeApiKey({ write: deps.write, keys, holds }),
    flushUses: () => uses.flush(),
  };
};
