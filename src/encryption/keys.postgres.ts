// Keys in Postgres, always sealed.
import { sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { KeyName, KeyStore } from './encryption.ts';
import type { Algorithm } from './envelope.ts';
import type { EncryptionKey, KeyStatus, KeyVersion, KeyWithVersions, SealedVersion } from './key.ts';

interface KeyTable {
  readonly tenant_id: string;
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
  readonly algorithm: Algorithm;
  readonly status: KeyStatus;
  readonly primary_version: number;
  readonly rotation_period: number | null;
  readonly next_rotation_at: Date | null;
  readonly created_at: Date;
}
interface Tables {
  encryption_key: KeyTable;
  encryption_key_version: {
    readonly tenant_id: string;
    readonly key_id: string;
    readonly version: number;
    readonly sealed: Buffer;
    readonly gcm_uses: number;
    readonly created_at: Date;
  };
  tenant_key: { readonly tenant_id: string; readonly sealed: Buffer; readonly created_at: Date };
}

const dateOf = (at: number | null): Date | null => (at === null ? null : new Date(at));

const keyOf = (row: KeyTable): EncryptionKey => ({
  tenantId: row.tenant_id,
  id: row.id,
  name: row.name,
  purpose: row.purpose,
  algorithm: row.algorithm,
  status: row.status,
  primaryVersion: row.primary_version,
  rotationPeriod: row.rotation_period,
  nextRotationAt: row.next_rotation_at?.getTime() ?? null,
  createdAt: row.created_at.getTime(),
});

const keys = (tx: Tx, tenantId: TenantId) => tx.tables<Tables>().selectFrom('encryption_key').selectAll().where('tenant_id', '=', tenantId);

/** By name, by id, or by both, which then must mean the same key. */
const chosen = (tx: Tx, tenantId: TenantId, { name, id }: KeyName) => {
  const byName = name === '' ? keys(tx, tenantId) : keys(tx, tenantId).where('name', '=', name);
  return id === '' ? byName : byName.where('id', '=', id);
};

const withVersions = async (tx: Tx, tenantId: TenantId, rows: readonly KeyTable[]): Promise<KeyWithVersions[]> => {
  if (rows.length === 0) return [];
  const found = await tx
    .tables<Tables>()
    .selectFrom('encryption_key_version')
    .select(['key_id', 'version', 'created_at'])
    .where('tenant_id', '=', tenantId)
    .where(sql<boolean>`key_id = ANY(${rows.map(({ id }) => id)})`)
    .orderBy('version')
    .execute();
  const byKey = new Map<string, KeyVersion[]>(rows.map(({ id }) => [id, []]));
  for (const { key_id, version, created_at } of found) byKey.get(key_id)?.push({ version, createdAt: created_at.getTime() });
  return rows.map((row) => ({ ...keyOf(row), versions: byKey.get(row.id) ?? [] }));
};

const sealedVersions = async (tx: Tx, tenantId: TenantId, keyId: string): Promise<SealedVersion[]> => {
  const rows = await tx
    .tables<Tables>()
    .selectFrom('encryption_key_version')
    .select(['version', 'sealed', 'created_at'])
    .where('tenant_id', '=', tenantId)
    .where('key_id', '=', keyId)
    .orderBy('version')
    .execute();
  return rows.map(({ version, sealed, created_at }) => ({ version, sealed, createdAt: created_at.getTime() }));
};

const sealedTenantKey = (tx: Tx, tenantId: TenantId): Promise<{ readonly sealed: Buffer }> =>
  tx.tables<Tables>().selectFrom('tenant_key').select('sealed').where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();

export const postgresKeys = (db: Database): KeyStore => ({
  names: (tenantId) =>
    db.tenant(tenantId, (tx) =>
      tx.tables<Tables>().selectFrom('encryption_key').select(['id', 'name']).where('tenant_id', '=', tenantId).execute(),
    ),

  load: (tenantId, keyId) =>
    db.tenant(tenantId, async (tx) => {
      const row = await keys(tx, tenantId).where('id', '=', keyId).executeTakeFirst();
      if (row === undefined) return null;
      const { sealed } = await sealedTenantKey(tx, tenantId);
      return { key: keyOf(row), versions: await sealedVersions(tx, tenantId, keyId), tenantKey: sealed };
    }),

  find: (tenantId, key) =>
    db.tenant(tenantId, async (tx) => {
      const [found] = await withVersions(tx, tenantId, await chosen(tx, tenantId, key).limit(1).execute());
      return found ?? null;
    }),

  list: (tenantId, status, after, limit) =>
    db.tenant(tenantId, async (tx) => {
      const all = keys(tx, tenantId).where('name', '>', after);
      const some = status === '' ? all : all.where(sql<boolean>`status = ${status}`);
      return withVersions(tx, tenantId, await some.orderBy('name').limit(limit).execute());
    }),

  leaseUses: (tenantId, keyId, version, uses, limit) =>
    db.tenant(tenantId, async (tx) => {
      const row = await tx
        .tables<Tables>()
        .updateTable('encryption_key_version')
        .set((eb) => ({ gcm_uses: eb('gcm_uses', '+', uses) }))
        .where('tenant_id', '=', tenantId)
        .where('key_id', '=', keyId)
        .where('version', '=', version)
        .where('gcm_uses', '<=', limit - uses)
        .returning('gcm_uses')
        .executeTakeFirst();
      return row !== undefined;
    }),

  due: (now, limit) =>
    db.jobs(async (tx) => {
      const rows = await tx
        .tables<Tables>()
        .selectFrom('encryption_key')
        .select(['tenant_id', 'id'])
        .where('status', '=', 'enabled')
        .where('next_rotation_at', '<=', new Date(now))
        .orderBy('next_rotation_at')
        .limit(limit)
        .execute();
      return rows.map(({ tenant_id, id }) => ({ tenantId: tenant_id, keyId: id }));
    }),

  async keepTenantKey(tx, tenantId, sealed, now) {
    await tx
      .tables<Tables>()
      .insertInto('tenant_key')
      .values({ tenant_id: tenantId, sealed, created_at: new Date(now) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    // A statement of its own: whoever came first has committed by now, and this one sees it.
    return (await sealedTenantKey(tx, tenantId)).sealed;
  },

  async count(tx, tenantId) {
    const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM encryption_key WHERE tenant_id = ${tenantId}`.execute(tx.tables());
    return rows[0]?.n ?? 0;
  },

  async insert(tx, key) {
    const row = await tx
      .tables<Tables>()
      .insertInto('encryption_key')
      .values({
        tenant_id: key.tenantId,
        id: key.id,
        name: key.name,
        purpose: key.purpose,
        algorithm: key.algorithm,
        status: key.status,
        primary_version: key.primaryVersion,
        rotation_period: key.rotationPeriod,
        next_rotation_at: dateOf(key.nextRotationAt),
        created_at: new Date(key.createdAt),
      })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doNothing())
      .returning('id')
      .executeTakeFirst();
    return row !== undefined;
  },

  async insertVersion(tx, key, version, sealed, now) {
    await tx
      .tables<Tables>()
      .insertInto('encryption_key_version')
      .values({ tenant_id: key.tenantId, key_id: key.id, version, sealed, gcm_uses: 0, created_at: new Date(now) })
      .execute();
  },

  async lock(tx, tenantId, key) {
    const row = await chosen(tx, tenantId, key).limit(1).forUpdate().executeTakeFirst();
    return row === undefined ? null : keyOf(row);
  },

  async update(tx, key) {
    await tx
      .tables<Tables>()
      .updateTable('encryption_key')
      .set({ status: key.status, primary_version: key.primaryVersion, next_rotation_at: dateOf(key.nextRotationAt) })
      .where('tenant_id', '=', key.tenantId)
      .where('id', '=', key.id)
      .execute();
  },
});
