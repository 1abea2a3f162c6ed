// API keys in Postgres.
import { sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import { instant } from '../storage/instants.ts';
import type { Tx } from '../storage/storage.ts';
import type { Metadata } from '../base/metadata.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyStore } from './api-keys.ts';

interface Row {
  readonly tenant_id: string;
  readonly key_id: string;
  readonly name: string;
  readonly description: string;
  readonly prefix: string;
  readonly secret_hash: Buffer;
  readonly owner_id: string;
  readonly permissions: readonly string[];
  readonly scopes: readonly string[];
  readonly metadata: Metadata;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
}

const COLUMNS = sql.raw(
  'tenant_id, key_id, name, description, prefix, secret_hash, owner_id, permissions, scopes, metadata, created_at, expires_at, last_used_at, revoked_at',
);

const keyOfRow = (row: Row): ApiKey => ({
  tenantId: row.tenant_id,
  keyId: row.key_id,
  prefix: row.prefix,
  name: row.name,
  description: row.description,
  ownerId: row.owner_id,
  permissions: row.permissions,
  scopes: row.scopes,
  metadata: row.metadata,
  createdAt: row.created_at.getTime(),
  expiresAt: instant(row.expires_at),
  revokedAt: instant(row.revoked_at),
  lastUsedAt: instant(row.last_used_at),
  secretHash: row.secret_hash,
});

const STATUS = {
  active: sql`AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())`,
  expired: sql`AND revoked_at IS NULL AND expires_at <= clock_timestamp()`,
  revoked: sql`AND revoked_at IS NOT NULL`,
} as const;

const only = async (tx: Tx, tenantId: TenantId, keyId: string, forUpdate: boolean): Promise<ApiKey | null> => {
  const found = await sql<Row>`SELECT ${COLUMNS} FROM api_keys WHERE tenant_id = ${tenantId} AND key_id = ${keyId}
    ${forUpdate ? sql`FOR UPDATE` : sql``}`.execute(tx.tables());
  return found.rows[0] === undefined ? null : keyOfRow(found.rows[0]);
};

export const apiKeyStore: ApiKeyStore = {
  async insert(tx, key, createdBy) {
    await sql`
      INSERT INTO api_keys (tenant_id, key_id, name, description, prefix, secret_hash, owner_id, permissions, scopes, metadata, created_by,
        created_at, expires_at)
      VALUES (${key.tenantId}, ${key.keyId}, ${key.name}, ${key.description}, ${key.prefix}, ${key.secretHash}, ${key.ownerId},
        ${key.permissions}, ${key.scopes}, ${JSON.stringify(key.metadata)}::jsonb, ${createdBy}, ${new Date(key.createdAt)},
        ${key.expiresAt === null ? null : new Date(key.expiresAt)})`.execute(tx.tables());
  },
  find: (tx, tenantId, keyId) => only(tx, tenantId, keyId, false),
  lock: (tx, tenantId, keyId) => only(tx, tenantId, keyId, true),
  async revoke(tx, tenantId, keyId, reason) {
    await sql`UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_reason = ${reason}
      WHERE tenant_id = ${tenantId} AND key_id = ${keyId} AND revoked_at IS NULL`.execute(tx.tables());
  },
  async page(tx, tenantId, { status, ownerId }, after, limit) {
    const rows = await sql<Row>`SELECT ${COLUMNS} FROM api_keys WHERE tenant_id = ${tenantId} AND key_id > ${after}
      ${status === '' ? sql`` : STATUS[status]} ${ownerId === '' ? sql`` : sql`AND owner_id = ${ownerId}`}
      ORDER BY key_id LIMIT ${limit}`.execute(tx.tables());
    return rows.rows.map(keyOfRow);
  },
  async used(tx, tenantId, uses) {
    const ids = uses.map(([keyId]) => keyId);
    const times = uses.map(([, at]) => new Date(at));
    await sql`UPDATE api_keys k SET last_used_at = u.at
      FROM unnest(${ids}::text[], ${times}::timestamptz[]) AS u (key_id, at)
      WHERE k.tenant_id = ${tenantId} AND k.key_id = u.key_id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)`.execute(tx.tables());
  },
};
