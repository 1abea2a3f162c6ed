// Using refresh tokens in Postgres: many compare-and-sets in one statement, at READ COMMITTED, by the database's clock.
import { type RawBuilder, sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import { printConfirmation, printShown } from './confirmation.ts';
import { notEnded } from './ends.postgres.ts';
import type { Rotated } from './family.ts';
import type { Families, Rotation, Use } from './families.ts';
import { type ContextRow, contextOf } from './family-rows.postgres.ts';

interface Row extends ContextRow {
  readonly position: number;
  readonly access_generation: number;
  readonly access_rsq: number;
  readonly issued_at: Instant;
  readonly expires_at: Instant;
}

const used = ({ familyId, presented, access, idle, known }: Use, position: number) => ({
  position,
  family_id: familyId,
  generation: presented.generation,
  hash: presented.hash.toString('hex'),
  device_id: presented.deviceId,
  fingerprint: presented.fingerprint,
  sender: presented.sender,
  shown: printShown(presented.shown),
  issued_at: access.issuedAt / 1000,
  expires_at: access.expiresAt / 1000,
  idle: idle / 1000,
  known,
});

const rotated = (rotation: Rotation, position: number) => ({
  ...used(rotation, position),
  next_hash: rotation.hash.toString('hex'),
  salt: rotation.salt.toString('hex'),
  confirmation: rotation.confirmation === null ? null : printConfirmation(rotation.confirmation),
});

/** One parameter whatever the number of rows. The head is of the statement's own moment: never later than what it sees of a family. */
const asked = (rows: readonly object[]) => sql`
  head AS MATERIALIZED (SELECT seq FROM change_head),
  asked AS MATERIALIZED (
    SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::json) AS a
      (position int, family_id text, generation bigint, hash text, device_id text, fingerprint text, sender text, shown jsonb,
       issued_at float8, expires_at float8, idle float8, known bigint, next_hash text, salt text, confirmation jsonb))`;

/** The session's end as tokens can say it. */
const END = sql`date_trunc('second', f.absolute_expires_at)`;

/**
 * The presented token is the one that counts now, in time, on this device, and its key is proven. The ids by themselves too, and not
 * `revoked_at IS NULL`: before the planner has statistics, as after a restore, it would read all families of the tenant for each of them.
 */
const counts = (tenantId: TenantId, uses: readonly Use[]): RawBuilder<boolean> => sql<boolean>`
  f.tenant_id = ${tenantId}
  AND f.family_id = ANY(${uses.map(({ familyId }) => familyId)}::text[])
  AND f.family_id = a.family_id
  AND f.generation = a.generation
  AND f.current_hash = decode(a.hash, 'hex')
  AND COALESCE(f.revoked_at, 'infinity') = 'infinity'
  AND ${notEnded}
  AND f.idle_expires_at > clock_timestamp()
  AND f.absolute_expires_at > clock_timestamp()
  AND ${END} > to_timestamp(a.issued_at)
  AND f.device_id IN ('', a.device_id)
  AND f.fingerprint IN ('', a.fingerprint)
  AND (f.confirmation IS NULL OR f.confirmation <@ a.shown)`;

/** An access token never outlives its session. */
const NEXT_ACCESS = sql`
  access_generation = GREATEST(f.generation, COALESCE(f.access_generation, 0)) + 1,
  access_issued_at = to_timestamp(a.issued_at),
  access_expires_at = LEAST(to_timestamp(a.expires_at), ${END}),
  access_rsq = GREATEST(f.access_rsq, LEAST(head.seq, a.known)),
  idle_expires_at = clock_timestamp() + make_interval(secs => a.idle)`;

const ANSWER = sql`
  a.position, f.family_id, f.session_id, f.user_id, f.client_id, f.device_id, f.fingerprint, f.context, f.confirmation, f.birth_rsq, f.generation,
  f.access_generation, f.access_rsq, a.issued_at * 1000 AS issued_at, extract(epoch FROM f.access_expires_at)::float8 * 1000 AS expires_at`;

const rotatedOf = (tenantId: TenantId, row: Row): Rotated => ({
  ...contextOf(tenantId, row),
  access: { generation: row.access_generation, issuedAt: row.issued_at, expiresAt: row.expires_at, rsq: row.access_rsq },
});

const update = async (tx: Tx, statement: RawBuilder<Row>): Promise<readonly Row[]> =>
  (await statement.execute(tx.tables<Record<string, never>>())).rows;

export const rotate: Families['rotate'] = async (tx, tenantId, rotations) => {
  const alone = rotations.length === 1;
  // A row that somebody else holds is left out here, so the update below never waits.
  const free = sql`, free AS MATERIALIZED (
    SELECT f.family_id FROM token_families f
    WHERE f.tenant_id = ${tenantId} AND f.family_id = ANY(${rotations.map(({ familyId }) => familyId)}::text[])
    FOR NO KEY UPDATE OF f SKIP LOCKED)`;
  const rows = await update(
    tx,
    sql<Row>`
    WITH ${asked(rotations.map(rotated))}${alone ? sql`` : free}
    UPDATE token_families f SET ${NEXT_ACCESS},
      generation = f.generation + 1,
      previous_hash = f.current_hash,
      current_hash = decode(a.next_hash, 'hex'),
      successor_salt = decode(a.salt, 'hex'),
      sender = a.sender,
      confirmation = COALESCE(f.confirmation, a.confirmation),
      rotated_at = clock_timestamp()
    FROM head, asked a
    WHERE ${counts(tenantId, rotations)} ${alone ? sql`` : sql`AND f.family_id IN (SELECT family_id FROM free)`}
    RETURNING ${ANSWER}`,
  );
  const families = new Map(rows.map((row) => [row.position, rotatedOf(tenantId, row)]));
  return rotations.map((_, position) => families.get(position) ?? null);
};

export const keep: Families['keep'] = async (tx, tenantId, use) => {
  const [row] = await update(
    tx,
    sql<Row>`
    WITH ${asked([used(use, 0)])}
    UPDATE token_families f SET ${NEXT_ACCESS}
    FROM head, asked a
    WHERE ${counts(tenantId, [use])} AND f.confirmation IS NOT NULL
    RETURNING ${ANSWER}`,
  );
  return row === undefined ? null : rotatedOf(tenantId, row);
};
