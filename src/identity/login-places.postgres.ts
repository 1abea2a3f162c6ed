// Devices and networks that accounts logged in from, in Postgres: the latest few of each, as keyed hashes.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import type { LoginPlaces, PlaceKind } from './stores.ts';

/** So many of each kind are remembered for a user. */
const KEPT = 20;
/** What was not seen for so long is new again. */
const DAYS = 90;
const SLICE = 5000;

export const createLoginPlaces = (db: Pick<Database, 'jobs'>): LoginPlaces => ({
  async visit(tx, tenantId, userId, at) {
    const places = at.map(({ place }) => place);
    const kinds = at.map(({ kind }) => kind);
    const { rows } = await sql<{ kind: PlaceKind; known: boolean }>`
      SELECT kind, bool_or(place = ANY (${places}::bytea[])) AS known
      FROM login_places WHERE tenant_id = ${tenantId} AND user_id = ${userId}
        AND seen_at > clock_timestamp() - make_interval(days => ${DAYS})
      GROUP BY kind`.execute(tx.tables());
    await sql`
      INSERT INTO login_places (tenant_id, user_id, kind, place)
      SELECT ${tenantId}, ${userId}, kind, place FROM unnest(${kinds}::text[], ${places}::bytea[]) AS seen (kind, place)
      ON CONFLICT (tenant_id, user_id, kind, place) DO UPDATE SET seen_at = clock_timestamp()`.execute(tx.tables());
    // Nothing of a kind yet: it is compared with nothing.
    const fresh = new Set(rows.filter(({ kind, known }) => !known && kinds.includes(kind)).map(({ kind }) => kind));
    if (fresh.size > 0)
      await sql`
        DELETE FROM login_places WHERE tenant_id = ${tenantId} AND user_id = ${userId} AND (kind, place) IN (
          SELECT kind, place FROM (
            SELECT kind, place, row_number() OVER (PARTITION BY kind ORDER BY seen_at DESC) AS place_in_line FROM login_places
            WHERE tenant_id = ${tenantId} AND user_id = ${userId}) AS ordered
          WHERE place_in_line > ${KEPT})`.execute(tx.tables());
    return fresh;
  },
  async knows(tx, tenantId, userId, kind, place) {
    const { rows } = await sql`SELECT FROM login_places
      WHERE tenant_id = ${tenantId} AND user_id = ${userId} AND kind = ${kind} AND place = ${place}
        AND seen_at > clock_timestamp() - make_interval(days => ${DAYS})`.execute(tx.tables());
    return rows.length > 0;
  },
  async sweep() {
    for (;;) {
      const { rows } = await db.jobs((tx) =>
        sql`DELETE FROM login_places WHERE (tenant_id, user_id, kind, place) IN (
          SELECT tenant_id, user_id, kind, place FROM login_places
          WHERE seen_at < clock_timestamp() - make_interval(days => ${DAYS}) LIMIT ${SLICE})
          RETURNING 1`.execute(tx.tables()),
      );
      if (rows.length < SLICE) return;
    }
  },
});
