// Leases: a row taken by compare-and-set on the database's clock. The fencing number grows whenever the holder changes.
import { sql } from 'kysely';
import type { Database, Lease } from './storage.ts';

/** `owner` names this process, uniquely. */
export const createLease = (db: Database, owner: string): Lease => ({
  acquire: (name, ttl) =>
    db.jobs(async (tx) => {
      const seconds = ttl / 1000;
      const { rows } = await sql<{ fence: number }>`
        INSERT INTO lease AS held (name, owner, until, fence)
        VALUES (${name}, ${owner}, clock_timestamp() + make_interval(secs => ${seconds}), 1)
        ON CONFLICT (name) DO UPDATE SET
          owner = excluded.owner,
          until = clock_timestamp() + make_interval(secs => ${seconds}),
          fence = held.fence + CASE WHEN held.owner = excluded.owner AND held.until > clock_timestamp() THEN 0 ELSE 1 END
        WHERE held.owner = excluded.owner OR held.until <= clock_timestamp()
        RETURNING fence`.execute(tx.tables());
      return rows[0]?.fence ?? null;
    }),
  release: (name) =>
    db.jobs(async (tx) => {
      await sql`UPDATE lease SET until = clock_timestamp() WHERE name = ${name} AND owner = ${owner} AND until > clock_timestamp()`.execute(
        tx.tables(),
      );
    }),
});
