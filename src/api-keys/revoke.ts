// Revokes an API key, for ever: by its owner, by itself, or by whoever manages keys.
import type { Call, MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Write } from '../storage/storage.ts';
import { type ApiKey, apiKeyNotFound } from './api-key.ts';
import type { ApiKeyStore } from './api-keys.ts';

interface Ports {
  readonly write: Write;
  readonly keys: Pick<ApiKeyStore, 'find' | 'lock' | 'revoke'>;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
}

/** Every connected replica has polled the feed by then (design: ≤ 2 s without Redis). */
const EVERYWHERE = seconds(2);

export const isOwner = (key: Pick<ApiKey, 'tenantId' | 'keyId' | 'ownerId'>, caller: Caller): boolean =>
  caller.kind !== 'anonymous' &&
  caller.tenantId === key.tenantId &&
  ((caller.kind === 'user' && caller.userId === key.ownerId) || (caller.kind === 'api_key' && caller.keyId === key.keyId));

export const lacking = (permission: string): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `this needs ${permission}, or to be the owner of the key`, { meta: { permission } });

export const revokeApiKey =
  ({ write, keys, holds }: Ports) =>
  async (
    asked: { readonly tenantId: TenantId; readonly keyId: string; readonly reason: string },
    call: Call,
  ): Promise<{ readonly key: ApiKey; readonly revision: number; readonly effectiveBy: Instant }> => {
    const { tenantId, keyId, reason } = asked;
    const manages = await holds(call.caller, 'api_keys:write');
    const { result, revision } = await write(tenantId, async (tx) => {
      const before = await keys.lock(tx, tenantId, keyId);
      // Without the right, a key of somebody else and one that does not exist read alike.
      if (!manages && (before === null || !isOwner(before, call.caller))) throw lacking('api_keys:write');
      if (before === null) throw apiKeyNotFound();
      if (before.revokedAt !== null) return { result: before };
      await keys.revoke(tx, tenantId, keyId, reason);
      return {
        result: (await keys.find(tx, tenantId, keyId)) ?? before,
        // The row itself keeps the revocation: replicas need only forget what they hold of it.
        changes: [{ kind: 'api_key', tenantId, key: keyId, until: null, detail: 'revoked' } as const],
        events: [
          eventOf(call, tenantId, 'api_key.revoked', `api_key:${keyId}`, {
            level: 'warning',
            details: { reason, ownerId: before.ownerId },
          }),
        ],
      };
    });
    return { key: result, revision, effectiveBy: call.now + EVERYWHERE };
  };
