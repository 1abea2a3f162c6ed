// Window of API keys.
import type { Call } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { millisOf, optionalTimestamp, timestampOf } from '../base/proto-time.ts';
import { type Instant, seconds } from '../base/time.ts';
import {
  type ApiKey as Printed,
  ApiKeyServiceService,
  type CreateApiKeyResponse,
  type GetApiKeyResponse,
  type ListApiKeysResponse,
  type RevokeApiKeyResponse,
} from '../gen/securityhub/v1/api_key.ts';
import { type Service, service } from '../server/rpc/define.ts';
import { type ApiKey, type ApiKeys, statusAt } from './api-keys.ts';

const millis = (span: { readonly seconds: number; readonly nanos: number } | undefined): number | null =>
  span === undefined ? null : Math.floor(millisOf(span));

const printed = (key: ApiKey, now: Instant): Printed => ({
  id: key.keyId,
  tenantId: key.tenantId,
  prefix: key.prefix,
  name: key.name,
  description: key.description,
  permissions: [...key.permissions],
  scopes: [...key.scopes],
  expiresAt: optionalTimestamp(key.expiresAt),
  createdAt: timestampOf(key.createdAt),
  createdBy: key.ownerId,
  lastUsedAt: optionalTimestamp(key.lastUsedAt),
  status: statusAt(key, now),
  metadata: { ...key.metadata },
});

const COLUMNS = { limit: 'manage', deadline: seconds(10) } as const;

type Door = Pick<ApiKeys, 'create' | 'get' | 'list' | 'revoke'>;

/** `holds`: owners reach their keys without a permission, so these rows check a foreign tenant themselves. */
export const apiKeyService = (apiKeys: Door, holds: (call: Call, permission: string) => Promise<boolean> | boolean): Service => {
  const tenantNamed = async (tenantId: string, call: Call): Promise<string> =>
    tenantOf(call.caller, tenantId, await holds(call, 'installation:tenants'));

  return service(ApiKeyServiceService, {
    createApiKey: {
      ...COLUMNS,
      access: { permission: 'api_keys:write' },
      audit: 'in-transaction',
      inPerson: true,
      idempotency: 'keyed',
      async handle(request, call): Promise<CreateApiKeyResponse> {
        const { name, description, permissions, scopes, metadata = {}, idempotencyKey } = request;
        const tenantId = tenantOf(call.caller, request.tenantId);
        const times = { ttl: millis(request.ttl), expiresAt: millis(request.expiresAt) };
        const created = await apiKeys.create(
          { tenantId, name, description, permissions, scopes, metadata, idempotencyKey, ...times },
          call,
        );
        return {
          apiKey: printed(created.key, call.now),
          secret: created.secret ?? '',
          warnings:
            created.secret === null
              ? [{ code: 'ALREADY_CREATED', message: 'this key was created by an earlier call, which showed its secret' }]
              : [],
          revision: created.revision,
        };
      },
    },
    getApiKey: {
      ...COLUMNS,
      access: { across: true },
      audit: 'none',
      idempotency: 'safe',
      async handle({ tenantId, apiKeyId }, call): Promise<GetApiKeyResponse> {
        return { apiKey: printed(await apiKeys.get(await tenantNamed(tenantId, call), apiKeyId, call), call.now) };
      },
    },
    listApiKeys: {
      ...COLUMNS,
      access: { permission: 'api_keys:read', across: true },
      audit: 'none',
      idempotency: 'safe',
      async handle({ createdBy, ...asked }, call): Promise<ListApiKeysResponse> {
        const { items, next } = await apiKeys.list({ ...asked, ownerId: createdBy, tenantId: tenantOf(call.caller, asked.tenantId, true) });
        return { apiKeys: items.map((key) => printed(key, call.now)), nextPageToken: next };
      },
    },
    revokeApiKey: {
      ...COLUMNS,
      access: { across: true },
      audit: 'in-transaction',
      // Never shed: a leaked key must be revocable under load.
      limit: 'vital',
      budget: 'revoke',
      idempotency: 'idempotent',
      async handle({ tenantId, apiKeyId, reason }, call): Promise<RevokeApiKeyResponse> {
        const revoked = await apiKeys.revoke({ tenantId: await tenantNamed(tenantId, call), keyId: apiKeyId, reason }, call);
        return { apiKey: printed(revoked.key, call.now), revision: revoked.revision, effectiveBy: timestampOf(revoked.effectiveBy) };
      },
    },
  });
};
