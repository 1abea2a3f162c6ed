// Join tokens in Postgres: whoever sets `used_at` first has the token, by the database's clock.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import type { JoinTokenStore } from './stores.ts';

interface Tables {
  join_tokens: {
    tenant_id: string;
    token_id: string;
    secret_hash: Buffer;
    namespace: string;
    service: string;
    created_by: string;
    created_at: Date;
    expires_at: Date;
    used_at: Date | null;
    used_for: string;
  };
}

export const joinTokenStore = (db: Database): JoinTokenStore => ({
  async insert(tx, token, ttl) {
    const row = await tx
      .tables<Tables>()
      .insertInto('join_tokens')
      .values({
        tenant_id: token.tenantId,
        token_id: token.tokenId,
        secret_hash: token.secretHash,
        namespace: token.name.namespace,
        service: token.name.service,
        created_by: token.createdBy,
        created_at: sql<Date>`clock_timestamp()`,
        expires_at: sql<Date>`clock_timestamp() + make_interval(secs => ${ttl / 1000}::double precision)`,
        used_at: null,
        used_for: '',
      })
      .returning('expires_at')
      .executeTakeFirstOrThrow();
    return row.expires_at.getTime();
  },

  async find(tx, { tenantId, tokenId, secretHash }) {
    const row = await tx
      .tables<Tables>()
      .selectFrom('join_tokens')
      .select(['namespace', 'service', sql<boolean>`used_at IS NOT NULL OR expires_at <= clock_timestamp()`.as('spent')])
      .where('tenant_id', '=', tenantId)
      .where('token_id', '=', tokenId)
      .where('secret_hash', '=', secretHash)
      .executeTakeFirst();
    return row === undefined ? null : { name: { namespace: row.namespace, service: row.service }, spent: row.spent };
  },

  async expiry(tx, tenantId, tokenId) {
    const row = await tx
      .tables<Tables>()
      .selectFrom('join_tokens')
      .select('expires_at')
      .where('tenant_id', '=', tenantId)
      .where('token_id', '=', tokenId)
      .executeTakeFirst();
    return row?.expires_at.getTime() ?? null;
  },

  async use(tx, { tenantId, tokenId, secretHash }, serialNumber) {
    const row = await tx
      .tables<Tables>()
      .updateTable('join_tokens')
      .set({ used_at: sql<Date>`clock_timestamp()`, used_for: serialNumber })
      .where('tenant_id', '=', tenantId)
      .where('token_id', '=', tokenId)
      .where('secret_hash', '=', secretHash)
      .where('used_at', 'is', null)
      .where('expires_at', '>', sql<Date>`clock_timestamp()`)
      .returning('token_id')
      .executeTakeFirst();
    return row !== undefined;
  },

  async spendAll(tx, tenantId, { namespace, service }) {
    await tx
      .tables<Tables>()
      .updateTable('join_tokens')
      .set({ used_at: sql<Date>`clock_timestamp()` })
      .where('tenant_id', '=', tenantId)
      .where('namespace', '=', namespace)
      .where('service', '=', service)
      .where('used_at', 'is', null)
      .execute();
  },

  sweep: (before, limit) =>
    db.jobs(async (tx) => {
      await sql`DELETE FROM join_tokens WHERE (tenant_id, token_id) IN
        (SELECT tenant_id, token_id FROM join_tokens WHERE expires_at < ${new Date(before)} LIMIT ${limit})`.execute(tx.tables<Tables>());
    }),
});
