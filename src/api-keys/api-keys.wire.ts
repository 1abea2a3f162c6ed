// Joins the API keys with their store.
import { createClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import type { apiKeysConfig } from './api-keys.config.ts';
import { apiKeyService } from './api-keys.rpc.ts';
import { type ApiKeyPorts, type ApiKeys, createApiKeys } from './api-keys.ts';
import { apiKeyStore } from './keys.postgres.ts';
import { FLUSH_EVERY } from './uses.ts';

export interface ApiKeysWire {
  readonly door: ApiKeys;
  readonly services: readonly Service[];
  /** Writes what was noted of last uses. */
  close(): Promise<void>;
}

export const wireApiKeys = (platform: Platform, config: Values<typeof apiKeysConfig>, ports: ApiKeyPorts): ApiKeysWire => {
  const { sealer } = platform;
  const door = createApiKeys({
    ...platform,
    ...ports,
    keys: apiKeyStore,
    claim: createClaimIdempotency(sealer.derive('idempotency')),
    secretKeys: { tag: sealer.derive('api-key-tag'), hash: sealer.derive('api-key-hash') },
    maxLife: config.maxLife,
  });
  platform.every('api-keys.uses', FLUSH_EVERY, () => door.flushUses());
  return {
    door,
    services: [apiKeyService(door, (call, permission) => ports.authorization.holds(call.caller, permission))],
    close: () => door.flushUses(),
  };
};
