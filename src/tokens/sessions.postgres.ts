// Sessions in Postgres, as they are looked at: everything that decides about them is families.postgres.
import { sql } from 'kysely';
import type { Tx } from '../storage/storage.ts';
import { readConfirmation } from './confirmation.ts';
import { statistics } from './counts.postgres.ts';
import { notEnded } from './ends.postgres.ts';
import type { Device } from './family.ts';
import type { Session, Sessions } from './sessions.ts';

interface Row {
  readonly session_id: string;
  readonly tenant_id: string;
  readonly user_id: string;
  readonly client_id: string;
  readonly auth_method: string;
  readonly mfa_verified: boolean;
  readonly device: Partial<Omit<Device, 'fingerprint'>>;
  readonly ip_address: string;
  readonly user_agent: string;
  readonly created_at: Date;
  readonly created_text: string;
  readonly last_activity_at: Date;
  readonly idle_expires_at: Date;
  readonly expires_at: Date;
  readonly confirmation: Readonly<Record<string, string>> | null;
}

const db = (tx: Tx) => tx.tables<Record<string, never>>();
const now = sql`clock_timestamp()`;

/** A session lives as long as a family of it does. Not `revoked_at IS NULL`: before the planner has statistics it would take an index for that alone. */
const LIVING = sql`JOIN LATERAL (
    SELECT max(f.rotated_at) AS rotated_at, max(f.idle_expires_at) AS idle_expires_at, (array_agg(f.confirmation))[1] AS confirmation
    FROM token_families f
    WHERE f.tenant_id = s.tenant_id AND f.session_id = s.session_id AND COALESCE(f.revoked_at, 'infinity') = 'infinity' AND f.idle_expires_at > ${now} AND ${notEnded}
  ) f ON f.idle_expires_at IS NOT NULL
  WHERE s.ended_at IS NULL AND s.expires_at > ${now}`;

/** A login that names no device leaves {}. */
const deviceOf = ({ deviceId, deviceType = '', platform = '', browser = '', appVersion = '' }: Row['device']): Session['device'] =>
  deviceId === undefined ? null : { deviceId, deviceType, platform, browser, appVersion };

const sessionOf = (row: Row): Session => ({
  sessionId: row.session_id,
  tenantId: row.tenant_id,
  userId: row.user_id,
  clientId: row.client_id,
  authMethod: row.auth_method,
  mfaVerified: row.mfa_verified,
  device: deviceOf(row.device),
  ipAddress: row.ip_address,
  userAgent: row.user_agent,
  createdAt: row.created_at.getTime(),
  lastActivityAt: row.last_activity_at.getTime(),
  idleExpiresAt: row.idle_expires_at.getTime(),
  expiresAt: row.expires_at.getTime(),
  confirmation: row.confirmation === null ? null : readConfirmation(row.confirmation),
});

const ofUser: Sessions['ofUser'] = async (tx, tenantId, userId, after, limit) => {
  const [time = '', sessionId = ''] = after.split('|');
  const beyond = after === '' ? sql`` : sql`AND (s.created_at, s.session_id) < (${time}::timestamptz, ${sessionId})`;
  const { rows } = await sql<Row>`
    SELECT s.session_id, s.tenant_id, s.user_id, s.client_id, s.auth_method, s.mfa_verified, s.device, s.ip_address, s.user_agent,
      s.created_at, s.created_at::text AS created_text, GREATEST(s.created_at, s.last_activity_at, f.rotated_at) AS last_activity_at,
      f.idle_expires_at, s.expires_at, f.confirmation
    FROM sessions s ${LIVING} AND s.tenant_id = ${tenantId} AND s.user_id = ${userId} ${beyond}
    ORDER BY s.created_at DESC, s.session_id DESC LIMIT ${limit}`.execute(db(tx));
  return rows.map((row) => ({ ...sessionOf(row), place: `${row.created_text}|${row.session_id}` }));
};

export const sessionStore: Sessions = {
  ofUser,
  statistics,

  async touch(tx, seen) {
    const [tenants, ids, times] = [seen.map((one) => one.tenantId), seen.map((one) => one.sessionId), seen.map((one) => new Date(one.at))];
    await sql`
      WITH free AS (
        SELECT s.tenant_id, s.session_id, v.at FROM sessions s
        JOIN unnest(${tenants}::text[], ${ids}::text[], ${times}::timestamptz[]) AS v (tenant_id, session_id, at)
          ON s.tenant_id = v.tenant_id AND s.session_id = v.session_id
        WHERE s.ended_at IS NULL AND (s.last_activity_at IS NULL OR s.last_activity_at < v.at)
        FOR UPDATE OF s SKIP LOCKED)
      UPDATE sessions s SET last_activity_at = free.at FROM free
      WHERE s.tenant_id = free.tenant_id AND s.session_id = free.session_id`.execute(db(tx));
  },
};
