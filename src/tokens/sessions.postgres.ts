// Sessions in Postgres, as they are looked at: everything that decides about them is families.postgres.
import { sql } from 'kysely';
import type { Tx } from '../storage/storage.ts';
import { readConfirmation } from './confirmation.ts';
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

/** A session lives as long as a family of it does. */
const LIVING = sql`JOIN LATERAL (
    SELECT max(f.rotated_at) AS rotated_at, max(f.idle_expires_at) AS idle_expires_at, (array_agg(f.confirmation))[1] AS confirmation
    FROM token_families f
    WHERE f.tenant_id = s.tenant_id AND f.session_id = s.session_id AND f.revoked_at IS NULL AND f.idle_expires_at > ${now} AND ${notEnded}
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

/** Of a family that was not revoked: whatever ends a session ends its family, and one that is idle or over lives no longer than that. */
const LIVES = sql`f.idle_expires_at > ${now} AND f.absolute_expires_at > ${now} AND (NOT EXISTS (SELECT FROM session_ends) OR ${notEnded})`;

/** Families that a statement of the statistics reads: some 0.2 s, where it has 2.5 s. */
const SLICE = 20_000;

interface Slice {
  /** The last user of the slice; null: there was none. */
  readonly upto: string | null;
  readonly users: number;
  readonly auth_method: string | null;
  readonly device_type: string;
  readonly mfa_verified: boolean;
  readonly bound: boolean;
  readonly count: number;
}

/** Whole users, so that each is counted once. */
const slice = async (tx: Tx, tenantId: string, after: string): Promise<readonly Slice[]> => {
  const open = sql`f.tenant_id = ${tenantId} AND f.revoked_at IS NULL AND f.user_id > ${after}`;
  const { rows } = await sql<Slice>`
    WITH last AS MATERIALIZED (
      SELECT max(user_id) AS upto FROM (SELECT f.user_id FROM token_families f WHERE ${open} ORDER BY f.user_id LIMIT ${SLICE}) AS users),
    living AS MATERIALIZED (
      SELECT f.user_id, f.context->>'authMethod' AS auth_method, COALESCE(f.context->>'deviceType', '') AS device_type,
        (f.context->>'mfaVerified')::boolean AS mfa_verified, f.confirmation IS NOT NULL AS bound
      FROM token_families f WHERE ${open} AND f.user_id <= (SELECT upto FROM last) AND ${LIVES})
    SELECT last.upto, users.count AS users, alike.* FROM last
    CROSS JOIN (SELECT count(DISTINCT user_id)::float8 AS count FROM living) AS users
    LEFT JOIN (SELECT auth_method, device_type, mfa_verified, bound, count(*)::float8 AS count FROM living GROUP BY 1, 2, 3, 4) AS alike ON true
    WHERE last.upto IS NOT NULL`.execute(db(tx));
  return rows;
};

/** A Map: names are whatever clients call their devices. */
const add = (counts: Map<string, number>, name: string, count: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + count);
};

const statistics: Sessions['statistics'] = async (tx, tenantId) => {
  const found = { active: 0, users: 0, mfaVerified: 0, bound: 0 };
  const byAuthMethod = new Map<string, number>();
  const byDeviceType = new Map<string, number>();
  for (let after = ''; ; ) {
    const rows = await slice(tx, tenantId, after);
    const upto = rows[0]?.upto ?? null;
    if (upto === null) return { ...found, byAuthMethod: Object.fromEntries(byAuthMethod), byDeviceType: Object.fromEntries(byDeviceType) };
    after = upto;
    found.users += rows[0]?.users ?? 0;
    for (const { auth_method: method, device_type: type, mfa_verified: mfa, bound, count } of rows) {
      if (method === null) continue;
      found.active += count;
      if (mfa) found.mfaVerified += count;
      if (bound) found.bound += count;
      add(byAuthMethod, method, count);
      add(byDeviceType, type, count);
    }
  }
};

export const sessionStore: Sessions = {
  ofUser,
  statistics,

  async countAll(tx) {
    const { rows } = await sql<{ tenant_id: string; count: number }>`
      SELECT f.tenant_id, count(*)::float8 AS count FROM token_families f
      WHERE f.revoked_at IS NULL AND ${LIVES} GROUP BY f.tenant_id`.execute(db(tx));
    return new Map(rows.map((row) => [row.tenant_id, row.count]));
  },

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
