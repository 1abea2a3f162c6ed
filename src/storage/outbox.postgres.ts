// The outbox's rows: oldest first, gone when delivered.
import { sql } from 'kysely';
import type { OutboxStore, StoredMessage } from './relay.ts';
import type { Database } from './storage.ts';

export const createOutboxStore = (db: Database): OutboxStore => ({
  next: (limit) =>
    db.jobs(async (tx) => {
      const { rows } = await sql<StoredMessage>`
        SELECT id, position, tenant_id AS "tenantId", topic, key, body, at FROM outbox ORDER BY position LIMIT ${limit}`.execute(
        tx.tables(),
      );
      return rows;
    }),
  delivered: (positions) =>
    db.jobs(async (tx) => {
      await sql`DELETE FROM outbox WHERE position = ANY(${[...positions]}::bigint[])`.execute(tx.tables());
    }),
});
